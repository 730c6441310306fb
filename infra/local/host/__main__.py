"""Runs an app folder: `python -m infra.local.host --port 7071`.

A start that fails says why in one line (and with the app's own stack, where the app is broken) and ends with status 1.
SIGINT and SIGTERM let requests in flight finish for a short grace, then end with status 0.
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import uvicorn

from infra.local.host.app import FunctionsApp
from infra.local.host.configuration import (
    HostConfiguration,
    apply_local_settings,
    is_disabled,
    read_host_configuration,
)
from infra.local.host.errors import StartError
from infra.local.host.keys import Keys
from infra.local.host.routes import RouteTable, compile_route
from infra.local.host.timers import read_schedules, run_timers
from infra.local.host.worker import Function, load_app
from infra.local.processes import LocalError
from infra.local.tls import add_tls_options, tls_of
from metering.clock import utc_now

_REPOSITORY_ROOT = Path(__file__).resolve().parents[3]
_BODY_LIMIT_BYTES = 210 * 1024 * 1024  # Azure Functions documentation, "HTTP trigger", limits, read 2026-11
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)

# Longer than clients keep an idle connection, so that it is not the host who closes it under a request.
_KEEP_ALIVE_SECONDS = 120


class _Server(uvicorn.Server):
    """A server that says when it accepts connections."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


def main() -> None:
    """Run until a signal comes."""
    arguments = _parse_arguments()
    app_directory: Path = arguments.app.resolve()
    ready_file: Path | None = arguments.ready_file and arguments.ready_file.absolute()
    for number in _STOP_SIGNALS:
        signal.signal(number, lambda *_: os._exit(0))
    try:
        if ready_file:
            ready_file.unlink(missing_ok=True)
        configuration = read_host_configuration(app_directory)
        apply_local_settings(app_directory, os.environ)
        _configure_logging(configuration.log_level)
        listener = _listen(arguments.port)
        _enter(app_directory)
        asyncio.run(_serve(arguments, app_directory, configuration, listener, ready_file))
    except (StartError, LocalError, OSError) as error:
        sys.exit(f"functions host: {error}")
    # Azure ends a worker without running anything of the app's, so nothing of it runs here: no exit handlers or
    # finalizers, and no waiting for a `def` function that did not end within the grace.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m infra.local.host", description="Runs a function app on this machine.")
    parser.add_argument("--port", type=int, default=7071, help="0 picks a free one")
    parser.add_argument("--app", type=Path, default=_REPOSITORY_ROOT, help="folder with function_app.py and host.json")
    parser.add_argument(
        "--ready-file", type=Path, help="JSON with url and pid, written once the host accepts connections"
    )
    parser.add_argument("--body-limit-bytes", type=int, default=_BODY_LIMIT_BYTES)
    parser.add_argument("--grace-seconds", type=int, default=10, help="what requests in flight get at the end")
    parser.add_argument("--master-key", help="check keys: this one opens everything")
    parser.add_argument("--function-key", help="with --master-key: opens functions of the level `function`")
    add_tls_options(parser)
    arguments = parser.parse_args()
    arguments.tls = tls_of(parser, arguments)
    if arguments.function_key and not arguments.master_key:
        parser.error("--function-key needs --master-key")
    return arguments


async def _serve(
    arguments: argparse.Namespace,
    app_directory: Path,
    configuration: HostConfiguration,
    listener: socket.socket,
    ready_file: Path | None,
) -> None:
    tls: ssl.SSLContext | None = arguments.tls.server_context() if arguments.tls else None
    loaded = await load_app(app_directory)
    functions = {function.name: function for function in loaded if not is_disabled(function.name, os.environ)}
    routes = _compile_routes(functions, configuration.route_prefix)
    schedules = read_schedules(functions, utc_now(), os.environ)
    app = FunctionsApp(
        functions,
        routes,
        configuration,
        keys=Keys(arguments.master_key, arguments.function_key),
        body_limit_bytes=arguments.body_limit_bytes,
        homepage=os.environ.get("AzureWebJobsDisableHomepage", "").lower() != "true",  # noqa: SIM112 -- Azure's name
    )
    url = f"{'https' if tls else 'http'}://127.0.0.1:{listener.getsockname()[1]}"

    def announce() -> None:
        print(f"Functions host on {url}: {_summary(functions, routes)}", flush=True)
        if ready_file:
            _write_atomically(ready_file, {"url": url, "pid": os.getpid()})

    server = _Server(_server_configuration(app, tls, arguments.grace_seconds), announce)
    timers = asyncio.create_task(
        run_timers(functions, schedules, utc_now, timeout_seconds=configuration.function_timeout_seconds)
    )
    # The server has handlers of its own while it runs, and raises the signals again, for ours, when it has ended.
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    await server.serve([listener])
    timers.cancel()


def _configure_logging(level: int) -> None:
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(max(level, logging.WARNING))


def _listen(port: int) -> socket.socket:
    # With the protocol left at 0, asyncio would not see TCP in the accepted sockets and leave Nagle's algorithm on:
    # 40 ms for every answer, as headers and body are written apart.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen()
    except (OSError, OverflowError) as error:
        raise StartError(f"port {port} cannot be used: {getattr(error, 'strerror', None) or error}") from error
    return listener


def _enter(app_directory: Path) -> None:
    """Make the app's folder the place that its imports and relative paths start from, as it is in Azure."""
    launched_from = str(Path.cwd())
    sys.path[:] = [str(app_directory), *(entry for entry in sys.path if entry not in ("", launched_from))]
    os.chdir(app_directory)


def _compile_routes(functions: Mapping[str, Function], prefix: str) -> RouteTable:
    try:
        return RouteTable(
            compile_route(name, function.trigger.get("route") or name, function.trigger.get("methods", ()), prefix)
            for name, function in functions.items()
            if function.trigger["type"] == "httpTrigger"
        )
    except ValueError as error:
        raise StartError(str(error)) from error


def _server_configuration(app: FunctionsApp, tls: ssl.SSLContext | None, grace_seconds: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=grace_seconds,
        ssl_context_factory=None if tls is None else lambda *_: tls,
    )


def _summary(functions: Mapping[str, Function], routes: RouteTable) -> str:
    served = [f"{route.function} [{','.join(sorted(route.methods)) or '*'}] /{route.template}" for route in routes]
    timers = [
        f"{name} ({function.trigger['schedule']})"
        for name, function in functions.items()
        if function.trigger["type"] == "timerTrigger"
    ]
    return "; ".join(served + timers)


def _write_atomically(path: Path, content: Mapping[str, Any]) -> None:
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(content), "utf-8")
    unfinished.replace(path)


main()
