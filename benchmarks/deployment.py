"""The processes that are measured: storage, upstream, Tollgate's host, a host with an echo, and the two workers.

Each is a process of its own on a free port of the loopback interface; nothing is shared but the machine. The two
instances of the gateway reach one storage through taps of their own.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from benchmarks import wire
from benchmarks.figures import Way
from benchmarks.tap import StorageTap
from benchmarks.telemetry import TELEMETRY
from benchmarks.workers import Worker
from infra.local.accounts import call, first_operator_key
from infra.local.claims import free_port
from infra.local.processes import Child, LocalError, until_ready
from infra.local.stack import Options, part_environment
from infra.local.state import State
from infra.local.storage import connection_string

INCREMENT_SECONDS = 300
START_SECONDS = 60
STOP_SECONDS = 10
TIMERS = ("alerts", "housekeeping")  # they look at the ledger by the clock: what is counted here goes by calls
TENANT = "benchmark"
ACCOUNT = {"name": "Benchmark", "minutes_per_month": 1_000_000}
KEY = {"label": "benchmark", "scopes": ["execute"]}

_ECHO = f'''"""Answers every call like the upstream does: what is left is the host's share."""

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
ANSWER = {wire.ANSWER!r}


@app.route("{{*rest}}")
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    """Read the body and answer."""
    assert req.get_body()
    return func.HttpResponse(ANSWER, mimetype="application/json")
'''
_HOST_JSON = (
    '{"version": "2.0", "logging": {"logLevel": {"default": "Warning"}}, "extensions": {"http": {"routePrefix": ""}}}'
)


class Deployment:
    """All of it, running inside `async with`.

    Attributes:
        urls: where the ways over HTTP begin.
        pids: the process behind each way.
        load: the worker that calls over HTTP.
        gateway: the worker that is the gateway in process, or its HTTP client alone.
        telling_gateway: the same, with an OpenTelemetry SDK in the process.
        storage: the connection string, past the taps.
        host_tap: sees what Tollgate's host asks of the storage.
        gateway_tap: the same for the two gateways in process.
        key: of a tenant with a monthly quota.
    """

    load: Worker
    gateway: Worker
    telling_gateway: Worker
    storage: str
    host_tap: StorageTap
    gateway_tap: StorageTap
    key: str

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._children: list[Child] = []
        self._running = contextlib.AsyncExitStack()
        self.urls: dict[Way, str] = {}
        self.pids: dict[Way, int] = {}

    async def __aenter__(self) -> Self:
        """Start everything.

        Raises:
            LocalError: a part did not come up.
        """
        try:
            await self._start()
        except BaseException:
            await self._running.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop everything, the storage last."""
        await self._running.aclose()

    def kill(self) -> None:
        """End all processes at once; nothing of theirs is worth keeping."""
        for child in self._children:
            child.kill()

    async def _start(self) -> None:
        storage_port = free_port()
        self.storage = connection_string(storage_port)
        self.host_tap = await self._running.enter_async_context(StorageTap(storage_port))
        self.gateway_tap = await self._running.enter_async_context(StorageTap(storage_port))
        plain = {name: value for name, value in os.environ.items() if not name.startswith("TOLLGATE_")}
        storage = await self._child("storage", "infra.local.storage", plain, "--port", str(storage_port))
        upstream = await self._child("upstream", "benchmarks.upstream", plain)
        straight = await self._ready(upstream, Way.STRAIGHT)
        state = State.new(INCREMENT_SECONDS)
        host_environment = self._environment(state, self.host_tap, straight, plain)
        host = await self._child("host", "infra.local.host", host_environment, "--port", "0")
        echo_folder = self._folder / "echo"
        echo_folder.mkdir()
        (echo_folder / "function_app.py").write_text(_ECHO)
        (echo_folder / "host.json").write_text(_HOST_JSON)
        echo = await self._child("echo", "infra.local.host", plain, "--port", "0", "--app", str(echo_folder))
        self.load = await self._worker("benchmarks.load", plain)
        gateway_environment = self._environment(state, self.gateway_tap, straight, plain)
        self.gateway = await self._worker("benchmarks.in_process", gateway_environment)
        self.telling_gateway = await self._worker(
            "benchmarks.in_process", {**gateway_environment, TELEMETRY: "true"}, log="telling_gateway"
        )
        self.pids[Way.WITH_TELEMETRY] = self.telling_gateway.process.pid
        self.urls[Way.CLIENT_ALONE] = straight
        self.pids[Way.CLIENT_ALONE] = self.pids[Way.IN_PROCESS] = self.gateway.process.pid
        await self._ready(storage, None)
        await self._ready(echo, Way.HOST_ALONE)
        url = await self._ready(host, Way.END_TO_END)
        self.key = await asyncio.to_thread(_make_key, url, await first_operator_key(host_environment))

    def _environment(
        self, state: State, tap: StorageTap, upstream: str, inherited: Mapping[str, str]
    ) -> dict[str, str]:
        options = Options(
            port=0,
            data_dir=self._folder,
            increment_seconds=INCREMENT_SECONDS,
            cooldown_seconds=INCREMENT_SECONDS,
            billed_tail_seconds=None,
        )
        upstream_port = int(urlsplit(upstream).netloc.partition(":")[2])
        environment = part_environment(options, state, tap.port, upstream_port, inherited)
        return {**environment, **{f"AzureWebJobs.{timer}.Disabled": "true" for timer in TIMERS}}

    async def _child(self, name: str, module: str, environment: Mapping[str, str], *options: str) -> Child:
        command = [sys.executable, "-m", module, "--ready-file", str(self._ready_file(name)), *options]
        child = await Child.start(name, command, environment=environment, log=self._folder / f"{name}.log")
        self._children.append(child)
        self._running.push_async_callback(child.stop, STOP_SECONDS)
        return child

    async def _worker(self, module: str, environment: Mapping[str, str], *, log: str | None = None) -> Worker:
        worker = await Worker.start(module, environment, self._folder / f"{log or module}.log")
        self._running.push_async_callback(worker.stop)
        return worker

    async def _ready(self, child: Child, way: Way | None) -> str:
        """Wait for a part; one that a way leads to says where it is and who."""
        ready: dict[str, Any] = await until_ready(child, self._ready_file(child.name), START_SECONDS)
        url: str = ready.get("url", "")
        if way is not None:
            self.urls[way], self.pids[way] = url, ready["pid"]
        return url

    def _ready_file(self, name: str) -> Path:
        return self._folder / f"{name}.ready"


def _make_key(url: str, operator_key: str) -> str:
    status, body = call(url, "PUT", f"/operator/tenants/{TENANT}", operator_key, ACCOUNT)
    if status < 300:
        status, body = call(url, "POST", f"/operator/tenants/{TENANT}/keys", operator_key, KEY)
    if status >= 300:
        raise LocalError(f"the host answered {status} when the benchmark's tenant was made: {body}")
    key: str = body["key"]
    return key


def cpu_seconds(pid: int) -> float | None:
    """Read the processor time of a process so far, in the steps of the system's clock; None where there is no /proc."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    user, system = after_name[11:13]  # the 14th and 15th field of proc(5)
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
