"""What the sessions run, and what it offers: a Python, a Node.js, a shell, or the operator's own program.

Python sessions have an environment of their own, so that code in them finds plotting and tables but none of the
gateway's libraries. Where it has not been set up, the pool's own interpreter serves if it has ipykernel. Shell sessions
run on it too, and find it as `python3`.
"""

import json
import platform
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.local.pool.errors import StartError
from infra.local.pool.settings import PoolSettings, own_interpreter

_OLDEST_NODE = 20
_QUESTION = """
import importlib.metadata, json, platform, sys
packages = sorted({(d.name, d.version) for d in importlib.metadata.distributions()})
print(json.dumps([platform.python_version(), sys.prefix, sys.base_prefix, packages]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluator:
    """What evaluates the code, as `/metadata` names it: the API knows it as a Jupyter kernel, whatever it is."""

    name: str
    version: str
    url: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """Something that code in sessions can run on.

    Attributes:
        name: what `/metadata` calls it.
        version: its version, `3.13.0`.
        program: the executable that evaluates code, or that runs the program which does.
        folders: what a sandbox has to show of the file system so that it runs.
        packages: names and versions of what is installed for it.
    """

    name: str
    version: str
    program: Path
    folders: tuple[Path, ...]
    packages: tuple[tuple[str, str], ...]
    evaluator: Evaluator


@dataclass(frozen=True, slots=True)
class ContainerProgram:
    """The operator's program, as a command line in parts."""

    command: tuple[str, ...]


def find_runtime(settings: PoolSettings) -> Runtime | ContainerProgram:
    """Find what the sessions of this kind of pool run.

    Raises:
        StartError: it is missing, does not start, or lacks something.
    """
    match settings.kind:
        case "python":
            return _python(settings.python)
        case "node":
            return _node(settings.node)
        case "shell":
            return _shell(settings.python)
        case "custom":
            return _container(settings.container or "")


def _python(wanted: Path | None) -> Runtime:
    python = wanted or (own_interpreter() if own_interpreter().exists() else Path(sys.executable))
    try:
        version, prefix, base_prefix, packages = json.loads(_answer(python, "-I", "-c", _QUESTION))
    except ValueError as failure:
        raise StartError(f"the sessions' interpreter {python} is no Python: {failure}") from failure
    versions = {name.lower(): found for name, found in packages}
    if "ipykernel" not in versions:
        raise StartError(f"the sessions' interpreter {python} lacks ipykernel: run the set-up again")
    # An installation is often reached through a link, and links inside the environment name its real place.
    folders = {Path(prefix), Path(base_prefix), Path(prefix).resolve(), Path(base_prefix).resolve()}
    return Runtime(
        name="python",
        version=version,
        program=python.absolute(),
        folders=tuple(sorted(folder for folder in folders if not _is_shown(folder))),
        packages=tuple((name, found) for name, found in packages),
        evaluator=Evaluator(
            name="ipykernel",
            version=versions["ipykernel"],
            url="https://github.com/ipython/ipykernel",
            description="IPython kernel for Jupyter",
        ),
    )


def _node(wanted: Path | None) -> Runtime:
    found = wanted or shutil.which("node")
    if found is None:
        raise StartError("there is no node on the path: install Node.js, or name it in TOLLGATE_LOCAL_POOL_NODE")
    # The program alone is shown, for what lies around it may be the user's own folder.
    node = Path(found).resolve()
    version = _answer(node, "--version").strip().removeprefix("v")
    if not version.partition(".")[0].isdecimal() or int(version.partition(".")[0]) < _OLDEST_NODE:
        raise StartError(f"{node} is no Node.js of version {_OLDEST_NODE} or newer: it says {version!r}")
    return Runtime(
        name="node",
        version=version,
        program=node,
        folders=() if _is_shown(node) else (node,),
        packages=(),
        evaluator=Evaluator(
            name="node", version=version, url="https://nodejs.org", description="JavaScript as Node.js evaluates it"
        ),
    )


def _shell(wanted: Path | None) -> Runtime:
    python = _python(wanted)
    try:
        system = platform.freedesktop_os_release()
    except OSError:
        system = {}
    name, version = system.get("NAME", "Linux"), system.get("VERSION_ID", platform.release())
    return Runtime(
        name=name,
        version=version,
        program=python.program,
        folders=python.folders,
        packages=(),
        evaluator=Evaluator(
            name="sh",
            version=version,
            url="https://pubs.opengroup.org/onlinepubs/9799919799",
            description="Commands of the shell",
        ),
    )


def _container(command_line: str) -> ContainerProgram:
    setting = f"TOLLGATE_LOCAL_POOL_CONTAINER={command_line!r}"
    try:
        command = tuple(shlex.split(command_line))
    except ValueError as failure:
        raise StartError(f"{setting} is no command line: {failure}") from failure
    if not command:
        raise StartError(f"{setting}: a custom pool needs the command line of its container's program")
    program = shutil.which(command[0])
    if program is None:
        raise StartError(f"{setting}: there is no program {command[0]!r}")
    return ContainerProgram((str(Path(program).absolute()), *command[1:]))


def _answer(program: Path, *arguments: str) -> str:
    try:
        return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=True).stdout
    except (OSError, ValueError, subprocess.SubprocessError) as failure:
        raise StartError(f"the sessions' interpreter {program} does not run: {failure}") from failure


def _is_shown(path: Path) -> bool:
    """Say whether every sandbox shows this anyway."""
    return path.is_relative_to("/usr")
