"""How commands end when something comes between: Ctrl-C, a reader that goes away, a server that falters or lies."""

import json
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import PIPE

import pytest

from tests.console.terminals import Terminal, on_a_terminal

KEY = "tg_abcdefghijkl_" + "s" * 38
PAGE = {
    "period": "2026-11",
    "currency": "USD",
    "increment_seconds": 300,
    "complete_until": "2026-11-23T09:00:00Z",
    "closed": False,
    "lines": [],
    "totals": {
        "tenants": 0,
        "minutes": {"charged": 0, "reversed": 0, "adjusted": 0, "billed": 0},
        "sessions_opened": 0,
        "cost": "0.0000",
        "pool_minutes": 0,
        "stranded_minutes": 0,
        "pool_cost": "0.0000",
        "margin": "0.0000",
        "days": [],
    },
    "next": None,
}
UNAVAILABLE = {"error": {"code": "MeteringUnavailable", "message": "The ledger cannot be reached now."}}
CLOSED = {"period": "2026-10", "closed": 200, "already_closed": 0}


@dataclass(frozen=True)
class Canned:
    """An answer that a server gives whatever it is asked."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


def canned(value: object, status: int = 200) -> Canned:
    return Canned(json.dumps(value).encode(), status)


def csv_page(body: bytes, following: str | None = None) -> Canned:
    link = {} if following is None else {"Link": f'<{following}>; rel="next"'}
    return Canned(body, headers={"Content-Type": "text/csv; charset=utf-8", **link})


@contextmanager
def answering(*answers: Canned) -> Iterator[tuple[Terminal, list[str]]]:
    """Serve these answers, one for each call; yields a terminal, and what is asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = answers[len(asked)]
            asked.append(self.path)
            self.send_response(found.status)
            for name, value in {**found.headers, "Content-Length": str(len(found.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(found.body)

        do_POST = do_GET  # noqa: N815 -- the server's own naming

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the server's own naming
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_address[1]}"
            yield Terminal({"TOLLGATE_URL": url, "TOLLGATE_KEY": KEY}), asked
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def silent() -> Iterator[tuple[Terminal, socket.socket]]:
    """Have a server that takes calls and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        yield Terminal({"TOLLGATE_URL": url, "TOLLGATE_KEY": KEY}), server


def test_ctrl_c_ends_a_command_with_a_line_and_its_own_status(tmp_path: Path) -> None:
    file = tmp_path / "report.csv"
    with (
        silent() as (terminal, server),
        terminal.start("report", "--csv", str(file), stdout=PIPE, stderr=PIPE) as process,
        server.accept()[0],
    ):
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)

    assert (process.returncode, output, errors) == (130, b"", b"tollgate: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_the_commands_are_loaded_ends_with_the_same_line_and_no_traceback() -> None:
    loading = Terminal({"PYTHONPROFILEIMPORTTIME": "1"})  # a line on standard error for each module
    with loading.start("--help", stdout=PIPE, stderr=PIPE) as process:
        assert process.stderr is not None
        seen = next(line for line in process.stderr if b"typer" in line)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)

    told = [line for line in errors.splitlines() if not line.startswith(b"import time:")]
    assert seen
    assert (process.returncode, output, told) == (130, b"", [b"tollgate: interrupted"])


def test_ctrl_c_takes_the_progress_away() -> None:
    with silent() as (terminal, server), on_a_terminal(terminal, "reconcile") as (process, screen), server.accept()[0]:
        screen.wait_for("Comparing ledger and pool")
        process.send_signal(signal.SIGINT)
        seen = screen.rest()

    assert process.returncode == 130
    assert seen.endswith("tollgate: interrupted\r\n")
    assert "\x1b[?25h" in seen  # the cursor is back


def test_ctrl_c_at_a_question_closes_nothing() -> None:
    with silent() as (terminal, _), on_a_terminal(terminal, "close", "2026-10") as (process, screen):
        screen.wait_for("[y/N] ")
        process.send_signal(signal.SIGINT)
        seen = screen.rest()

    assert process.returncode == 130
    assert seen.endswith("tollgate: interrupted\r\n")


@pytest.mark.parametrize(
    "arguments", [("report", "--json"), ("report",), ("report", "--csv", "-"), ("tenants", "list")]
)
def test_a_reader_that_goes_away_ends_a_command_quietly(arguments: tuple[str, ...]) -> None:
    answer = {"report": canned(PAGE), "tenants": canned({"tenants": []})}[arguments[0]]
    with answering(csv_page(b"a\r\n") if "--csv" in arguments else answer) as (terminal, _):
        process = terminal.start(*arguments, stdout=PIPE, stderr=PIPE)
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()
        process.stderr.close()
        process.wait(60)

    assert (process.returncode, errors) == (141, b"")


def test_an_output_that_is_full_ends_with_a_line() -> None:
    with answering(canned(PAGE)) as (terminal, _), Path("/dev/full").open("wb") as full:
        process = terminal.start("report", "--json", stdout=full, stderr=PIPE)
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 2
    assert errors == b"tollgate: the output cannot be written: No space left on device\n"


def test_a_document_that_breaks_off_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "report.csv"
    file.write_text("old")
    first = csv_page(b"tenant\r\na\r\n", "/operator/reports/2026-11?after=a&limit=1&format=csv")

    with answering(first, canned(UNAVAILABLE, 503)) as (terminal, asked):
        ended = terminal.run("report", "--month", "2026-11", "--csv", str(file), "--page-size", "1")

    assert ended.status == 3
    assert ended.complaint.endswith("(MeteringUnavailable)")
    assert len(asked) == 2
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_the_next_page_is_asked_for_where_the_first_one_was(tmp_path: Path) -> None:
    file = tmp_path / "report.csv"
    first = csv_page(b"tenant\r\na\r\n", "https://elsewhere.example/steal?after=a&limit=1")

    with answering(first, csv_page(b"tenant\r\nb\r\n")) as (terminal, asked):
        ended = terminal.run("report", "--month", "2026-11", "--csv", str(file), "--page-size", "1")

    assert ended.status == 0
    assert asked[1].startswith("/operator/reports/2026-11?")
    assert sorted(asked[1].partition("?")[2].split("&")) == ["after=a", "format=csv", "limit=1"]
    assert file.read_bytes() == b"tenant\r\na\r\nb\r\n"


def test_pages_that_lead_nowhere_are_not_followed_for_ever() -> None:
    page = {**PAGE, "next": "/operator/reports/2026-11?limit=1000"}

    with answering(canned(page), canned(page)) as (terminal, asked):
        ended = terminal.run("report", "--month", "2026-11", "--json")

    assert (ended.status, len(asked)) == (3, 1)


def test_what_is_no_csv_is_not_written_as_such(tmp_path: Path) -> None:
    with answering(canned(PAGE)) as (terminal, _):
        ended = terminal.run("report", "--csv", str(tmp_path / "report.csv"))

    assert (ended.status, list(tmp_path.iterdir())) == (3, [])
    assert "no CSV" in ended.complaint


def test_a_close_that_breaks_off_says_how_far_it_came() -> None:
    first = {**CLOSED, "next": "/operator/reports/2026-10/close?after=a&limit=200"}

    with answering(canned(first), canned(UNAVAILABLE, 503)) as (terminal, _):
        ended = terminal.run("close", "2026-10", "--yes")

    assert ended.status == 3
    assert "200 statements closed before that: repeat it for the others" in ended.complaint


def test_the_totals_of_pages_with_fractions_of_minutes_are_exact() -> None:
    def page(following: str | None) -> Canned:
        third = {**PAGE["totals"], "tenants": 1, "pool_minutes": 1.6666666666666667, "cost": "0.1000"}  # type: ignore[dict-item]
        line = {"tenant": "t", "margin": None, "closed": False}
        return canned({**PAGE, "lines": [line], "totals": third, "next": following})

    with answering(page("?after=a"), page("?after=b"), page(None)) as (terminal, _):
        totals = terminal.done("report", "--month", "2026-11")["totals"]

    assert (totals["tenants"], totals["pool_minutes"], totals["cost"]) == (3, 5, "0.3000")


def verified(tenant: str, findings: int = 0) -> Canned:
    found = [{"kind": "k", "row": "r", "what": "w"}] * findings
    return canned({"tenant": tenant, "entries": 3, "findings": found, "findings_beyond": 0, "ok": not findings})


def test_verify_writes_a_line_for_each_ledger_into_a_log_and_one_for_all_on_a_terminal() -> None:
    answers = (canned({"tenants": [{"id": "a"}, {"id": "b"}]}), verified("a"), verified("b", 1))

    with answering(*answers) as (terminal, _):
        logged = terminal.run("verify")
    with answering(*answers) as (terminal, _), on_a_terminal(terminal, "verify") as (process, screen):
        seen = screen.rest()

    complaint = "tollgate: the ledger of 1 of 2 tenants is not in order"
    assert logged.errors.splitlines() == ["a: 3 entries, no findings", "b: 3 entries, 1 finding", complaint]
    assert (logged.status, process.returncode) == (1, 1)
    assert "Verifying" in seen
    assert "6 entries of 2 tenants: 1 not in order" in seen
    assert "a: 3 entries" not in seen
    assert complaint in seen


def test_a_table_folds_long_names_and_never_a_number() -> None:
    numbers = {"minutes": {"billed": 123_456_789}, "sessions_opened": 1, "stranded_minutes": None, "closed": True}
    money = {"cost": "1234567.1234", "pool_cost": None, "margin": None}
    line = {"tenant": "t" * 40, "name": "\u5927" * 30, **numbers, **money}

    with (
        answering(canned({**PAGE, "lines": [line]})) as (terminal, _),
        on_a_terminal(Terminal({**terminal.environment, "COLUMNS": "80"}), "report") as (process, screen),
    ):
        seen = screen.rest()

    assert process.returncode == 0
    assert seen.count("t" * 8) >= 1
    assert seen.count("\u5927") == 30
    assert "123456789" in seen
    assert "1234567.1234" in seen
