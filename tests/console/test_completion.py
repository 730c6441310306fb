"""What the shell completes, and what the command line says of itself."""

import shlex
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest

from metering.clock import utc_now
from metering.periods import Period
from tests.console.terminals import Terminal
from tests.running import ROOT


def completed(words: str) -> list[str]:
    """Complete the last word of a command line, as Bash asks for it."""
    count = len(words.split(" ")) - 1
    environment = {"_TOLLGATE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(count)}
    with Terminal(environment).start(stdout=PIPE, stderr=PIPE) as process:
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, b"")
    return output.decode().split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("tollgate re", {"report", "reconcile"}),
        ("tollgate alerts ", {"list", "deliver", "webhook"}),
        ("tollgate sessions ", {"list", "end"}),
        ("tollgate report --m", {"--month"}),
        ("tollgate usage show ", set()),
    ],
)
def test_commands_and_options_are_completed(words: str, found: set[str]) -> None:
    assert set(completed(words)) == found


@pytest.mark.parametrize("words", ["tollgate report --month ", "tollgate close ", "tollgate usage show acme --period "])
def test_months_are_completed_with_the_last_ones(words: str) -> None:
    months = completed(words)

    assert months[0] == str(Period.of(utc_now()))
    assert len(months) == 13
    assert months == sorted(months, reverse=True)


def test_the_script_for_a_shell_is_printed() -> None:
    with Terminal({"_TOLLGATE_COMPLETE": "source_bash"}).start(stdout=PIPE) as process:
        sourced, _ = process.communicate(timeout=60)
    asked = f"{shlex.quote(sys.executable)} -c 'from console.main import main; main()' --show-completion; true"
    shown = subprocess.run(["bash", "-c", asked], cwd=ROOT, capture_output=True, check=True)

    assert b"_TOLLGATE_COMPLETE=complete_bash" in sourced
    assert shown.stdout.strip() == sourced.strip()


def test_completion_is_installed_in_the_users_own_files(tmp_path: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -m console --install-completion; true"
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    subprocess.run(["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, check=True)

    script = tmp_path / ".bash_completions" / "tollgate.sh"
    assert "_TOLLGATE_COMPLETE=complete_bash" in script.read_text()
    assert str(script) in (tmp_path / ".bashrc").read_text()


def test_the_version_is_told() -> None:
    ended = Terminal().run("--version")

    assert (ended.status, ended.output) == (0, "tollgate 0.1.0\n")
