"""The command line for tests: in this process, or as a process of its own on a terminal."""

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from typer.testing import CliRunner

from console.main import app
from tests.running import ROOT

MONEY = {  # what commands on the storage itself count with, as the tests' gateways do
    "TOLLGATE_INCREMENT_SECONDS": "300",
    "TOLLGATE_RATE_PER_SESSION_HOUR": "0.03",
    "TOLLGATE_CURRENCY": "USD",
    "TOLLGATE_POOL_RATE_PER_SESSION_HOUR": "0.03",
    "TOLLGATE_POOL_BILLING_INCREMENT_SECONDS": "3600",
}
NO_SETTINGS = dict.fromkeys(("TOLLGATE_URL", "TOLLGATE_KEY", "TOLLGATE_STORAGE", "TOLLGATE_LEDGER_SECRET", *MONEY), "")
PROCESS_SECONDS = 60


@dataclass(frozen=True)
class Ended:
    """What a command left behind."""

    status: int
    output: str
    errors: str

    @property
    def json(self) -> Any:
        """Read what was printed."""
        return json.loads(self.output)

    @property
    def complaint(self) -> str:
        """The one line on standard error, of a command that printed nothing else."""
        assert self.output == ""
        [line] = self.errors.splitlines()
        assert line.startswith("tollgate: ")
        return line.removeprefix("tollgate: ")


@dataclass(frozen=True)
class Terminal:
    """Runs commands with an environment, and with options added to each."""

    environment: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()

    def run(self, *arguments: str) -> Ended:
        """Run a command in this process; nobody can be asked."""
        environment = {**NO_SETTINGS, **self.environment}
        result = CliRunner().invoke(app, [*arguments, *self.options], env=environment, prog_name="tollgate")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    def done(self, *arguments: str) -> Any:
        """Run a command that prints JSON and nothing else."""
        ended = self.run(*arguments, "--json")
        assert (ended.status, ended.errors) == (0, "")
        return ended.json

    def start(self, *arguments: str, **more: Any) -> subprocess.Popen[bytes]:
        """Start a command as a process."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environment = {**kept, "TERM": "xterm-256color", "COLUMNS": "120", **self.environment}
        command = [sys.executable, "-m", "console", *arguments, *self.options]
        return subprocess.Popen(command, cwd=ROOT, env=environment, **more)


def on_storage(storage: str, ledger_secret: str) -> Terminal:
    """Make a terminal whose commands work on the storage itself."""
    environment = {**MONEY, "TOLLGATE_STORAGE": storage, "TOLLGATE_LEDGER_SECRET": ledger_secret}
    return Terminal(environment, ("--direct",))


@dataclass
class Screen:
    """The far end of a terminal: what a user sees and types."""

    descriptor: int
    seen: str = ""

    def wait_for(self, words: str) -> None:
        """Read until the words are there."""
        while words not in self.seen:
            assert self._read(), self.seen

    def rest(self) -> str:
        """Read until the process has closed the terminal, and return all that was ever on it."""
        while self._read():
            pass
        return self.seen

    def type(self, text: str) -> None:
        """Type, as on a keyboard."""
        os.write(self.descriptor, text.encode())

    def _read(self) -> bool:
        ready, _, _ = select.select([self.descriptor], [], [], PROCESS_SECONDS)
        assert ready, f"nothing more came than {self.seen!r}"
        try:
            content = os.read(self.descriptor, 65_536)
        except OSError:  # how Linux says that nobody holds the terminal any more
            return False
        self.seen += content.decode(errors="replace")
        return bool(content)


@contextmanager
def on_a_terminal(
    terminal: Terminal, *arguments: str, stdout: int | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], Screen]]:
    """Start a command whose standard streams are a terminal, but for standard output if another is given."""
    far, near = pty.openpty()
    process = terminal.start(
        *arguments, stdin=near, stdout=near if stdout is None else stdout, stderr=near, start_new_session=True
    )
    os.close(near)
    try:
        yield process, Screen(far)
        process.wait(PROCESS_SECONDS)
    finally:
        process.kill()
        process.wait()
        os.close(far)
