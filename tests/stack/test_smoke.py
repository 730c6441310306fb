"""`tollgate smoke` on the real host, pool and storage."""

import json
import subprocess
import sys
import uuid
from typing import Any

import pytest

from tests.running import ROOT
from tests.stack.tenants import Operator

pytestmark = pytest.mark.stack


def smoke(stack: dict[str, Any], *arguments: str, key: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {"TOLLGATE_URL": stack["url"], "TOLLGATE_KEY": key or stack["operator_key"]}
    command = [sys.executable, "-m", "console", "smoke", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def keys_of(operator: Operator, tenant: str) -> list[Any]:
    keys: list[Any] = operator.call("GET", f"/tenants/{tenant}/keys").json()["keys"]
    return keys


def test_a_deployment_that_works_passes_and_nothing_stays_behind(stack: dict[str, Any], operator: Operator) -> None:
    tenant = f"smoke-{uuid.uuid4().hex[:8]}"

    first, again = smoke(stack, "--tenant", tenant), smoke(stack, "--tenant", tenant, "--json")

    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    lines = first.stdout.splitlines()
    assert [line[:2] for line in lines] == ["✓ "] * 8
    assert "40 + 2 = 42, charged 5 minutes" in lines[3]
    assert first.stderr == f"All well. It cost {tenant} 5 minutes: 0.0025 USD.\n"
    answer = json.loads(again.stdout)
    assert (answer["ok"], answer["minutes"]) == (True, 5)
    assert answer["cost"] == {"amount": "0.0025", "currency": "USD"}
    assert [key["revoked_at"] is not None for key in keys_of(operator, tenant)] == [True, True]
    usage = operator.call("GET", f"/tenants/{tenant}/usage").json()
    assert (usage["minutes"]["billed"], usage["minutes"]["quota"]) == (10, 300)
    assert operator.call("GET", f"/tenants/{tenant}/sessions").json()["sessions"] == []


def test_a_tenant_whose_quota_is_used_up_fails_at_the_step_that_needs_it(
    stack: dict[str, Any], operator: Operator
) -> None:
    tenant = f"smoke-{uuid.uuid4().hex[:8]}"
    operator.put(tenant, minutes_per_month=5)

    ended = smoke(stack, "--tenant", tenant)

    assert ended.returncode == 1
    assert ended.stderr.startswith("tollgate: second call: This call needs 5 more session minutes")
    assert ended.stdout.splitlines()[-1].endswith("key revoked, session ended")
    assert [key["revoked_at"] is not None for key in keys_of(operator, tenant)] == [True]
    assert operator.call("GET", f"/tenants/{tenant}/sessions").json()["sessions"] == []


def test_a_pool_that_does_not_exist_is_named(stack: dict[str, Any], operator: Operator) -> None:
    tenant = f"smoke-{uuid.uuid4().hex[:8]}"
    operator.put(tenant, minutes_per_month=60, pools=["nowhere"])

    ended = smoke(stack, "--tenant", tenant)

    assert ended.returncode == 1
    assert "(PoolNotFound)" in ended.stderr


def test_a_key_that_is_no_operators_gets_no_further_than_the_tenant(stack: dict[str, Any]) -> None:
    ended = smoke(stack, key=stack["tenants"][0]["key"])

    assert ended.returncode == 1
    assert ended.stderr.endswith("(ScopeNotAllowed)\n")
    assert [line[:2] for line in ended.stdout.splitlines()] == ["✓ ", "✗ "]
