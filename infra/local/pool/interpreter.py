"""Which Python the sessions run, and what it offers.

The sessions have an environment of their own, so that code in them finds plotting and tables but none of the
gateway's libraries. Where it has not been set up, the pool's own interpreter serves if it has ipykernel.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.local.pool.errors import StartError
from infra.local.pool.settings import own_interpreter

_QUESTION = """
import importlib.metadata, json, platform, sys
packages = sorted({(d.name, d.version) for d in importlib.metadata.distributions()})
print(json.dumps([platform.python_version(), sys.prefix, sys.base_prefix, packages]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python that sessions can run.

    Attributes:
        python: the program.
        folders: what a sandbox has to show of the file system so that it runs: environment and installation.
        version: its version, `3.13.0`.
        packages: names and versions of what is installed for it.
    """

    python: Path
    folders: tuple[Path, ...]
    version: str
    packages: tuple[tuple[str, str], ...]


def find_interpreter(wanted: Path | None) -> Interpreter:
    """Describe the interpreter of the sessions.

    Raises:
        StartError: it is missing, does not start, or lacks ipykernel.
    """
    python = wanted or (own_interpreter() if own_interpreter().exists() else Path(sys.executable))
    try:
        answer = subprocess.run(
            [python, "-I", "-c", _QUESTION], capture_output=True, text=True, timeout=60, check=True
        ).stdout
        version, prefix, base_prefix, packages = json.loads(answer)
    except (OSError, ValueError, subprocess.SubprocessError) as failure:
        raise StartError(f"the sessions' interpreter {python} does not run: {failure}") from failure
    if "ipykernel" not in {name.lower() for name, _ in packages}:
        raise StartError(f"the sessions' interpreter {python} lacks ipykernel: run the set-up again")
    # An installation is often reached through a link, and links inside the environment name its real place.
    folders = {Path(prefix), Path(base_prefix), Path(prefix).resolve(), Path(base_prefix).resolve()}
    return Interpreter(
        python=python.absolute(),
        folders=tuple(sorted(folder for folder in folders if not folder.is_relative_to("/usr"))),
        version=version,
        packages=tuple((name, found) for name, found in packages),
    )
