"""Make everything that running or testing Tollgate needs, inside the project's folder.

`python -m scripts.setup --for run` makes what the local stack needs; `--for test` adds the environments of the client
programs that the tests drive, and a browser. Doing it again is a matter of milliseconds (see `scripts/steps.py`).

A client or a tool that only some tests need and that cannot be installed is told and passed over: everything else can
be tested without it, and its own tests fail with the reason.
"""

import argparse
import fcntl
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from scripts import toolchain
from scripts.browser import browser_note
from scripts.sandbox import bubblewrap_note
from scripts.steps import ROOT, TOOLS, SetupError, Step, attempt, perform, run
from scripts.toolchain import NETWORK_ADVICE

STAMPS = TOOLS / "stamps"
CLIENTS = ROOT / "tests/clients"
CLIENTS_AT_ONCE = 2  # while one waits for the network or for the disk, another goes on
NODE_INPUTS = ("package.json", "package-lock.json")


def main() -> int:
    """Do what is left to do and report each step's time; the exit status is 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.setup", description="Set Tollgate up in this folder.")
    parser.add_argument("--for", dest="purpose", choices=("run", "test"), default="run", help="what to set up for")
    purpose: str = parser.parse_args().purpose
    started = time.monotonic()
    try:
        with alone():
            busy = [perform(step, STAMPS, _announce) for step in steps()]
            if purpose == "test":
                with ThreadPoolExecutor(CLIENTS_AT_ONCE) as threads:
                    busy += threads.map(_install_optional, optional_steps())
            notes = [bubblewrap_note(STAMPS, _announce)]
            if purpose == "test":
                notes.append(browser_note(STAMPS, _announce))
    except SetupError as error:
        sys.stderr.write(f"\nsetup: {error}.\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nsetup: interrupted; run it again to go on.\n")
        return 130
    for note in filter(None, notes):
        print(f"note: {note}")
    if any(busy):
        print(f"Set up in {time.monotonic() - started:.1f} s.")
    return 0


@contextmanager
def alone() -> Iterator[None]:
    """Keep other set-ups of this folder waiting: two at once would build the same environment over each other."""
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def steps() -> Iterator[Step]:
    """List what running needs, in the order in which it is needed."""
    yield environment_step(ROOT / ".venv", ROOT / "requirements-dev.txt")
    yield Step("tollgate itself", ROOT / ".venv/bin/tollgate", (ROOT / "pyproject.toml",), _install_project)
    # The sandbox shows sessions their environment read-only: what is not compiled now is compiled at every start.
    session_requirements = ROOT / "infra/local/session-requirements.txt"
    yield environment_step(TOOLS / "session-python", session_requirements, "--compile-bytecode")
    azurite = TOOLS / "azurite"
    started_by = azurite / "node_modules/azurite/dist/src/table/main.js"
    yield packages_step("azurite", azurite, ROOT / "infra/local/azurite", started_by)


def client_steps() -> Iterator[tuple[str, Step]]:
    """List the clients that tests drive, by the names of their folders, and how each is installed."""
    for folder in sorted(path for path in CLIENTS.iterdir() if path.is_dir()):
        home = TOOLS / "clients" / folder.name
        if (folder / "requirements.txt").exists():
            yield folder.name, environment_step(home, folder / "requirements.txt")
        elif (folder / "package-lock.json").exists():
            made = home / "node_modules/.package-lock.json"  # npm writes it last
            yield folder.name, packages_step(str(home.relative_to(ROOT)), home, folder, made)


def validator_step() -> Step:
    """Say how the official validator of FOCUS files is installed."""
    return environment_step(TOOLS / "focus-validator", ROOT / "tests/tools/focus/requirements.txt")


def checks_step() -> Step:
    """Say how what checks the project from outside is installed: pip-audit, checkov, azure-functions-doctor."""
    return environment_step(TOOLS / "checks", ROOT / "tests/tools/checks/requirements.txt")


def deployed_step() -> Step:
    """Say how the environment that a deployment gets is made: nothing but what `requirements.txt` names."""
    return environment_step(TOOLS / "deployed", ROOT / "requirements.txt")


def optional_steps() -> Iterator[tuple[str, Step]]:
    """List what only some tests need, with what it is called."""
    yield from ((f"the client {name}", step) for name, step in client_steps())
    for name, step in (
        ("the FOCUS validator", validator_step()),
        ("the set of checking tools", checks_step()),
        ("the environment of a deployment", deployed_step()),
    ):
        if all(path.exists() for path in step.inputs):
            yield name, step


def environment_step(home: Path, requirements: Path, *options: str) -> Step:
    """Make a Python 3.13 environment with exactly what a hash-locked requirements file names."""

    def build() -> None:
        uv = toolchain.uv()
        run(uv, "venv", "--clear", "--python", toolchain.python_3_13(), home, advice=NETWORK_ADVICE)
        sync = ["pip", "sync", "--require-hashes", *options, "--python", str(home / "bin/python")]
        run(uv, *sync, requirements, advice=NETWORK_ADVICE)

    return Step(str(home.relative_to(ROOT)), home / "bin/python", (requirements,), build)


def packages_step(title: str, home: Path, source: Path, result: Path) -> Step:
    """Install exactly the npm packages that the lock file in the source folder names."""

    def build() -> None:
        npm = toolchain.node_package_manager()
        home.mkdir(parents=True, exist_ok=True)
        for name in NODE_INPUTS:
            shutil.copyfile(source / name, home / name)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        run(npm, "ci", "--prefix", home, *options, advice=NETWORK_ADVICE)

    return Step(title, result, tuple(source / name for name in NODE_INPUTS), build)


def _install_project() -> None:
    options = ["--no-deps", "--python", str(ROOT / ".venv/bin/python"), "--editable", str(ROOT)]
    run(toolchain.uv(), "pip", "install", *options, advice=NETWORK_ADVICE)


def _install_optional(wanted: tuple[str, Step]) -> bool:
    name, step = wanted
    if step.is_done(STAMPS):
        return False
    told: list[str] = []
    reason = attempt(step, STAMPS, told.append)
    _announce("".join(told))  # at once, since another one is being installed beside it
    if reason is not None:
        sys.stderr.write(f"setup: {name} is not installed, so its tests will fail: {reason}.\n")
    return True


def _announce(text: str) -> None:
    print(text, end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
