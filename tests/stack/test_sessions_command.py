"""Sessions as the operator sees and ends them on the command line: ledger, pool and host are the real ones."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.running import ROOT
from tests.stack.tenants import TenantClient

pytestmark = pytest.mark.stack


def tollgate(stack: dict[str, Any], *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"TOLLGATE_URL": stack["url"], "TOLLGATE_KEY": stack["operator_key"]}
    command = [sys.executable, "-m", "console", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def test_the_operator_lists_a_tenants_sessions_and_ends_one(stack: dict[str, Any], tenant: TenantClient) -> None:
    tenant_id = tenant.usage()["tenant"]
    for session in ("first", "second"):
        tenant.run("kept = 1", session)
    tenant.run("1", "first")  # the second call pays on: five minutes that have not begun

    def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(tollgate(stack, "sessions", "list", tenant_id, "--json").stdout)[
            "sessions"
        ]
        return found

    assert [(each["session"], each["pool"], each["minutes"]) for each in listed()] == [
        ("first", "default", 10),
        ("second", "default", 5),
    ]
    shown = tollgate(stack, "sessions", "list", tenant_id)
    assert [line.split()[:2] for line in shown.stdout.splitlines()[1:]] == [["first", "default"], ["second", "default"]]

    returned = listed()[0]["would_return_minutes"]
    ended = tollgate(stack, "sessions", "end", tenant_id, "first", "--pool", "default", "--json")

    assert json.loads(ended.stdout) == {
        "session": "first",
        "pool": "default",
        "ended": True,
        "reversed_minutes": returned,
    }
    assert returned == 5
    assert [each["session"] for each in listed()] == ["second"]
    assert tenant.usage()["minutes"]["reversed"] == 5
    again = tollgate(stack, "sessions", "end", tenant_id, "first")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.endswith("(ResourceNotFound)\n")
    assert "NameError" in tenant.run("kept", "first")["stderr"]  # it is a fresh one


def test_people_read_what_came_back(stack: dict[str, Any], tenant: TenantClient) -> None:
    tenant_id = tenant.usage()["tenant"]
    tenant.run("1", "only")

    ended = tollgate(stack, "sessions", "end", tenant_id, "only")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ["minutes", "given", "back", "0"] in [line.split() for line in ended.stdout.splitlines()]
