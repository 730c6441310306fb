"""A step of the set-up: what it makes, from which inputs, and whether it has to be done again.

A step leaves a stamp in `.tools/stamps` once everything it makes is there. The stamp is a digest of its inputs and of
the folder, so a step is repeated when an input changes, when the folder was moved (environments hold absolute paths)
and when it was interrupted, and costs a few file reads otherwise.
"""

import hashlib
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"


class SetupError(Exception):
    """The set-up cannot go on; the message is one line that says what to do."""


@dataclass(frozen=True)
class Step:
    """One thing to make.

    `result` must exist afterwards; `inputs` are the files that decide what it looks like, `build` makes it anew
    whatever is there already.
    """

    title: str
    result: Path
    inputs: tuple[Path, ...]
    build: Callable[[], None]

    def digest(self) -> str:
        """Digest the step's inputs, in the order given, and the place of its result."""
        digest = hashlib.sha256(str(self.result).encode())
        for path in self.inputs:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def stamp(self, stamps: Path) -> Path:
        """Say where the step leaves its stamp."""
        return stamps / self.title.replace("/", "-").replace(" ", "-")

    def is_done(self, stamps: Path) -> bool:
        """Say whether the result is there and was made from the inputs as they are now."""
        stamp = self.stamp(stamps)
        return stamp.exists() and stamp.read_text() == self.digest() and self.result.exists()


def perform(step: Step, stamps: Path, announce: Callable[[str], None]) -> bool:
    """Do a step unless its stamp shows that it was done with the same inputs.

    Returns:
        Whether there was anything to do.

    Raises:
        SetupError: It failed. It has no stamp then, so the next set-up starts it afresh.
    """
    if step.is_done(stamps):
        return False
    digest, stamp = step.digest(), step.stamp(stamps)
    stamp.unlink(missing_ok=True)
    started = time.monotonic()
    announce(f"  {step.title} ... ")
    step.build()
    if not step.result.exists():
        raise SetupError(f"{step.title}: {step.result} was not made. Run the set-up again")
    stamps.mkdir(parents=True, exist_ok=True)
    stamp.write_text(digest)
    announce(f"{time.monotonic() - started:.1f} s\n")
    return True


def attempt(step: Step, stamps: Path, announce: Callable[[str], None]) -> str | None:
    """Do a step that everything else can do without.

    Returns:
        Why it failed; `failure_of` tells it later to whoever needs the result. None if it is done.
    """
    kept = _kept_failure(step, stamps)
    kept.unlink(missing_ok=True)
    try:
        perform(step, stamps, announce)
    except SetupError as error:
        announce("failed\n")
        stamps.mkdir(parents=True, exist_ok=True)
        kept.write_text(str(error))
        return str(error)
    return None


def failure_of(step: Step, stamps: Path) -> str | None:
    """Say why a step's result cannot be used: what `attempt` said last; None if it can."""
    if step.is_done(stamps):
        return None
    kept = _kept_failure(step, stamps)
    return kept.read_text() if kept.exists() else "it was not set up with these requirements"


def _kept_failure(step: Step, stamps: Path) -> Path:
    stamp = step.stamp(stamps)
    return stamp.with_name(f"{stamp.name}.failure")


def run(*command: str | Path, advice: str) -> str:
    """Run a program in the project's folder and return what it wrote.

    Raises:
        SetupError: It could not be started or failed: the reason it gave last, and the advice.
    """
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise SetupError(f"{Path(command[0]).name} does not start ({error.strerror}). {advice}") from None
    if done.returncode != 0:
        raise SetupError(f"{Path(command[0]).name} failed: {reason_in(done.stdout)}. {advice}")
    return done.stdout


def reason_in(output: str) -> str:
    """Pick the line that says why out of a failed program's output.

    That is the last one which is not about where logs are; but npm says why first, after codes, and gives advice then.
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "complete log" not in line and "[notice]" not in line]
    if not telling:
        return "it gave no reason"
    npm = [line for line in telling if re.match(r"npm error (?!(?:code|syscall|errno|path|dest) )\S", line)]
    return (npm[0] if npm else telling[-1]).rstrip(".")
