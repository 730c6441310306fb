"""Set-up: what is done, what is not done again, and what is said when it cannot be done.

The programs that need a network are stand-ins on a PATH of their own; everything else is the real set-up.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.sandbox import NOTE, bubblewrap_note
from scripts.steps import ROOT, SetupError, Step, attempt, failure_of, perform, reason_in, run
from scripts.toolchain import version_in

UV = """#!/bin/sh
echo "$@" >> "$CALLS"
for last; do :; done
case "$*" in
  --version) echo "uv 9.9.9" ;;
  venv*) mkdir -p "$last/bin" && touch "$last/bin/python" ;;
  *install*) touch "$last/.venv/bin/tollgate" ;;
esac
"""
NPM = """#!/bin/sh
echo "npm $@" >> "$CALLS"
mkdir -p "$3/node_modules/azurite/dist/src/table" && touch "$3/node_modules/azurite/dist/src/table/main.js"
touch "$3/node_modules/.package-lock.json"
"""
FAILING_FOR_EXAMPLE = """#!/bin/sh
case "$*" in
  *clients/example*) echo "error: no such host"; exit 2 ;;
esac
"""
INPUTS = (
    "pyproject.toml",
    "requirements-dev.txt",
    "infra/local/session-requirements.txt",
    "infra/local/azurite/package.json",
    "infra/local/azurite/package-lock.json",
)


@dataclass(frozen=True, slots=True)
class Clone:
    """A fresh copy of what the set-up reads, with stand-ins for the programs it calls."""

    folder: Path
    programs: Path

    def program(self, name: str, text: str) -> None:
        """Put a program on the clone's PATH."""
        self.programs.mkdir(exist_ok=True)
        (self.programs / name).write_text(text)
        (self.programs / name).chmod(0o755)

    def set_up(self, purpose: str = "run") -> subprocess.CompletedProcess[str]:
        """Run the set-up there."""
        environment = {"PATH": f"{self.programs}:/usr/bin:/bin", "CALLS": str(self.programs / "calls"), "HOME": "/"}
        return subprocess.run(
            [sys.executable, "-m", "scripts.setup", "--for", purpose],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def client(self, name: str, *files: str) -> Path:
        """Add a client with these files; returns where it is to be installed."""
        folder = self.folder / "tests/clients" / name
        folder.mkdir()
        for file in files:
            (folder / file).write_text("{}")
        return self.folder / ".tools/clients" / name

    def calls(self) -> list[str]:
        """Take the calls of the stand-ins since the last time."""
        calls = self.programs / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        calls.unlink(missing_ok=True)
        return [line for line in lines if line != "--version"]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    folder = tmp_path / "a folder with spaces"
    shutil.copytree(ROOT / "scripts", folder / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    for name in INPUTS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    clone = Clone(folder, tmp_path / "programs")
    (folder / "tests/clients").mkdir(parents=True)
    clone.program("uv", UV)
    clone.program("npm", NPM)
    clone.program("node", "#!/bin/sh\necho v20.1.0\n")
    clone.program("bwrap", "#!/bin/sh\n")
    clone.program("chromium", "#!/bin/sh\necho Chromium 1.2.3\n")
    return clone


def test_a_first_set_up_makes_everything_and_a_second_one_nothing(clone: Clone) -> None:
    first = clone.set_up()
    assert (first.returncode, first.stderr) == (0, "")
    assert len(clone.calls()) == 6
    assert (clone.folder / ".venv/bin/tollgate").exists()

    second = clone.set_up()
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert clone.calls() == []


def test_only_what_depends_on_a_changed_input_is_made_again(clone: Clone) -> None:
    clone.set_up()
    clone.calls()
    with (clone.folder / "infra/local/session-requirements.txt").open("a") as file:
        file.write("# changed\n")

    assert clone.set_up().returncode == 0

    assert [line.split()[0] for line in clone.calls()] == ["venv", "pip"]


def test_a_moved_folder_is_set_up_again(clone: Clone) -> None:
    clone.set_up()
    clone.calls()
    moved = Clone(clone.folder.rename(clone.folder.with_name("elsewhere")), clone.programs)

    assert moved.set_up().returncode == 0

    assert len(moved.calls()) >= 3


def test_clients_are_set_up_for_tests_only(clone: Clone) -> None:
    python, node = clone.client("python", "requirements.txt"), clone.client("node", "package.json", "package-lock.json")

    clone.set_up("run")
    assert not (clone.folder / ".tools/clients").exists()

    clone.set_up("test")
    assert (python / "bin/python").exists()
    assert (node / "package-lock.json").exists()
    assert (node / "node_modules").exists()
    clone.calls()

    again = clone.set_up("test")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    assert clone.calls() == []


def test_a_client_that_cannot_be_installed_is_told_in_one_line_and_nothing_else_is_missing(clone: Clone) -> None:
    failing, other = clone.client("example", "requirements.txt"), clone.client("other", "requirements.txt")
    clone.program("uv", FAILING_FOR_EXAMPLE + UV.removeprefix("#!/bin/sh\n"))

    done = clone.set_up("test")

    assert done.returncode == 0
    reason = "uv failed: error: no such host. Check the network connection and run it again"
    assert done.stderr == f"setup: the client example is not installed, so its tests will fail: {reason}.\n"
    assert not failing.exists()
    assert (other / "bin/python").exists()
    assert (clone.folder / ".venv/bin/tollgate").exists()
    clone.program("uv", UV)
    clone.calls()

    again = clone.set_up("test")
    assert (again.returncode, again.stderr) == (0, "")
    assert {line.split()[0] for line in clone.calls()} == {"venv", "pip"}
    assert (failing / "bin/python").exists()


def test_a_step_that_was_attempted_says_why_it_cannot_be_used_until_it_can(tmp_path: Path) -> None:
    result, stamps = tmp_path / "result", tmp_path / "stamps"

    def without_network() -> None:
        raise SetupError("uv failed: no such host")

    failing, working = (Step("step", result, (), build) for build in (without_network, result.touch))
    assert failure_of(failing, stamps) == "it was not set up with these requirements"
    assert attempt(failing, stamps, lambda _: None) == "uv failed: no such host"
    assert failure_of(failing, stamps) == "uv failed: no such host"

    assert attempt(working, stamps, lambda _: None) is None
    assert failure_of(working, stamps) is None
    result.unlink()
    assert failure_of(working, stamps) == "it was not set up with these requirements"


def test_a_failed_step_ends_in_one_line_and_is_done_by_the_next_set_up(clone: Clone) -> None:
    clone.program("npm", "#!/bin/sh\necho 'npm error network is unreachable'\nexit 1\n")
    failed = clone.set_up()
    assert failed.returncode == 1
    assert failed.stderr.strip().splitlines() == [
        "setup: npm failed: npm error network is unreachable. Check the network connection and run it again."
    ]
    clone.program("npm", NPM)
    clone.calls()

    assert clone.set_up().returncode == 0

    assert [line.split()[0] for line in clone.calls()] == ["npm"]


@pytest.mark.parametrize(
    ("node", "said"),
    [("#!/bin/sh\necho v18.20.0\n", "Node.js 18.20.0 is too old"), ("#!/bin/sh\nexit 127\n", "Node.js is missing")],
)
def test_a_node_that_does_not_serve_is_named_with_the_version_to_install(clone: Clone, node: str, said: str) -> None:
    clone.program("node", node)

    failed = clone.set_up()

    assert failed.returncode == 1
    assert said in failed.stderr
    assert "Install Node.js 20 or later" in failed.stderr


def test_a_shim_without_a_python_behind_it_is_passed_over_for_one_that_runs(tmp_path: Path) -> None:
    shims = tmp_path / "shims"
    kept = tmp_path / "pyenv/versions/3.13.7/bin"
    for folder, name, target in ((shims, "python3.13", "/bin/false"), (kept, "python", sys.executable)):
        folder.mkdir(parents=True)
        (folder / name).symlink_to(target)
    environment = {**os.environ, "PATH": f"{shims}:/usr/bin:/bin", "PYENV_ROOT": str(tmp_path / "pyenv")}

    found = subprocess.run(
        [sys.executable, "-c", "from scripts import toolchain; print(toolchain.python_3_13())"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout.strip() == str(kept / "python")


def test_an_interrupted_step_leaves_no_stamp(tmp_path: Path) -> None:
    result = tmp_path / "result"

    def interrupted() -> None:
        result.touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        perform(Step("step", result, (), interrupted), tmp_path / "stamps", lambda _: None)

    again: list[str] = []
    assert perform(Step("step", result, (), lambda: again.append("done")), tmp_path / "stamps", lambda _: None)
    assert again == ["done"]


def test_a_step_that_makes_nothing_has_failed(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="was not made"):
        perform(Step("step", tmp_path / "missing", (), lambda: None), tmp_path / "stamps", lambda _: None)


def test_a_program_that_is_not_there_is_named_with_the_advice() -> None:
    with pytest.raises(SetupError, match="no-such-program does not start .* Install it"):
        run("no-such-program", advice="Install it")


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("error: cannot fetch\n  Caused by: no such host\n", "Caused by: no such host"),
        ("npm error code ENOTFOUND\nnpm error A complete log of this run is elsewhere\n", "npm error code ENOTFOUND"),
        (
            "npm error code ENOENT\nnpm error path a\nnpm error enoent ENOENT: no such file\nnpm error enoent Advice\n",
            "npm error enoent ENOENT: no such file",
        ),
        ("", "it gave no reason"),
    ],
)
def test_the_reason_is_the_line_that_tells_most(output: str, reason: str) -> None:
    assert reason_in(output) == reason


@pytest.mark.parametrize(("text", "version"), [("v20.20.2", (20, 20, 2)), ("uv 0.9.1 (abc)", (0, 9, 1)), (None, ())])
def test_versions_are_read_from_what_programs_say(text: str | None, version: tuple[int, ...]) -> None:
    assert version_in(text) == version


def test_where_bubblewrap_cannot_be_had_a_note_is_given_and_the_attempt_is_made_once(tmp_path: Path) -> None:
    attempts: list[tuple[object, ...]] = []

    def refused(*command: object, advice: str) -> str:
        attempts.append(command)
        raise SetupError(advice)

    def find(name: str) -> str | None:
        return "/usr/bin/apt-get" if name == "apt-get" else None

    notes = [bubblewrap_note(tmp_path, lambda _: None, find, refused) for _ in range(2)]

    assert notes == [NOTE, NOTE]
    assert len(attempts) == 1
