"""Start Tollgate on this machine: `python -m infra.local`."""

import argparse
import asyncio
import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.local.claims import locked, port_number, require_free
from infra.local.pools import pool_choice
from infra.local.processes import LocalError, Stopping, write_privately
from infra.local.stack import Options, Stack
from infra.local.state import State, wipe
from infra.local.tls import add_tls_options, tls_of

INTERRUPTED = 130


def main() -> int:
    """Run the stack until a signal stops it (status 0) or a part fails (status 1)."""
    arguments = _parse()
    options = Options(
        port=arguments.port,
        data_dir=arguments.data_dir.resolve(),
        increment_seconds=arguments.increment_seconds,
        cooldown_seconds=arguments.cooldown_seconds,
        billed_tail_seconds=arguments.billed_tail_seconds,
        pools=arguments.pool,
        pool_endpoints=arguments.pool_endpoints,
        tls=arguments.tls,
    )
    ready_file: Path | None = arguments.ready_file.resolve() if arguments.ready_file else None
    try:
        if options.tls:
            options.tls.require_fit()
        with locked(options.data_dir, patience_seconds=0, holder="a stack"):
            if options.port:
                require_free(options.port)
            if ready_file:
                ready_file.unlink(missing_ok=True)
            if arguments.fresh:
                wipe(options.data_dir)
            state = State.load(options.data_dir, options.increment_seconds)
            (options.data_dir / "logs").mkdir(exist_ok=True)
            try:
                return asyncio.run(_run(Stack(options, state), ready_file))
            finally:
                if ready_file:
                    ready_file.unlink(missing_ok=True)
    except LocalError as error:
        sys.stderr.write(f"tollgate: {error}\n")
        return 1
    except KeyboardInterrupt:  # before anything was started
        return INTERRUPTED
    except OSError as error:
        sys.stderr.write(f"tollgate: {error.filename}: {error.strerror}; choose another --data-dir or --ready-file\n")
        return 1


async def _run(stack: Stack, ready_file: Path | None) -> int:
    stopping = Stopping(at_once=stack.kill)
    try:
        ready = await stopping.unless_asked(asyncio.ensure_future(stack.start()))
        if ready is not None:
            print(_guide(ready, stack), flush=True)  # first: who waits for the file may read it
            if ready_file:
                write_privately(ready_file, ready)
            await stopping.unless_asked(asyncio.ensure_future(stack.failed()))
    finally:
        await stack.stop()
    return INTERRUPTED if stopping.impatient else 0


def _guide(ready: Mapping[str, Any], stack: Stack) -> str:
    """Say what to try next, in commands that can be pasted as they are."""
    url, tenant, tls = ready["url"], ready["tenants"][0], stack.options.tls
    curl = f"curl -sS --cacert {shlex.quote(str(tls.certificate))}" if tls else "curl -sS"
    authorization = shlex.quote(f"Authorization: Bearer {tenant['key']}")
    code = {"code": "import math; print(math.pi)", "codeInputType": "Inline", "executionType": "Synchronous"}
    execute = shlex.quote(f"{url}/executions?api-version=2025-10-02-preview&identifier=first")
    others = ", ".join(f"{pool.name}: {pool.kind}" for pool in stack.options.pools)
    options, kept = stack.options, stack.state.increment_seconds
    lines = [
        f"Tollgate is ready at {url}, metering in increments of {options.increment_seconds} s. Ctrl-C stops it.",
        "",
        f"Run code in a session of the tenant {tenant['id']}:",
        f"  {curl} {execute} -H {authorization} \\",
        f"    -H 'Content-Type: application/json' -d {shlex.quote(json.dumps(code))}",
        "See what it cost:",
        f"  {curl} {url}/usage -H {authorization}",
        f"Or in a browser, with the tenant's key, {tenant['key']}, or the operator's:",
        f"  {url}/dashboard",
        *([f"Its other pools ({others}) are at {url}/pools/<name>/…."] if others else []),
        "",
        f"The operator's key is in {options.data_dir / 'stack.json'}, the logs are in {options.data_dir / 'logs'}.",
    ]
    if kept != options.increment_seconds:
        lines.append(
            f"Note: the data here began with increments of {kept} s; what it holds now counts as increments of "
            f"{options.increment_seconds} s. --fresh begins anew."
        )
    return "\n".join(lines)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m infra.local",
        description="Start Tollgate on this machine: storage, session pools, functions host.",
    )
    parser.add_argument(
        "--port", type=port_number, default=7071, help="of the functions host; 0 picks a free one (%(default)s)"
    )
    parser.add_argument(
        "--data-dir", type=Path, default=Path(".local"), help="keeps data across restarts (%(default)s)"
    )
    parser.add_argument(
        "--ready-file", type=Path, help="gets addresses, keys and process ids as JSON when all is ready"
    )
    numbers = {
        "--increment-seconds": (_positive, 300, "billing granularity (%(default)s)"),
        "--cooldown-seconds": (_positive, 300, "how long the pools keep an idle session (%(default)s)"),
        "--billed-tail-seconds": (_not_negative, None, "what is billed after a call (the cooldown)"),
        "--pool-endpoints": (_positive, 1, "stand-ins that the default pool is spread over (%(default)s)"),
    }
    for name, (kind, default, text) in numbers.items():
        parser.add_argument(name, type=kind, default=default, metavar="N", help=text)
    parser.add_argument(
        "--pool",
        type=pool_choice,
        action="append",
        default=[],
        metavar="NAME=KIND",
        help="one more pool, of the kind python, node, shell or custom:<command line of the container program>; "
        "the tenant demo may use it (repeatable)",
    )
    add_tls_options(parser)
    parser.add_argument("--fresh", action="store_true", help="begin with an empty data directory")
    arguments = parser.parse_args()
    names = [pool.name for pool in arguments.pool]
    if len(set(names)) < len(names):
        parser.error("--pool: give each pool a name of its own")
    arguments.tls = tls_of(parser, arguments)
    return arguments


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def _not_negative(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not a whole number, 0 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
