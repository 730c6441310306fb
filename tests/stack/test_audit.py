"""The operator's audits on the whole stack: ledger, pool and host are the real ones."""

import json
import subprocess
import sys
from typing import Any

import httpx
import pytest

from tests.running import ROOT
from tests.stack.tenants import ENVELOPE_VERSION, Operator, TenantClient

pytestmark = pytest.mark.stack


def tollgate(stack: dict[str, Any], *arguments: str) -> tuple[int, Any]:
    """Run the command line; return its status and its JSON."""
    environment = {"TOLLGATE_URL": stack["url"], "TOLLGATE_KEY": stack["operator_key"]}
    command = [sys.executable, "-m", "console", *arguments, "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def on_the_pool(stack: dict[str, Any], method: str, path: str, identifier: str, **more: Any) -> None:
    query = {"identifier": identifier, **more.pop("query", {"api-version": ENVELOPE_VERSION})}
    httpx.request(method, stack["pool_url"] + path, params=query, timeout=60, **more).raise_for_status()


def test_the_ledger_of_every_tenant_is_verified(stack: dict[str, Any], tenant: TenantClient) -> None:
    for session in ("first", "second"):
        tenant.run("1", session)
    tenant.flat("DELETE", "/session", "first")

    status, answer = tollgate(stack, "verify")

    assert (status, answer["ok"]) == (0, True)
    assert tenant.usage()["tenant"] in {each["tenant"] for each in answer["tenants"] if each["entries"] == 2}


def test_sessions_that_are_paid_for_agree_with_the_pool(stack: dict[str, Any], tenant: TenantClient) -> None:
    tenant.run("1", "agreed")

    status, answer = tollgate(stack, "reconcile")

    errors = [finding for finding in answer["findings"] if finding["kind"] != "paid_not_held"]
    assert (status, errors) == (0, [])
    assert answer["sessions"] >= 1


def test_a_session_that_somebody_takes_past_tollgate_is_found(stack: dict[str, Any]) -> None:
    stranger = "stranger-session-1"
    body = {"properties": {"codeInputType": "inline", "executionType": "synchronous", "code": "1"}}
    on_the_pool(stack, "POST", "/code/execute", stranger, json=body)
    try:
        status, answer = tollgate(stack, "reconcile")
    finally:
        on_the_pool(stack, "DELETE", "/session", stranger, query={"api-version": "2025-02-02-preview"})

    [found] = [finding for finding in answer["findings"] if finding["pool_identifier"] == stranger]
    assert (status, found["kind"], found["tenant"]) == (1, "held_not_paid", None)
    assert 4 <= found["minutes"] <= 6


def test_housekeeping_runs_on_its_timer_and_leaves_open_windows(
    stack: dict[str, Any], operator: Operator, tenant: TenantClient
) -> None:
    tenant.run("1", "kept")

    assert httpx.post(f"{stack['url']}/admin/functions/housekeeping", timeout=60).status_code == 202

    assert tenant.execute("1", "kept").headers["Tollgate-Charged-Minutes"] == "5"  # an extension, no new window
    tenant_id = tenant.usage()["tenant"]
    verification = operator.call("GET", f"/tenants/{tenant_id}/verification").json()
    assert verification["ok"]
    assert tenant.usage()["sessions_opened"] == 1
