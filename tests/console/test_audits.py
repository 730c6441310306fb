"""Verification and reconciliation over the operator API and the command line, on a real table storage."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from azure.data.tables import UpdateMode

from console.wiring import build_apis
from metering.clock import utc_now
from metering.periods import Period
from metering.reconcile import PoolSession
from metering.row_keys import entry_key
from metering.table_store import TABLE_NAME
from proxy.storage import open_tables
from proxy.tenants import OPERATOR_SCOPES
from tests.console.serving import LEDGER_SECRET, fresh_id, open_parts, serving
from tests.console.terminals import Terminal, on_storage
from tests.console.test_operator_api import Operator
from tests.support.building import MORNING, FakeClock, admit

pytestmark = pytest.mark.azurite


@dataclass
class Lister:
    """Lists the sessions that it is given."""

    sessions: list[PoolSession] = field(default_factory=list)
    then: list[PoolSession] | None = None

    async def read(self) -> list[PoolSession]:
        listed, self.sessions = self.sessions, self.sessions if self.then is None else self.then
        return listed


@dataclass
class Audited:
    """An operator, and the pool that it asks."""

    operator: Operator
    pool: Lister
    storage: str

    async def edit(self, tenant: str, key: str, **columns: Any) -> None:
        async with open_tables(self.storage) as service:
            table = service.get_table_client(TABLE_NAME)
            await table.update_entity({"PartitionKey": tenant, "RowKey": key, **columns}, UpdateMode.MERGE)


@pytest.fixture
async def audited(azurite: str) -> AsyncIterator[Audited]:
    clock, pool = FakeClock(), Lister()
    async with open_parts(azurite, clock) as parts:
        _, minted = await parts.directory.create_key(None, label="test", scopes=OPERATOR_SCOPES)
        yield Audited(Operator(build_apis(parts, pool_sessions=pool)[0], parts, clock, minted.text), pool, azurite)


def held(identifier: str, *, until: float = 300) -> PoolSession:
    return PoolSession(
        identifier=identifier,
        created_at=MORNING,
        last_accessed_at=MORNING,
        expires_at=MORNING + timedelta(seconds=until),
    )


async def test_a_ledger_in_order_is_said_to_be_so(audited: Audited) -> None:
    tenant = await audited.operator.tenant()
    await audited.operator.parts.meter.admit(tenant, admit("s1"))

    for query, period in (("", None), ("?period=2026-11", "2026-11")):
        status, answer = await audited.operator.call("GET", f"/tenants/{tenant}/verification{query}")
        assert status == 200
        assert answer == {
            "tenant": tenant,
            "period": period,
            "periods": ["2026-11"],
            "entries": 1,
            "findings": [],
            "findings_beyond": 0,
            "ok": True,
        }


async def test_an_edited_row_is_named(audited: Audited) -> None:
    tenant = await audited.operator.tenant()
    await audited.operator.parts.meter.admit(tenant, admit("s1"))
    key = entry_key(Period(2026, 11), 1)
    await audited.edit(tenant, key, request_id="another")

    _, answer = await audited.operator.call("GET", f"/tenants/{tenant}/verification")

    assert not answer["ok"]
    [finding] = answer["findings"]
    assert (finding["kind"], finding["row"]) == ("chain", key)


@pytest.mark.parametrize(("path", "status"), [("/tenants/nobody/verification", 404), ("/verification", 404)])
async def test_a_tenant_that_is_none_has_no_ledger(audited: Audited, path: str, status: int) -> None:
    assert (await audited.operator.call("GET", path))[0] == status


async def test_a_period_that_is_none_is_refused(audited: Audited) -> None:
    tenant = await audited.operator.tenant()

    assert (await audited.operator.call("GET", f"/tenants/{tenant}/verification?period=2026-13"))[0] == 400


async def test_what_pool_and_ledger_differ_in_is_reported_with_the_tenants_own_words(audited: Audited) -> None:
    tenant = await audited.operator.tenant()
    await audited.operator.parts.meter.admit(tenant, admit(f"gone-{tenant}"))
    audited.operator.clock.set(60)
    audited.pool.sessions = [held(f"{tenant}-0"), held("stranger")]

    _, answer = await audited.operator.call("GET", "/reconciliation")

    found = {(f["kind"], f["tenant"], f["session"], f["minutes"]) for f in answer["findings"]}
    assert {
        ("held_not_paid", tenant, None, 5),
        ("held_not_paid", None, None, 5),
        ("paid_not_held", tenant, f"gone-{tenant}", 4),
    } <= found
    assert not answer["ok"]
    assert answer["sessions"] == 2


async def test_time_that_is_paid_for_and_not_held_is_no_error(audited: Audited) -> None:
    tenant = await audited.operator.tenant()
    await audited.operator.parts.meter.admit(tenant, admit(f"gone-{tenant}"))
    audited.operator.clock.set(60)

    _, answer = await audited.operator.call("GET", "/reconciliation")

    assert answer["ok"]
    assert tenant in {finding["tenant"] for finding in answer["findings"]}


async def test_a_session_that_is_gone_at_the_second_look_is_not_reported(audited: Audited) -> None:
    audited.pool.sessions, audited.pool.then = [held("stranger")], []

    _, answer = await audited.operator.call("GET", "/reconciliation")

    assert "stranger" not in {finding["pool_identifier"] for finding in answer["findings"]}


@pytest.fixture(scope="module")
def direct(azurite: str) -> Terminal:
    return on_storage(azurite, LEDGER_SECRET)


@pytest.fixture(scope="module")
def http(azurite: str, direct: Terminal) -> Iterator[Terminal]:
    key = direct.done("keys", "create", "--operator", "--label", "test")["key"]
    with serving(azurite, utc_now) as url:
        yield Terminal({"TOLLGATE_URL": url, "TOLLGATE_KEY": key})


@pytest.fixture(params=["http", "direct"])
def terminal(request: pytest.FixtureRequest) -> Terminal:
    found: Terminal = request.getfixturevalue(request.param)
    return found


def test_the_command_verifies_one_tenant_or_all_and_says_how_far_it_is(terminal: Terminal) -> None:
    one, other = fresh_id(), fresh_id()
    for tenant in (one, other):
        terminal.done("tenants", "set", tenant, "--minutes-per-month", "600")
        terminal.done("adjust", tenant, "10", "--reason", "welcome")

    answer = terminal.done("verify", "--tenant", one)
    assert answer["ok"]
    assert [(each["tenant"], each["entries"]) for each in answer["tenants"]] == [(one, 1)]
    everyone = terminal.run("verify")
    assert {f"{tenant}: 1 entries, no findings" for tenant in (one, other)} <= set(everyone.errors.splitlines())
    assert terminal.done("verify", "--tenant", one, "--period", "2001-01")["tenants"][0]["entries"] == 0


async def test_the_command_ends_with_status_1_if_anything_is_wrong(audited: Audited, direct: Terminal) -> None:
    tenant = await audited.operator.tenant()
    await audited.operator.parts.meter.admit(tenant, admit("s1"))
    await audited.edit(tenant, entry_key(Period(2026, 11), 1), reason="because")

    ended = await asyncio.to_thread(direct.run, "verify", "--tenant", tenant)

    assert ended.status == 1
    assert "entry:2026-11:" in ended.output
    assert ended.errors.splitlines()[-1] == "tollgate: the ledger of 1 of 1 tenants is not in order"
    as_json = await asyncio.to_thread(direct.run, "verify", "--tenant", tenant, "--json")
    assert (as_json.status, as_json.json["ok"]) == (1, False)


def test_without_a_way_to_the_pool_the_command_says_what_to_do(direct: Terminal) -> None:
    ended = direct.run("reconcile")

    assert ended.status == 1
    assert "reconcile over HTTP" in ended.complaint
