"""Terms of tenants, usage, adjustments, alerts and sessions on the command line, both ways."""

import csv
import io
from pathlib import Path

import pytest

from console.commands.months import last_months
from tests.console.serving import LEDGER_SECRET, fresh_id
from tests.console.terminals import Terminal

pytestmark = pytest.mark.azurite

HOOK = "https://acme.example/hook"


@pytest.fixture
def tenant(new_tenant: str) -> str:
    return new_tenant


def test_dated_rates_are_added_replaced_and_removed_one_by_one(terminal: Terminal, tenant: str) -> None:
    def rates(*arguments: str) -> list[tuple[str, str | None]]:
        answer = terminal.done("tenants", "set", tenant, "--rate-per-session-hour", *arguments)
        assert answer["rate_per_session_hour"] == "0.05"
        return [(rate["from"], rate["rate_per_session_hour"]) for rate in answer["rates"]]

    assert rates("0.05") == []
    assert rates("0.026", "--rate-from", "2027-01-01") == [("2027-01-01", "0.026")]
    assert rates("default", "--rate-from", "2026-12-01") == [("2026-12-01", None), ("2027-01-01", "0.026")]
    assert rates("0.025", "--rate-from", "2027-01-01") == [("2026-12-01", None), ("2027-01-01", "0.025")]
    shown = terminal.run("tenants", "show", tenant).output
    assert "default from 2026-12-01, 0.025 from 2027-01-01" in shown
    assert rates("remove", "--rate-from", "2026-12-01") == [("2027-01-01", "0.025")]
    again = terminal.run("tenants", "set", tenant, "--rate-per-session-hour", "remove", "--rate-from", "2026-12-01")
    assert (again.status, again.complaint) == (1, "there is no rate from 2026-12-01 to remove")


def test_a_new_tenant_may_have_a_dated_rate_at_once(terminal: Terminal) -> None:
    made = terminal.done(
        *("tenants", "set", fresh_id(), "--minutes-per-month", "60"),
        *("--rate-per-session-hour", "0.026", "--rate-from", "2027-01-01"),
    )

    assert made["rate_per_session_hour"] is None
    assert made["rates"] == [{"from": "2027-01-01", "rate_per_session_hour": "0.026"}]


def test_alerts_of_a_tenant_are_set_and_taken_back(terminal: Terminal, tenant: str) -> None:
    def told(*arguments: str) -> tuple[str | None, list[int] | None]:
        answer = terminal.done("tenants", "set", tenant, *arguments)
        return answer["webhook_url"], answer["alert_percents"]

    assert told("--webhook-url", HOOK, "--alert-percents", "80, 50") == (HOOK, [50, 80])
    shown = [line.split() for line in terminal.run("tenants", "show", tenant).output.splitlines()]
    assert ["webhook", HOOK] in shown
    assert ["alerts", "at", "50,", "80", "%"] in shown
    assert told("--name", "Acme") == (HOOK, [50, 80])
    assert told("--alert-percents", "none") == (HOOK, [])
    assert ["alerts", "at", "none"] in [
        line.split() for line in terminal.run("tenants", "show", tenant).output.splitlines()
    ]
    assert told("--webhook-url", "none", "--alert-percents", "default") == (None, None)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--rate-from", "2027-01-01"), 2),
        (("--alert-percents", "half"), 2),
        (("--alert-percents", "50,"), 2),
        (("--alert-percents", "0"), 1),
        (("--webhook-url", "http://acme.example/"), 1),
        (("--rate-per-session-hour", "1e3"), 1),
        (("--rate-per-session-hour", "0.026", "--rate-from", "tomorrow"), 1),
        (("--rate-per-session-hour", "remove"), 1),
    ],
)
def test_terms_that_cannot_be_change_nothing(
    terminal: Terminal, tenant: str, arguments: tuple[str, ...], status: int
) -> None:
    before = terminal.done("tenants", "show", tenant)

    ended = terminal.run("tenants", "set", tenant, *arguments)

    assert ended.status == status
    assert ended.complaint
    assert terminal.done("tenants", "show", tenant) == before


@pytest.mark.parametrize("minutes", ["7", "2.5", "-0.5", "0", "1e300"])
def test_an_adjustment_by_parts_of_an_increment_is_refused(terminal: Terminal, tenant: str, minutes: str) -> None:
    ended = terminal.run("adjust", tenant, minutes, "--reason", "r")

    assert ended.status == 1
    assert ended.complaint.endswith("(SessionRequestValidationFailed)")
    assert terminal.done("usage", "entries", tenant)["entries"] == []


def test_a_correction_names_the_month_that_it_corrects_and_is_a_line_of_its_own(
    terminal: Terminal, tenant: str
) -> None:
    month, before, *_ = last_months("")

    entry = terminal.done("adjust", tenant, "-30", "--reason", "outage", "--corrects", before)
    refused = terminal.run("adjust", tenant, "-30", "--reason", "outage", "--corrects", month)

    assert (entry["why"], entry["corrects"]) == ("adjusted", before)
    assert (refused.status, refused.complaint.endswith("(SessionRequestValidationFailed)")) == (1, True)
    [line] = [line for line in terminal.run("usage", "show", tenant).output.splitlines() if "adjustment" in line]
    assert line.split()[1:] == ["adjustment", before, "-30", "0", "0.03", "-0.0150"]
    assert f"adjusted for {before}: outage" in terminal.run("usage", "entries", tenant).output
    assert before in terminal.run("adjust", tenant, "5", "--reason", "r", "--corrects", before).output


