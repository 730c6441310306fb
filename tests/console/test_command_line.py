"""The command line, both ways: over HTTP to a served API, and directly on the storage."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from console.main import app
from metering.clock import utc_now
from tests.console.serving import LEDGER_SECRET, fresh_id
from tests.console.terminals import Terminal

pytestmark = pytest.mark.azurite


@pytest.fixture
def tenant(new_tenant: str) -> str:
    return new_tenant


def test_the_first_operators_key_is_made_on_the_storage_and_works_over_http(direct: Terminal, http: Terminal) -> None:
    made = direct.run("keys", "create", "--operator", "--label", "local", "--json")

    assert (made.status, made.errors) == (0, "")
    assert made.json["scopes"] == ["operator"]
    assert Terminal({**http.environment, "TOLLGATE_KEY": made.json["key"]}).run("tenants", "list").status == 0


def test_setting_a_tenant_changes_what_is_given_and_keeps_the_rest(terminal: Terminal, tenant: str) -> None:
    terminal.done(
        "tenants", "set", tenant, "--name", "Acme", "--minutes-per-day", "30.5", "--max-concurrent-sessions", "3"
    )
    terminal.done("tenants", "set", tenant, "--calls-per-minute", "60", "--pools", "shell, default")
    changed = terminal.done(
        "tenants", "set", tenant, "--minutes-per-month", "unlimited", "--rate-per-session-hour", "1"
    )

    assert changed == terminal.done("tenants", "show", tenant)
    assert changed.pop("created_at") is not None
    assert changed == {
        "id": tenant,
        "name": "Acme",
        "minutes_per_month": None,
        "minutes_per_day": 30.5,
        "max_concurrent_sessions": 3,
        "calls_per_minute": 60,
        "rate_per_session_hour": "1",
        "rates": [],
        "pools": ["shell", "default"],
        "suspended": False,
        "webhook_url": None,
        "alert_percents": None,
    }
    back = terminal.done(
        "tenants", "set", tenant, "--rate-per-session-hour", "default", "--calls-per-minute", "unlimited"
    )
    assert (back["rate_per_session_hour"], back["calls_per_minute"]) == (None, None)


def test_a_new_tenant_needs_its_monthly_quota(terminal: Terminal) -> None:
    ended = terminal.run("tenants", "set", fresh_id(), "--name", "Acme")

    assert ended.status == 2
    assert "--minutes-per-month" in ended.complaint


def test_a_tenant_is_suspended_and_resumed(terminal: Terminal, tenant: str) -> None:
    assert terminal.done("tenants", "suspend", tenant)["suspended"]
    assert not terminal.done("tenants", "resume", tenant)["suspended"]
    assert terminal.done("tenants", "show", tenant)["minutes_per_month"] == 600


def test_people_see_tables(terminal: Terminal, tenant: str) -> None:
    terminal.run("tenants", "set", tenant, "--name", "[red]Acme[/]", "--pools", "default,shell")

    listed, shown = terminal.run("tenants", "list"), terminal.run("tenants", "show", tenant)

    assert listed.output.splitlines()[0].split()[:2] == ["id", "name"]
    assert "[red]Acme[/]" in shown.output  # a name is no markup
    assert ["pools", "default,", "shell"] in [line.split() for line in shown.output.splitlines()]
    assert ["calls/minute", "unlimited"] in [line.split() for line in shown.output.splitlines()]


def test_a_key_is_shown_once_listed_and_revoked(terminal: Terminal, tenant: str) -> None:
    made = terminal.done("keys", "create", "--tenant", tenant, "--label", "ci", "--scope", "files", "--scope", "usage")
    [listed] = terminal.done("keys", "list", "--tenant", tenant)["keys"]

    assert made.pop("key").startswith(f"tg_{made['id']}_")
    assert listed == {**made, "revoked_at": None} == terminal.done("keys", "show", made["id"], "--tenant", tenant)
    assert made["scopes"] == ["files", "usage"]
    assert terminal.done("keys", "revoke", made["id"], "--tenant", tenant)["revoked_at"] is not None


def test_people_are_told_to_keep_a_new_key(terminal: Terminal, tenant: str) -> None:
    ended = terminal.run("keys", "create", "--tenant", tenant, "--expires-at", "2100-01-01T00:00:00Z")

    assert ended.status == 0
    assert "tg_" in ended.output
    assert "2100-01-01 00:00:00Z" in ended.output
    assert "not shown again" in ended.errors


def test_rotation_leaves_both_keys_working_for_the_overlap(terminal: Terminal, tenant: str) -> None:
    old = terminal.done("keys", "create", "--tenant", tenant, "--label", "ci", "--scope", "usage")

    rotated = terminal.done("keys", "rotate", old["id"], "--tenant", tenant, "--overlap", "2h")

    new, ending = rotated["new"], rotated["old"]
    assert (new["label"], new["scopes"]) == ("ci", ["usage"])
    assert new["key"] != old["key"]
    left = datetime.fromisoformat(ending["expires_at"]) - utc_now()
    assert timedelta(hours=1, minutes=55) < left <= timedelta(hours=2)
    assert ending["revoked_at"] is None


def test_rotation_never_prolongs_a_key(terminal: Terminal, tenant: str) -> None:
    ends = (utc_now() + timedelta(minutes=30)).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    old = terminal.done("keys", "create", "--tenant", tenant, "--expires-at", ends)

    assert terminal.done("keys", "rotate", old["id"], "--tenant", tenant)["old"]["expires_at"] == ends


def test_rotation_without_overlap_revokes_the_old_key(terminal: Terminal) -> None:
    old = terminal.done("keys", "create", "--operator")

    ended = terminal.run("keys", "rotate", old["id"], "--operator", "--overlap", "0s")

    assert ended.status == 0
    assert f"old key {old['id']} ends now" in ended.errors
    again = terminal.run("keys", "rotate", old["id"], "--operator")
    assert (again.status, again.complaint) == (1, "that key is revoked: create a new one instead")


def test_an_adjustment_may_be_negative_and_shows_in_the_usage(terminal: Terminal, tenant: str) -> None:
    entry = terminal.done("adjust", tenant, "-30", "--reason", "outage")

    assert (entry["minutes"], entry["reason"]) == (-30, "outage")
    assert terminal.done("usage", "show", tenant)["minutes"]["billed"] == -30
    assert [booked["sequence"] for booked in terminal.done("usage", "entries", tenant)["entries"]] == [1]
    assert "-30" in terminal.run("usage", "show", tenant).output


def test_entries_come_in_pages_and_people_are_told_of_more(terminal: Terminal, tenant: str) -> None:
    for _ in range(3):
        terminal.done("adjust", tenant, "5", "--reason", "r")

    first = terminal.run("usage", "entries", tenant, "--limit", "2")
    rest = terminal.done("usage", "entries", tenant, "--after", "2")

    assert "--after 2" in first.errors
    assert [entry["sequence"] for entry in rest["entries"]] == [3]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("tenants", "show", "nobody"), "ResourceNotFound"),
        (("tenants", "suspend", "nobody"), "ResourceNotFound"),
        (("tenants", "show", "../keys"), "ResourceNotFound"),
        (("tenants", "set", "Not_An_Id", "--minutes-per-month", "1"), "SessionRequestValidationFailed"),
        (("tenants", "set", "acme", "--minutes-per-month", "1", "--pools", "a,,b"), "SessionRequestValidationFailed"),
        (("tenants", "set", "acme", "--minutes-per-month", "1", "--pools", ""), "SessionRequestValidationFailed"),
        (
            ("tenants", "set", "acme", "--minutes-per-month", "1", "--calls-per-minute", "0.5"),
            "SessionRequestValidationFailed",
        ),
        (("keys", "show", "0/1", "--operator"), "ResourceNotFound"),
        (("usage", "show", "nobody", "--period", "november"), "SessionRequestValidationFailed"),
        (("adjust", "nobody", "5", "--reason", "r"), "ResourceNotFound"),
    ],
)
def test_what_tollgate_refuses_ends_with_status_one_and_a_line(
    terminal: Terminal, arguments: tuple[str, ...], code: str
) -> None:
    ended = terminal.run(*arguments)

    assert ended.status == 1
    assert ended.complaint.endswith(f"({code})")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("tenants",),
        ("nothing",),
        ("tenants", "show"),
        ("tenants", "set", "acme", "--minutes-per-month", "many"),
        ("tenants", "set", "acme", "--calls-per-minute", "-1"),
        ("tenants", "list", "--nothing"),
        ("keys", "list"),
        ("keys", "list", "--operator", "--tenant", "acme"),
        ("keys", "create", "--operator", "--scope", "usage"),
        ("keys", "create", "--tenant", "acme", "--scope", "operator"),
        ("keys", "rotate", "0", "--operator", "--overlap", "soon"),
        ("adjust", "acme", "some", "--reason", "r"),
        ("adjust", "acme", "5"),
        ("usage", "entries", "acme", "--limit", "0"),
    ],
)
def test_wrong_usage_ends_with_status_two_and_a_line(http: Terminal, arguments: tuple[str, ...]) -> None:
    ended = http.run(*arguments)

    assert ended.status == 2
    assert ended.complaint


@pytest.mark.parametrize(
    ("environment", "arguments", "word"),
    [
        ({}, (), "TOLLGATE_URL"),
        ({"TOLLGATE_URL": "http://127.0.0.1:9"}, (), "TOLLGATE_KEY"),
        ({"TOLLGATE_URL": "localhost", "TOLLGATE_KEY": "k"}, (), "http"),
        ({"TOLLGATE_URL": "http://host:port", "TOLLGATE_KEY": "k"}, (), "http"),
        ({"TOLLGATE_URL": "http://127.0.0.1:9", "TOLLGATE_KEY": "tg_é"}, (), "characters"),
        ({"TOLLGATE_URL": "http://127.0.0.1:9"}, ("--key-file", "/nowhere"), "/nowhere"),
        ({}, ("--direct",), "TOLLGATE_STORAGE"),
        ({"TOLLGATE_STORAGE": "nonsense", "TOLLGATE_LEDGER_SECRET": LEDGER_SECRET}, ("--direct",), "TOLLGATE_STORAGE"),
    ],
)
def test_what_is_missing_to_reach_tollgate_is_named(
    environment: Mapping[str, str], arguments: tuple[str, ...], word: str
) -> None:
    ended = Terminal(environment).run("tenants", "list", *arguments)

    assert ended.status == 2
    assert word in ended.complaint


def test_a_server_that_is_not_there_ends_with_status_three(azurite: str) -> None:
    endpoint = azurite.split("TableEndpoint=")[1].rstrip(";")
    unreachable = azurite.replace(endpoint, "http://127.0.0.1:9/devstoreaccount1")

    for terminal in (
        Terminal({"TOLLGATE_URL": "http://127.0.0.1:9", "TOLLGATE_KEY": "k"}),
        Terminal({"TOLLGATE_STORAGE": unreachable, "TOLLGATE_LEDGER_SECRET": LEDGER_SECRET}, ("--direct",)),
        Terminal({"TOLLGATE_URL": endpoint, "TOLLGATE_KEY": "k"}),  # there, but no Tollgate
    ):
        ended = terminal.run("tenants", "list")
        assert ended.status == 3
        assert ended.complaint


def test_a_wrong_key_is_refused_with_a_line(http: Terminal) -> None:
    ended = Terminal({**http.environment, "TOLLGATE_KEY": "tg_wrong"}).run("tenants", "list")

    assert ended.status == 1
    assert ended.complaint.endswith("(InvalidApiKey)")


def test_the_key_may_stand_in_a_file(http: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(http.environment["TOLLGATE_KEY"] + "\n")

    terminal = Terminal({"TOLLGATE_URL": http.environment["TOLLGATE_URL"]}, ("--key-file", str(file)))

    assert terminal.run("tenants", "list").status == 0


def commands() -> Iterator[tuple[str, ...]]:
    for group in app.registered_groups:
        assert group.typer_instance is not None
        for command in group.typer_instance.registered_commands:
            yield str(group.name), str(command.name)
    for command in app.registered_commands:
        yield (str(command.name),)


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_every_command_explains_itself_with_an_example(command: tuple[str, ...]) -> None:
    ended = Terminal().run(*command, "--help")

    words = " ".join(ended.output.split())
    assert ended.status == 0
    assert "--json" in words
    assert f"Example: tollgate {' '.join(command)}" in words


def test_a_pool_that_does_not_exist_is_warned_of_where_pools_are_given() -> None:
    ended = Terminal({"COLUMNS": "400"}).run("tenants", "set", "--help")

    assert "404 PoolNotFound" in ended.output


def test_the_module_is_the_command() -> None:
    ended = subprocess.run([sys.executable, "-m", "console", "nothing"], capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "tollgate: No such command 'nothing'. See tollgate --help\n"
