"""The package of a deployment holds what a request needs and nothing else, whichever tool packs it."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.package import IGNORE_FILE, build_package, packaged_files
from scripts.steps import ROOT
from tests.test_tidy import project_files
from tests.tidy_rules import Module

STATIC = "console/dashboard/static/"
LICENCE = f"{STATIC}vendor/uplot/LICENSE.txt"  # goes wherever the files that it is about go
JUNK = (
    ".azure/production/.env",
    ".coverage",
    ".coverage.host.1.x",
    ".env",
    ".funcignore",
    ".gitignore",
    ".local/azurite/table.json",
    ".venv/lib/python3.13/site-packages/example.py",
    "README.md",
    "__pycache__/function_app.cpython-313.pyc",
    "azure.yaml",
    "console/.DS_Store",
    "console/__pycache__/wiring.cpython-313.pyc",
    "console/commands/keys.py",
    "console/dashboard/notes.md",
    "docs/images/dashboard.png",
    "infra/main.bicep",
    "infra/main.parameters.json",
    "local.settings.json",
    "proxy/mcp/__pycache__/server.cpython-313.pyc",
    "pyproject.toml",
    "requirements-dev.txt",
    "tests/.hidden/example.env",
    "tests/clients/example/drive.py",
    "tollgate.zip",
)


def folder_with(folder: Path, *names: str) -> Path:
    """Make a folder with these files and the project's own list of what is left out."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    shutil.copy(ROOT / IGNORE_FILE, folder)
    return folder


def needed_modules() -> set[str]:
    """Follow the imports from `function_app.py`, those inside functions included, and list the files."""
    by_name: dict[str, Module] = {}
    for path in (ROOT / "function_app.py", *(file for top in ("console", "metering", "proxy") for file in files(top))):
        module = Module(path.relative_to(ROOT).as_posix(), ast.parse(path.read_text()))
        by_name[module.name] = module
    found: set[str] = set()
    names = ["function_app"]
    while names:
        name = names.pop()
        if name in by_name and name not in found:
            found.add(name)
            names += [name.rpartition(".")[0], *by_name[name].imports()]
    return {by_name[name].path for name in found}


def files(top: str) -> list[Path]:
    return [path for path in (ROOT / top).rglob("*.py") if "__pycache__" not in path.parts]


def needed_assets() -> set[str]:
    """The page, and what it, or another part of it, names."""
    paths = [path for path in (ROOT / STATIC).rglob("*") if path.is_file()]
    texts = {path: path.read_text() for path in paths}
    named = {path for path in paths for other, text in texts.items() if other != path and path.name in text}
    return {path.relative_to(ROOT).as_posix() for path in named | {ROOT / STATIC / "index.html"}} | {LICENCE}


def core_tools_take(path: str, ignored: str) -> bool:
    """Say whether Core Tools put a file into the package.

    They read a line as the beginning of paths, where `*` stands for at least one character that is no slash, and `**`
    for any; it ends where a word does, so that `docs/` says nothing of `docs/.hidden`. What they leave out unasked is
    not left to them here.
    """
    lines = [line.strip() for line in ignored.splitlines()]
    patterns = [re.escape(line.removeprefix("/")) for line in lines if line and not line.startswith("#")]
    return not any(
        re.match(pattern.replace(r"\*\*", ".+").replace(r"\*", "[^/]+") + r"\b", path, re.ASCII) for pattern in patterns
    )


def test_a_package_is_what_a_request_needs_and_nothing_else() -> None:
    packaged = set(packaged_files())
    needed = needed_modules() | needed_assets() | {"host.json", "requirements.txt"}

    assert not packaged - needed, f"add to {IGNORE_FILE}: {sorted(packaged - needed)}"
    assert not needed - packaged, f"{IGNORE_FILE} leaves out what is needed: {sorted(needed - packaged)}"


def test_what_only_a_developer_has_stays_at_home_whoever_packs(tmp_path: Path) -> None:
    packaged = list(packaged_files(folder_with(tmp_path, "function_app.py", "console/wiring.py", *JUNK)))

    assert packaged == ["console/wiring.py", "function_app.py"]
    ignored = (ROOT / IGNORE_FILE).read_text()
    assert [name for name in JUNK if core_tools_take(name, ignored)] == []


def test_core_tools_take_the_same_files() -> None:
    ignored = (ROOT / IGNORE_FILE).read_text()
    packaged = set(packaged_files())

    assert {name for name in packaged | set(project_files()) if core_tools_take(name, ignored)} == packaged


def test_the_same_files_make_the_same_package(tmp_path: Path) -> None:
    names = ["function_app.py", "host.json", "console/wiring.py"]
    one, other = folder_with(tmp_path / "one", *names), folder_with(tmp_path / "other", *reversed(names))
    os.utime(other / "host.json", (0, 0))
    (other / "host.json").chmod(0o600)

    assert build_package(one) == build_package(other)

    (other / "host.json").write_text("changed")
    assert build_package(one) != build_package(other)


def test_the_command_lists_the_package_and_writes_it(tmp_path: Path) -> None:
    output = tmp_path / "tollgate.zip"

    done = run_package("--output", str(output))

    assert (done.returncode, done.stderr) == (0, "")
    assert output.read_bytes() == build_package()
    *listed, total = done.stdout.splitlines()
    assert [line.split()[-1] for line in listed] == list(packaged_files())
    assert f"{len(listed)} files" in total


def test_a_package_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    done = run_package("--output", str(tmp_path))

    assert (done.returncode, done.stderr) == (1, f"package: {tmp_path}: Is a directory.\n")


def run_package(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.package", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
