"""What is made of a driver's output: never a success that was not told, and never a failure that says nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.drivers import FOLDER, Seen, clients, drive, read_outcome
from tests.clients.table import BEGIN, COLUMNS, END, table_in, with_table, write_table

PART = """
from checks import expect, report

class Part:
    def run(self): pass
    def quota(self): return "HTTPError 403"
    def state(self): expect(1, 2)
    def upload(self): raise KeyError("value")
    def _helper(self): raise RuntimeError

class More(Part):
    def list(self): pass

print("noise of the client")
report({"Example 1.0": More()})
"""


def test_one_check_that_fails_hides_no_other_and_is_told() -> None:
    environment = {"PYTHONPATH": str(FOLDER / "driving")}
    done = subprocess.run([sys.executable, "-c", PART], env=environment, capture_output=True, text=True, check=True)

    outcome = read_outcome(done.returncode, done.stdout, done.stderr)

    assert outcome.rows["Example 1.0"] == {
        "run": Seen(passed=True, saw="as expected"),
        "quota": Seen(passed=True, saw="as expected", note="HTTPError 403"),
        "state": Seen(passed=False, saw="AssertionError: saw 1 instead of 2"),
        "upload": Seen(passed=False, saw="KeyError: 'value'"),
        "list": Seen(passed=True, saw="as expected"),
    }
    assert outcome.failures == [
        "Example 1.0, state: AssertionError: saw 1 instead of 2",
        "Example 1.0, upload: KeyError: 'value'",
    ]


@pytest.mark.parametrize(
    ("status", "output", "problem"),
    [
        (1, "", "ended with status 1: the reason"),
        (0, "", "ended with status 0: the reason"),
        (0, "not JSON", "ended with status 0: the reason"),
        (0, "{}", "ended with status 0: the reason"),
        (0, '{"Example": {"run": true}}', "ended with status 0: the reason"),
        (3, '{"Example": {"run": {"passed": true, "saw": ""}}}', "ended with status 3: the reason"),
    ],
)
def test_a_driver_that_breaks_off_has_failed(status: int, output: str, problem: str) -> None:
    [failure] = read_outcome(status, output, "the reason\n").failures

    assert failure.endswith(problem)


def test_a_client_that_is_not_installed_has_failed_and_says_how_to_install_it(tmp_path: Path) -> None:
    def tell(_: str) -> dict[str, str]:
        raise AssertionError("it cannot be driven")

    outcome = drive(clients()[0], tell, tmp_path / "home", stamps=tmp_path / "stamps")

    [failure] = outcome.failures
    assert failure.startswith("not installed: it was not set up")
    assert failure.endswith("To install it: python3 -m scripts.setup --for test")


def test_the_table_says_yes_no_or_what_to_expect() -> None:
    zoo = {"zoo 1.0": {"run": Seen(passed=False, saw="nothing")}}
    ant = {"Ant 2.0": {"run": Seen(passed=True, saw="42"), "quota": Seen(passed=True, saw="", note="HTTPError 403")}}

    heading, _, first, second = write_table([zoo, ant]).splitlines()

    column = list(COLUMNS).index("quota") + 2
    assert len(heading.split("|")) == len(COLUMNS) + 3
    assert [cell.strip() for cell in first.split("|")][1:3] == ["Ant 2.0", "yes"]
    assert first.split("|")[column].strip() == "HTTPError 403"
    assert [cell.strip() for cell in second.split("|")][1:4] == ["zoo 1.0", "**no**", "\N{EN DASH}"]


def test_a_check_without_a_column_is_not_left_out() -> None:
    with pytest.raises(ValueError, match="Example made checks .* no column for: other"):
        write_table([{"Example": {"other": Seen(passed=True, saw="")}}])


def test_a_table_is_found_where_it_was_put() -> None:
    page = with_table(f"before\n{BEGIN}old\n{END}\nafter\n", "new\n")

    assert page == f"before\n{BEGIN}new\n{END}\nafter\n"
    assert table_in(page) == "new\n"
