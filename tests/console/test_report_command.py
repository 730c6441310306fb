"""`tollgate report` and `tollgate close`, both ways, on months that no other test has anything in."""

import asyncio
import csv
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

from tests.console.serving import fresh_id, open_parts, serving
from tests.console.terminals import Terminal, on_a_terminal
from tests.support.building import FakeClock, admit

pytestmark = pytest.mark.azurite

REPORTED, CLOSED = "2023-05", "2024-02"  # over for whoever reads the real clock
IN_REPORTED = datetime(2023, 5, 10, 9, tzinfo=UTC)
IN_CLOSED = datetime(2024, 2, 10, 9, tzinfo=UTC)
MARCH = datetime(2024, 3, 1, 0, 10, tzinfo=UTC)
NAMES = ("Acme", "=2+5", 'Said "no", twice', "[red]Zürich[/]", "Plain")


@dataclass(frozen=True)
class Month:
    """A month in which tenants have used sessions, as it is served."""

    http: Terminal
    direct: Terminal
    clock: FakeClock
    azurite: str

    def either(self, way: str) -> Terminal:
        found: Terminal = getattr(self, way)
        return found

    def tenant(self, *sessions: str, **options: str) -> str:
        tenant_id = fresh_id()
        given = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)]
        self.http.done("tenants", "set", tenant_id, "--minutes-per-month", "unlimited", *given)

        async def use() -> None:
            async with open_parts(self.azurite, self.clock) as parts:
                for session in sessions:
                    request = replace(admit(session), pool_identifier=f"{tenant_id}-{session}")
                    await parts.meter.admit(tenant_id, request)

        asyncio.run(use())
        return tenant_id


def serve_month(azurite: str, direct: Terminal, operator_key: str, at: datetime) -> Iterator[Month]:
    clock = FakeClock(at)
    with serving(azurite, clock) as url:
        yield Month(Terminal({"TOLLGATE_URL": url, "TOLLGATE_KEY": operator_key}), direct, clock, azurite)


@pytest.fixture(scope="module")
def reported(azurite: str, direct: Terminal, operator_key: str) -> Iterator[Month]:
    """Have five tenants; the last is given its sessions for nothing."""
    for month in serve_month(azurite, direct, operator_key, IN_REPORTED):
        for number, name in enumerate(NAMES):
            rate = "0" if number == len(NAMES) - 1 else f"{number + 1}.000001"
            month.tenant(*(f"s{n}" for n in range(number + 1)), name=name, rate_per_session_hour=rate)
        yield month


@pytest.fixture
def closing(azurite: str, direct: Terminal, operator_key: str) -> Iterator[Month]:
    yield from serve_month(azurite, direct, operator_key, IN_CLOSED)


def ways(function: Any) -> Any:
    return pytest.mark.parametrize("way", ["http", "direct"])(function)


@ways
def test_a_report_in_pages_says_what_it_says_in_one(reported: Month, way: str) -> None:
    terminal = reported.either(way)

    paged = terminal.done("report", "--month", REPORTED, "--page-size", "2")
    whole = terminal.done("report", "--month", REPORTED)

    assert paged == whole
    assert sorted(line["name"] for line in paged["lines"]) == sorted(NAMES)
    assert list(paged) == ["period", "currency", "increment_seconds", "lines", "complete_until", "closed", "totals"]


@ways
def test_totals_are_the_exact_sums_of_the_lines(reported: Month, way: str) -> None:
    report = reported.either(way).done("report", "--month", REPORTED, "--page-size", "1")

    totals, lines = report["totals"], report["lines"]
    assert totals["tenants"] == len(lines) == len(NAMES)
    for name in ("cost", "pool_cost", "margin"):
        assert Decimal(totals[name]) == sum(Decimal(line[name]) for line in lines)
    for name in ("sessions_opened", "pool_minutes", "stranded_minutes"):
        assert totals[name] == sum(line[name] for line in lines) > 0
    for name in ("charged", "reversed", "adjusted", "billed"):
        assert totals["minutes"][name] == sum(line["minutes"][name] for line in lines)
    assert totals["days"] == [{"date": "2023-05-10", "minutes": totals["minutes"]["billed"], "sessions": 15}]


