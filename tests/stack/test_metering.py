"""What a tenant pays, and where it is stopped, over HTTP and in real time."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.stack.tenants import Operator, TenantClient

pytestmark = pytest.mark.stack

# at, in increments; charged
WORKED_EXAMPLE = [(0, 1), (0.05, 1), (250 / 300, 0), (1.1, 1), (850 / 300, 1), (4.1, 1)]


def test_a_tenant_is_stopped_at_its_quota_and_goes_on_when_it_is_raised(operator: Operator) -> None:
    tenant = operator.tenant("frugal", minutes_per_month=15)
    assert tenant.execute("1", "first").headers["Tollgate-Charged-Minutes"] == "5"
    assert tenant.execute("1", "second").headers["Tollgate-Charged-Minutes"] == "5"
    assert tenant.execute("1", "third").headers["Tollgate-Charged-Minutes"] == "5"

    refused = tenant.execute("open('/mnt/data/ran', 'w')", "fourth")

    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (403, "QuotaExceeded")
    assert (error["neededMinutes"], error["remainingMinutes"]) == (5, 0)
    assert error["quotaEndsAt"].endswith("-01T00:00:00Z")
    assert tenant.usage()["minutes"] == {
        "charged": 15, "reversed": 0, "adjusted": 0, "billed": 15, "quota": 15, "remaining": 0,
    }  # fmt: skip

    operator.put("frugal", minutes_per_month=20)
    assert tenant.execute("1", "fourth").status_code == 200
    assert tenant.envelope("GET", "/files", "fourth").status_code == 403  # would need another increment
    assert tenant.usage()["minutes"]["remaining"] == 0


def test_a_session_too_many_is_refused_until_one_has_ended(operator: Operator) -> None:
    tenant = operator.tenant("narrow", max_concurrent_sessions=1)
    tenant.run("1", "first")

    refused = tenant.execute("1", "second")

    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "TooManySessions")
    assert 1 <= int(refused.headers["Retry-After"]) <= 300
    tenant.flat("DELETE", "/session", "first")
    assert tenant.execute("1", "second").status_code == 200


def test_a_call_that_the_pool_refuses_costs_nothing(tenant: TenantClient) -> None:
    body = {
        "properties": {"codeInputType": "inline", "executionType": "synchronous", "code": "1", "timeoutInSeconds": "x"}
    }

    refused = tenant.envelope("POST", "/code/execute", json=body)

    assert refused.status_code == 400
    assert tenant.usage()["minutes"]["billed"] == 0


def test_the_worked_example_holds_in_real_time(local_stack: Callable[..., dict[str, Any]]) -> None:
    """With an increment, cooldown and tail of 2 s.

    The example's calls at 300 s and 1200 s are left out or made a moment later: they lie on an end exactly, where real
    time cannot meet them; `test_ledger` has them to the microsecond.
    """
    increment = 2
    stack = local_stack("--increment-seconds", str(increment), "--cooldown-seconds", str(increment))
    tenant = Operator(stack).tenant("example", minutes_per_month=60)
    tenant.run("1", "warm-up")  # so that the first call's instant is its own, not that of a cold connection
    started_at = time.monotonic()

    charged = []
    for at, _ in WORKED_EXAMPLE:
        time.sleep(max(0.0, started_at + at * increment - time.monotonic()))
        response = tenant.execute("1", "the-one")
        charged.append(round(float(response.headers["Tollgate-Charged-Minutes"]) * 60 / increment))

    assert charged == [expected for _, expected in WORKED_EXAMPLE]
    entries = [entry for entry in tenant.entries() if entry["session"] == "the-one"]
    assert [(entry["kind"], entry["increments"]) for entry in entries] == [("charge", 1)] * 5
    assert [entry["from"] for entry in entries[1:4]] == [entry["until"] for entry in entries[0:3]]
    assert entries[4]["from"] > entries[3]["until"]  # a new window
    usage = tenant.usage()
    assert usage["increment_seconds"] == increment
    assert usage["minutes"]["billed"] == pytest.approx(6 * increment / 60)
    assert usage["sessions_opened"] == sum(day["sessions"] for day in usage["days"]) == 3
