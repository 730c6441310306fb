"""The clients, how each is driven, and what it saw.

A client is a folder here with a driver, `drive.py` or `drive.mjs`, and locked requirements, from which set-up makes an
environment of its own. The driver holds nothing of Tollgate; it is told where to call and with which keys, and its last
line of output says, row by row and check by check, what came of it (`driving/checks.py`).
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from scripts.setup import STAMPS, client_steps
from scripts.steps import TOOLS, failure_of
from tests.clients.deployment import Deployment
from tests.running import ROOT

FOLDER = ROOT / "tests/clients"
DRIVE_SECONDS = 180
AT_ONCE = 2
LONGEST = "prefect"  # nearly as long as all others together, so it begins
OUTPUT_CHARACTERS_MAX = 3_000


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of one check.

    Attributes:
        note: what the table says of a check that passed, where "yes" would say too little.
    """

    passed: bool
    saw: str
    note: str = ""


type Rows = Mapping[str, Mapping[str, Seen]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a client's driver came back with: rows, or the problem that kept it from making any."""

    rows: Rows = field(default_factory=dict)
    problem: str = ""

    @property
    def failures(self) -> list[str]:
        """What is wrong, a line each."""
        failed = [
            f"{row}, {check}: {seen.saw}"
            for row, checks in self.rows.items()
            for check, seen in checks.items()
            if not seen.passed
        ]
        return [self.problem, *failed] if self.problem else failed


def clients() -> list[str]:
    """List the clients by the names of their folders."""
    return sorted(driver.parent.name for driver in FOLDER.glob("*/drive.*"))


def drive(client: str, tell: Callable[[str], Mapping[str, str]], folder: Path, stamps: Path = STAMPS) -> Outcome:
    """Run a client's driver in an empty folder that serves as its home; `tell` makes what it has to know."""
    reason = failure_of(dict(client_steps())[client], stamps)
    if reason is not None:
        return Outcome(problem=f"not installed: {reason}. To install it: python3 -m scripts.setup --for test")
    folder.mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": str(FOLDER / "driving"),
        **tell(client),
    }
    try:
        done = subprocess.run(
            _command(client),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DRIVE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Outcome(problem=f"the driver was not done after {DRIVE_SECONDS} s")
    return read_outcome(done.returncode, done.stdout, done.stderr)


def _command(client: str) -> list[Path | str]:
    home = TOOLS / "clients" / client
    if (FOLDER / client / "drive.py").exists():
        return [home / "bin/python", FOLDER / client / "drive.py"]
    return ["node", FOLDER / client / "drive.mjs"]


def read_outcome(status: int, output: str, errors: str) -> Outcome:
    """Read the last line of a driver's output."""
    try:
        report = json.loads(output.strip().rpartition("\n")[2])
        rows = {row: {check: Seen(**seen) for check, seen in checks.items()} for row, checks in report.items()}
    except (ValueError, TypeError, AttributeError):
        rows = {}
    if status == 0 and rows:
        return Outcome(rows)
    told = (errors.strip() or output.strip() or "it said nothing")[-OUTPUT_CHARACTERS_MAX:]
    return Outcome(rows, f"the driver ended with status {status}: {told}")


class Drivers:
    """Drives clients, each once, a few at a time, and remembers what came of it."""

    def __init__(self, deployment: Deployment, folder: Path) -> None:
        self._deployment, self._folder = deployment, folder
        self._threads = ThreadPoolExecutor(AT_ONCE)
        self._started: dict[str, Future[Outcome]] = {}

    def start(self, wanted: Iterable[str]) -> None:
        """See to it that these clients are driven."""
        for client in sorted(wanted, key=lambda name: (name != LONGEST, name)):
            if client not in self._started:
                told = self._deployment.environment
                self._started[client] = self._threads.submit(drive, client, told, self._folder / client)

    def outcome(self, client: str) -> Outcome:
        """Wait for what came of a client."""
        self.start([client])
        return self._started[client].result()

    def close(self) -> None:
        """Start no more, and wait for those that run."""
        self._threads.shutdown(cancel_futures=True)