@ways
def test_people_see_losses_in_words_the_totals_and_how_far_the_report_goes(reported: Month, way: str) -> None:
    ended = reported.either(way).run("report", "--month", REPORTED, "--page-size", "2")

    assert (ended.status, ended.errors) == (0, "")
    [losing] = [line for line in ended.output.splitlines() if " Plain" in line]
    assert "loss -0.1500" in losing  # five sessions of the pool, an hour each, for nothing
    [total] = [line for line in ended.output.splitlines() if line.startswith("total")]
    assert "loss" not in total
    assert "[red]Zürich[/]" in ended.output  # a name is no markup
    until = {"http": "2023-05-10 09:00:00Z", "direct": "2023-06-01 00:00:00Z"}[way]
    assert f"{REPORTED}, 5 tenants, prices in USD: complete until {until}, not closed." in ended.output
    assert "1 tenant costs more than it pays." in ended.output


def test_the_current_month_is_reported_if_none_is_named(http: Terminal, direct: Terminal) -> None:
    for terminal in (http, direct):
        report = terminal.done("report")
        assert report["complete_until"].startswith(report["period"])


@pytest.mark.parametrize("form", ["csv", "focus"])
@ways
def test_a_document_in_pages_is_the_same_byte_for_byte_as_in_one(
    reported: Month, way: str, form: str, tmp_path: Path
) -> None:
    terminal = reported.either(way)

    for size in ("1", "10000"):
        ended = terminal.run("report", "--month", REPORTED, f"--{form}", str(tmp_path / size), "--page-size", size)
        assert (ended.status, ended.output) == (0, "")
        assert str(tmp_path / size) in ended.errors
    with terminal.start("report", "--month", REPORTED, f"--{form}", "-", stdout=PIPE, stderr=PIPE) as process:
        shown, errors = process.communicate(timeout=60)

    content = (tmp_path / "1").read_bytes()
    assert content == (tmp_path / "10000").read_bytes()
    assert (process.returncode, errors, shown) == (0, b"", content)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "10000"]


@ways
def test_the_csv_has_a_row_for_each_tenant_with_the_numbers_of_the_report(
    reported: Month, way: str, tmp_path: Path
) -> None:
    file = tmp_path / "report.csv"
    written = reported.either(way).done("report", "--month", REPORTED, "--csv", str(file), "--page-size", "2")
    report = reported.either(way).done("report", "--month", REPORTED)

    rows = list(csv.DictReader(io.StringIO(file.read_text(newline=""))))
    assert written == {"written": [{"format": "csv", "file": str(file), "bytes": file.stat().st_size}]}
    assert [(row["tenant"], row["cost"], row["margin"]) for row in rows] == [
        (line["tenant"], line["cost"], line["margin"]) for line in report["lines"]
    ]
    assert "'=2+5" in {row["name"] for row in rows}  # no formula in a spreadsheet


def test_both_documents_are_written_by_one_command(reported: Month, tmp_path: Path) -> None:
    files = [tmp_path / "report.csv", tmp_path / "focus.csv"]

    ended = reported.http.run("report", "--month", REPORTED, "--csv", str(files[0]), "--focus", str(files[1]))

    assert ended.status == 0
    assert b"BilledCost" in files[1].read_bytes().partition(b"\r\n")[0]
    assert b"BilledCost" not in files[0].read_bytes()


def test_a_file_keeps_its_permissions_and_a_link_leads_to_where_it_led(reported: Month, tmp_path: Path) -> None:
    file, link = tmp_path / "report.csv", tmp_path / "latest.csv"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)

    assert reported.http.run("report", "--month", REPORTED, "--csv", str(link)).status == 0

    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert file.read_bytes().startswith(b"period,")


