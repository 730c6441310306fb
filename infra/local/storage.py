"""Azurite's Table service as the local storage: in memory, or in a folder where it outlives the process.

Azurite saves every five seconds and once more on SIGINT; SIGTERM would end it without. So this process takes either
signal and passes on SIGINT. It holds the folder's lock together with Azurite, for two of them would overwrite each
other's file.
"""

import argparse
import asyncio
import contextlib
import http.client
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from infra.local.claims import free_port, locked, port_number, require_free
from infra.local.processes import ROOT, Child, LocalError, Stopping, write_privately

AZURITE = ROOT / ".tools/azurite/node_modules/azurite/dist/src/table/main.js"
START_SECONDS = 30
STOP_SECONDS = 5

# The account that every Azurite has. Its key is public: it keeps nobody out, and Azurite listens on loopback only.
# https://learn.microsoft.com/azure/storage/common/storage-connect-azurite (read 2026-11-23)
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def connection_string(port: int) -> str:
    """Name the tables of the Azurite at a port, in the form that Azure's clients take."""
    endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"
    return f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};TableEndpoint={endpoint};"


def main() -> int:
    """Serve until a signal asks to stop; the exit status is 1 if it cannot start or ends by itself."""
    parser = argparse.ArgumentParser(prog="python -m infra.local.storage", description="Tollgate's local storage.")
    parser.add_argument("--port", type=port_number, default=10002, help="0 picks a free one (default: %(default)s)")
    parser.add_argument("--data-dir", type=Path, help="where the tables are kept (default: in memory)")
    parser.add_argument("--ready-file", type=Path, help="gets the connection string as JSON once it can be used")
    arguments = parser.parse_args()
    data_dir: Path | None = arguments.data_dir
    try:
        with contextlib.ExitStack() as stack:
            locks, place = [], ["--inMemoryPersistence"]
            if data_dir:
                # One that was just left may still be held by an Azurite that saves: that is waited for.
                locks = [stack.enter_context(locked(data_dir, patience_seconds=STOP_SECONDS, holder="a storage"))]
                place = ["--location", str(data_dir.resolve())]
            return asyncio.run(serve(arguments.port, place, locks, arguments.ready_file))
    except LocalError as error:
        sys.stderr.write(f"storage: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"storage: {error.filename}: {error.strerror}; choose another --data-dir or --ready-file\n")
        return 1
    except KeyboardInterrupt:
        return 130


async def serve(port: int, place: Sequence[str], locks: Sequence[int], ready_file: Path | None) -> int:
    """Run Azurite until a signal asks to stop.

    Raises:
        LocalError: It is not installed, the port is taken, or it ended by itself.
    """
    if not AZURITE.exists():
        raise LocalError("Azurite is not installed; run: make setup")
    if port:
        require_free(port)
    port = port or free_port()
    options = ["--silent", "--disableTelemetry", "--skipApiVersionCheck", "--tableHost", "127.0.0.1"]
    command = ["node", str(AZURITE), *options, "--tablePort", str(port), *place]
    try:
        azurite = await Child.start("Azurite", command, stop_signal=signal.SIGINT, keep_open=locks)
    except FileNotFoundError:
        raise LocalError("Node.js is missing; install version 20 or later and run: make setup") from None
    stopping = Stopping(at_once=azurite.kill)
    try:
        if await stopping.unless_asked(asyncio.ensure_future(_until_answering(azurite, port))):
            ready = {"connection_string": connection_string(port), "pid": azurite.process.pid}
            if ready_file:
                write_privately(ready_file, ready)
            print(f"storage: {ready['connection_string']}", flush=True)
            if await stopping.unless_asked(asyncio.ensure_future(azurite.process.wait())) is not None:
                raise LocalError(azurite.failure())
    finally:
        await azurite.stop(STOP_SECONDS)
    return 0


async def _until_answering(azurite: Child, port: int) -> bool:
    """Wait until Azurite answers at all, which is 403 to a call that is not signed."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if not azurite.running:
            raise LocalError(azurite.failure())
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", f"/{ACCOUNT}")
            connection.getresponse().read()
            return True
        await asyncio.sleep(0.02)
    raise LocalError(f"Azurite did not answer within {START_SECONDS} s")


if __name__ == "__main__":
    sys.exit(main())