def test_the_latest_entries_are_shown_in_their_order(terminal: Terminal, tenant: str) -> None:
    for _ in range(4):
        terminal.done("adjust", tenant, "5", "--reason", "r")

    latest = terminal.run("usage", "entries", tenant, "--latest", "2", "--json")

    assert [entry["sequence"] for entry in latest.json["entries"]] == [3, 4]
    for contradiction in (("--after", "1"), ("--limit", "1")):
        assert terminal.run("usage", "entries", tenant, "--latest", "2", *contradiction).status == 2


def test_statement_and_entries_are_written_as_csv(terminal: Terminal, tenant: str, tmp_path: Path) -> None:
    for reason in ("=1+1", "b", "c"):
        terminal.done("adjust", tenant, "5", "--reason", reason)

    def rows(*arguments: str) -> list[dict[str, str]]:
        file = tmp_path / "out.csv"
        ended = terminal.run("usage", *arguments, "--csv", str(file))
        assert (ended.status, ended.output) == (0, "")
        return list(csv.DictReader(io.StringIO(file.read_text(newline=""))))

    assert [row["reason"] for row in rows("entries", tenant)] == ["'=1+1", "b", "c"]
    assert [row["sequence"] for row in rows("entries", tenant, "--limit", "1", "--after", "1")] == ["2"]
    assert [row["sequence"] for row in rows("entries", tenant, "--latest", "1")] == ["3"]
    [line] = rows("show", tenant)
    assert (line["kind"], line["minutes"], line["cost"]) == ("adjustment", "15", "0.0075")
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_a_daily_quota_shows_with_what_is_left_of_it(terminal: Terminal, tenant: str) -> None:
    terminal.done("tenants", "set", tenant, "--minutes-per-day", "60")

    assert ["remaining", "today", "60"] in [
        line.split() for line in terminal.run("usage", "show", tenant).output.splitlines()
    ]


def test_alerts_are_listed_with_what_was_reached(terminal: Terminal, tenant: str) -> None:
    terminal.done("tenants", "set", tenant, "--alert-percents", "50,90")
    terminal.done("adjust", tenant, "320", "--reason", "r")

    listed = terminal.run("alerts", "list", "--tenant", tenant)
    [alert] = terminal.done("alerts", "list", "--tenant", tenant)["alerts"]

    assert (listed.status, listed.errors) == (0, "")
    assert "50 %: 320 of 600 minutes" in listed.output
    assert (alert["percent"], alert["used_minutes"], alert["state"]) == (50, 320, "pending")
    assert terminal.done("alerts", "list", "--tenant", tenant, "--pending")["alerts"] == [alert]
    assert alert["id"] in {each["id"] for each in terminal.done("alerts", "list")["alerts"]}


def test_alerts_that_nobody_waits_for_are_done_with_after_a_delivery(terminal: Terminal, tenant: str) -> None:
    terminal.done("adjust", tenant, "320", "--reason", "r")

    delivered = terminal.done("alerts", "deliver")

    assert set(delivered) == {"delivered", "failed", "waiting"}
    assert terminal.done("alerts", "list", "--tenant", tenant, "--pending")["alerts"] == []


def test_the_secret_of_a_webhook_is_shown_where_it_is_asked_for_and_nowhere_else(
    terminal: Terminal, tenant: str
) -> None:
    terminal.done("tenants", "set", tenant, "--webhook-url", HOOK)

    answer = terminal.done("alerts", "webhook", "--tenant", tenant)
    shown = terminal.run("alerts", "webhook", "--tenant", tenant)

    assert answer["url"] == HOOK
    assert answer["secret"].startswith("whsec_")
    assert answer["secret"] in shown.output
    assert "keep it as you keep a key" in shown.errors
    assert terminal.done("alerts", "webhook")["secret"] != answer["secret"]
    assert "whsec_" not in terminal.run("tenants", "show", tenant).output


def test_sessions_are_beyond_a_way_that_has_no_pool(terminal: Terminal, tenant: str) -> None:
    for arguments in (("list", tenant), ("end", tenant, "s1"), ("end", tenant, "s1", "--pool", "shell")):
        ended = terminal.run("sessions", *arguments)
        assert ended.status == 1
        assert "no way to the pool" in ended.complaint


def test_no_output_holds_a_key_or_a_secret(terminal: Terminal, tenant: str, tmp_path: Path) -> None:
    terminal.done("adjust", tenant, "5", "--reason", "r")
    commands = (
        *(("tenants", "list"), ("tenants", "show", tenant), ("keys", "list", "--operator"), ("usage", "show", tenant)),
        *(("usage", "entries", tenant), ("report",), ("report", "--csv", str(tmp_path / "report.csv"))),
        *(("close", "9000-01", "--yes"), ("alerts", "list"), ("alerts", "deliver"), ("sessions", "list", tenant)),
        *(("verify", "--tenant", tenant), ("reconcile",), ("adjust", tenant, "1", "--reason", "r")),
    )
    secrets = {LEDGER_SECRET.partition(":")[2], "AccountKey", terminal.environment.get("TOLLGATE_KEY", "tg_")[16:]}

    for command in commands:
        for form in ((), ("--json",)):
            ended = terminal.run(*command, *form)
            assert not [secret for secret in secrets if secret and secret in ended.output + ended.errors], command
