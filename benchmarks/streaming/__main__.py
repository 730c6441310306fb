"""Make the environment that the extension is measured in, and go on in there: `python -m benchmarks.streaming`."""

import fcntl
import os
import sys
from pathlib import Path

from benchmarks.streaming.options import parse
from scripts.setup import STAMPS, environment_step
from scripts.steps import TOOLS, SetupError, perform

HOME = TOOLS / "streaming-python"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def main() -> None:
    """Become the run, or end with status 1 if there is no environment for it."""
    parse()
    TOOLS.mkdir(exist_ok=True)
    try:
        with (TOOLS / "setup.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            perform(environment_step(HOME, REQUIREMENTS), STAMPS, _tell)
    except SetupError as error:
        sys.exit(f"benchmarks: {error}")
    python = str(HOME / "bin/python")
    os.execv(python, [python, "-m", "benchmarks.streaming.run", *sys.argv[1:]])  # noqa: S606 -- its own program


def _tell(progress: str) -> None:
    sys.stderr.write(progress)
    sys.stderr.flush()


if __name__ == "__main__":
    main()
