"""The tools that the set-up needs and where they are found: uv, Python 3.13, Node.

Nothing here is trusted by name: a tool counts as found when it runs, since a version manager's shim may exist for a
version that is not active.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from scripts.steps import ROOT, TOOLS, SetupError, run

NETWORK_ADVICE = "Check the network connection and run it again"
NODE_VERSION_MIN = 20
UV_REQUIREMENTS = ROOT / "scripts" / "uv-requirements.txt"
UV_VERSION_MIN = (0, 9)

_IS_PYTHON_3_13 = "import ssl, ctypes, sys; sys.exit(sys.version_info[:2] != (3, 13) or 't' in sys.abiflags)"


def output_of(*command: str | Path) -> str | None:
    """Run a program for its answer; None if it cannot be run or fails."""
    try:
        done = subprocess.run(
            [str(part) for part in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def version_in(text: str | None) -> tuple[int, ...]:
    """Read the first dotted version out of a program's answer; empty if it has none."""
    found = re.search(r"\d+(?:\.\d+)+", text or "")
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def uv() -> Path:
    """Find uv on the PATH or in `.tools/uv`, and install it there otherwise.

    Raises:
        SetupError: This Python cannot make environments, or the packages cannot be fetched.
    """
    on_path = shutil.which("uv")
    if on_path and version_in(output_of(on_path, "--version")) >= UV_VERSION_MIN:
        return Path(on_path)
    home = TOOLS / "uv"
    installed = home / "bin" / "uv"
    wanted = version_in(UV_REQUIREMENTS.read_text())
    if version_in(output_of(installed, "--version")) != wanted:
        advice = "Install uv yourself, or this Python's venv and pip modules (Debian: apt-get install python3-venv)"
        run(sys.executable, "-m", "venv", "--clear", home, advice=advice)
        options = ["--disable-pip-version-check", "--quiet", "--require-hashes", "--requirement", str(UV_REQUIREMENTS)]
        run(home / "bin/python", "-m", "pip", "install", *options, advice=NETWORK_ADVICE)
    return installed


def python_3_13() -> str:
    """Find a Python 3.13 that runs; "3.13", which tells uv to fetch one, where there is none."""
    for candidate in _python_candidates():
        if output_of(candidate, "-c", _IS_PYTHON_3_13) is not None:
            return str(candidate)
    return "3.13"


def _python_candidates() -> Iterator[Path]:
    on_path = shutil.which("python3.13")
    if on_path:
        yield Path(on_path)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(
        pyenv.glob("versions/3.13*/bin/python"), key=lambda path: version_in(path.parts[-3]), reverse=True
    )


def node_package_manager() -> str:
    """Find npm, beside a Node that is new enough.

    Raises:
        SetupError: One of them is missing or too old.
    """
    advice = f"Install Node.js {NODE_VERSION_MIN} or later with npm (Azurite, the local storage, runs on it)"
    version = version_in(output_of("node", "--version"))
    if not version:
        raise SetupError(f"Node.js is missing. {advice}")
    if version[0] < NODE_VERSION_MIN:
        raise SetupError(f"Node.js {'.'.join(map(str, version))} is too old. {advice}")
    found = shutil.which("npm")
    if not found:
        raise SetupError(f"npm is missing. {advice}")
    return found