def test_a_device_is_written_to_and_not_replaced(reported: Month, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with Popen(["cat", str(pipe)], stdout=PIPE) as reader:
        assert reported.http.run("report", "--month", REPORTED, "--csv", str(pipe)).status == 0
        read, _ = reader.communicate(timeout=30)

    assert read.startswith(b"period,")
    assert pipe.is_fifo()


def test_what_cannot_be_written_is_refused_before_anything_is_asked_for(http: Terminal, tmp_path: Path) -> None:
    nowhere = Terminal({**http.environment, "TOLLGATE_URL": "http://127.0.0.1:9"})
    (tmp_path / "a-file").write_text("")
    for target in (tmp_path, tmp_path / "no-folder" / "report.csv", tmp_path / "a-file" / "report.csv"):
        ended = nowhere.run("report", "--csv", str(target))
        assert ended.status == 2
        assert f"{target} cannot be written" in ended.complaint

    kept = tmp_path / "kept.csv"
    kept.write_text("old")
    assert nowhere.run("report", "--csv", str(kept), "--focus", str(tmp_path)).status == 2
    assert kept.read_text() == "old"


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "--csv", "here.csv", "--focus", "./here.csv"),
        ("report", "--csv", "-", "--focus", "-"),
        ("report", "--csv", "-", "--json"),
        ("report", "--month", "2026-13"),
        ("report", "--month", "november"),
        ("report", "--month", ""),
        ("report", "--page-size", "0"),
        ("close",),
        ("close", "2023-5", "--yes"),
        ("close", REPORTED),  # nobody is there to be asked
        ("close", REPORTED, "--json"),
    ],
)
def test_wrong_usage_ends_with_status_two_and_a_line(http: Terminal, arguments: tuple[str, ...]) -> None:
    ended = http.run(*arguments)

    assert ended.status == 2
    assert ended.complaint


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("report", "--month", "9000-01"), "SessionRequestValidationFailed"),
        (("report", "--month", "9000-01", "--csv", "never.csv"), "SessionRequestValidationFailed"),
        (("close", "9000-01", "--yes"), "SessionRequestValidationFailed"),
    ],
)
def test_a_month_that_is_to_come_is_refused(terminal: Terminal, arguments: tuple[str, ...], code: str) -> None:
    ended = terminal.run(*arguments)

    assert ended.status == 1
    assert ended.complaint.endswith(f"({code})")
    assert not Path("never.csv").exists()


def test_a_month_that_is_not_over_is_not_closed(terminal: Terminal) -> None:
    current = terminal.done("report")["period"]

    ended = terminal.run("close", current, "--yes")

    assert ended.status == 1
    assert ended.complaint.endswith("(PeriodNotOver)")


@ways
def test_a_close_closes_every_tenant_once_and_can_be_repeated(closing: Month, way: str) -> None:
    tenant = closing.tenant("s1", "s2")
    closing.clock.now = MARCH
    terminal = closing.either(way)

    first = terminal.done("close", CLOSED, "--yes")
    again = terminal.run("close", CLOSED, "--yes")

    assert first["period"] == CLOSED
    assert first["closed"] >= 1
    everybody = first["closed"] + first["already_closed"]
    assert (again.status, again.output) == (0, f"{CLOSED}: 0 statements closed now, {everybody} already.\n")
    assert terminal.done("usage", "show", tenant, "--period", CLOSED)["closed"]
    assert terminal.done("report", "--month", CLOSED)["closed"]
    assert "closed." in terminal.run("report", "--month", CLOSED).output


def test_on_a_terminal_a_close_waits_for_a_yes(closing: Month) -> None:
    tenant = closing.tenant("s1")
    closing.clock.now = MARCH

    def closed() -> bool:
        found: bool = closing.http.done("usage", "show", tenant, "--period", CLOSED)["closed"]
        return found

    for answer, status, is_closed in (("\n", 1, False), ("n\n", 1, False), ("\x04", 1, False), ("yes\n", 0, True)):
        with on_a_terminal(closing.http, "close", CLOSED) as (process, screen):
            screen.wait_for(f"Close {CLOSED} for good? Its statements never change again. [y/N] ")
            screen.type(answer)
            screen.rest()
        assert (process.returncode, closed()) == (status, is_closed)
        assert ("was not closed" in screen.seen) is not is_closed
    assert f"{CLOSED}: 1 statement closed now" in screen.seen


def test_progress_shows_on_a_terminal_and_leaves_the_answer_alone(reported: Month) -> None:
    reading, writing = os.pipe()
    with on_a_terminal(reported.http, "report", "--month", REPORTED, "--page-size", "1", "--json", stdout=writing) as (
        process,
        screen,
    ):
        os.close(writing)
        with os.fdopen(reading) as output:
            report = json.load(output)
        seen = screen.rest()

    assert process.returncode == 0
    assert report == reported.http.done("report", "--month", REPORTED)
    assert f"Report of {REPORTED}" in seen
    assert "0:00:0" in seen  # the time that it has taken
    assert "\x1b[2K" in seen  # wiped away at the end


def test_nothing_but_the_table_stays_on_a_terminal(reported: Month) -> None:
    with on_a_terminal(reported.http, "report", "--month", REPORTED, "--page-size", "2") as (process, screen):
        seen = screen.rest()

    assert process.returncode == 0
    assert "\x1b[31m" in seen  # a loss is red where there are colours
    assert f"{REPORTED}, 5 tenants, prices in USD" in seen
    for name in NAMES:
        assert name in seen
