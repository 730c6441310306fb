"""Processes of the local stack as tests run them: started, waited for, stopped whatever happens."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NAMESPACE_SECRET = "the namespace secret of the tests 01"
LEDGER_SECRET = "k1:the ledger's secret of the tests 0123"
READY_SECONDS = 60
STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Running:
    """A started module of the local stack and what its ready file says; `data_dir` is None where it keeps nothing."""

    process: subprocess.Popen[str]
    output: Path
    data_dir: Path | None = None
    ready: dict[str, Any] = field(default_factory=dict)


@contextlib.contextmanager
def running_module(
    module: str,
    folder: Path,
    *options: str,
    data_dir: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Running]:
    """Start `python -m module` and wait until it is ready; stop it at the end, unless it has ended by then."""
    folder.mkdir(parents=True, exist_ok=True)
    ready_file, output = folder / "ready.json", folder / "output.txt"
    ready_file.unlink(missing_ok=True)
    command: Sequence[str] = [sys.executable, "-m", module, "--ready-file", str(ready_file), *options]
    with output.open("w") as file:
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, text=True, env=environment)
    try:
        running = Running(process, output, data_dir, _ready(process, ready_file, output))
        yield running
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _ready(process: subprocess.Popen[str], ready_file: Path, output: Path) -> dict[str, Any]:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if ready_file.exists():
            content: dict[str, Any] = json.loads(ready_file.read_text())
            return content
        if process.poll() is not None:
            raise AssertionError(f"it ended with status {process.returncode}:\n{output.read_text()}")
        time.sleep(0.02)
    raise AssertionError(f"it was not ready after {READY_SECONDS} s:\n{output.read_text()}")


@contextlib.contextmanager
def running_storage(folder: Path) -> Iterator[str]:
    """Run an Azurite in memory on a free port; yields its connection string."""
    with running_module("infra.local.storage", folder, "--port", "0") as storage:
        yield storage.ready["connection_string"]


@contextlib.contextmanager
def running_stack(folder: Path, *options: str) -> Iterator[Running]:
    """Run a whole local stack on free ports, with its data in the folder, where a later one finds it again."""
    data_dir = folder / "data"
    arguments = ["--port", "0", "--data-dir", str(data_dir), *options]
    with running_module("infra.local", folder, *arguments, data_dir=data_dir) as stack:
        yield stack
