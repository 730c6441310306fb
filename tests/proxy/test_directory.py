"""The directory on a real table storage, watched: every operation is counted, and storage can be taken away."""

import asyncio
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableServiceClient

from metering.rates import RateChange
from proxy.directory import Directory
from proxy.errors import ErrorCode, GatewayError
from proxy.storage import open_tables
from proxy.table_tenants import Entity, Table, TenantTables
from proxy.tenants import OPERATOR_SCOPES, TENANT_SCOPES, ApiKey, Scope, Tenant, mint_key
from tests.support.building import MORNING, FakeClock

pytestmark = pytest.mark.azurite


@dataclass
class WatchedStorage:
    """A table service whose tables are this test's own, with a log of operations and a switch for the network."""

    service: TableServiceClient
    suffix: str = field(default_factory=lambda: uuid.uuid4().hex)
    operations: list[str] = field(default_factory=list)
    out_of_reach: bool = False

    def get_table_client(self, table_name: str) -> Table:
        return WatchedTable(self, self.service.get_table_client(table_name + self.suffix))

    def note(self, operation: str) -> None:
        self.operations.append(operation)
        if self.out_of_reach:
            raise ServiceRequestError("simulated")


@dataclass
class WatchedTable:
    """One table of a watched storage."""

    storage: WatchedStorage
    table: Table

    def create_table(self) -> Awaitable[object]:
        self.storage.note("create table")
        return self.table.create_table()

    def get_entity(self, partition_key: str, row_key: str) -> Awaitable[Entity]:
        self.storage.note("get")
        return self.table.get_entity(partition_key, row_key)

    def create_entity(self, entity: Entity) -> Awaitable[object]:
        self.storage.note("create")
        return self.table.create_entity(entity)

    def upsert_entity(self, entity: Entity, mode: UpdateMode) -> Awaitable[object]:
        self.storage.note("upsert")
        return self.table.upsert_entity(entity, mode)

    def update_entity(self, entity: Entity, mode: UpdateMode) -> Awaitable[object]:
        self.storage.note("update")
        return self.table.update_entity(entity, mode)

    def query_entities(
        self, query_filter: str, *, parameters: dict[str, Any], select: list[str] | None = None
    ) -> AsyncIterable[Entity]:
        self.storage.note("query")
        return self.table.query_entities(query_filter, parameters=parameters, select=select)


@dataclass
class World:
    """One storage, and instances of the directory on it that share a clock and a counter of seconds."""

    storage: WatchedStorage
    clock: FakeClock = field(default_factory=FakeClock)
    seconds: float = 0.0
    directories: list[Directory] = field(default_factory=list)

    def instance(self) -> Directory:
        directory = Directory(TenantTables(self.storage), clock=self.clock, elapsed=lambda: self.seconds)
        self.directories.append(directory)
        return directory


ACME = Tenant(
    id="acme",
    name="Acme",
    minutes_per_month=Decimal("600.5"),
    minutes_per_day=Decimal(0),
    max_concurrent_sessions=3,
    calls_per_minute=90,
    rate_per_session_hour=Decimal("0.050"),
    rate_changes=(RateChange(date(2026, 12, 1), Decimal("0.025")), RateChange(date(2027, 1, 1), None)),
    pools=("shell", "default"),
    webhook_url="https://acme.example/hook",
    alert_percents=(),
    created_at=MORNING,
)


@pytest.fixture
async def world(azurite: str) -> AsyncIterator[World]:
    async with open_tables(azurite) as service:
        made = World(WatchedStorage(service))
        yield made
        for directory in made.directories:
            await directory.aclose()


async def new_key(directory: Directory, tenant: Tenant = ACME) -> str:
    await directory.put_tenant(tenant)
    _, minted = await directory.create_key(tenant.id, label="", scopes=TENANT_SCOPES)
    return minted.text


async def refusal(directory: Directory, credential: str | None) -> ErrorCode | None:
    try:
        await directory.authenticate(credential)
    except GatewayError as error:
        return error.code
    return None


async def test_a_tenant_comes_back_as_it_was_put(world: World) -> None:
    directory = world.instance()

    assert await directory.put_tenant(ACME)
    assert await directory.get_tenant("acme") == ACME


async def test_a_tenant_that_was_put_before_there_were_pools_and_caps_has_the_defaults(world: World) -> None:
    directory = world.instance()
    await directory.put_tenant(replace(ACME, suspended=True))
    table = world.storage.get_table_client("TollgateTenants")
    row = dict(await table.get_entity("acme", "tenant"))
    for column in ("calls_per_minute", "pools", "rate_changes", "webhook_url", "alert_percents", "created_at"):
        del row[column]
    await table.upsert_entity(row, UpdateMode.REPLACE)

    found = await directory.get_tenant("acme")

    assert found == replace(
        ACME,
        suspended=True,
        calls_per_minute=None,
        rate_changes=(),
        pools=("default",),
        webhook_url=None,
        alert_percents=None,
        created_at=None,
    )


async def test_putting_a_tenant_again_replaces_all_of_it_but_when_it_was_created(world: World) -> None:
    directory, bare = world.instance(), Tenant(id="acme", name="")
    await directory.put_tenant(ACME)
    world.clock.set(60)

    assert not await directory.put_tenant(bare)
    assert await directory.get_tenant("acme") == replace(bare, created_at=MORNING)


async def test_tenants_are_listed_from_an_id_on(world: World) -> None:
    directory = world.instance()
    for tenant_id in ("b", "a", "c"):
        await directory.put_tenant(replace(ACME, id=tenant_id))

    assert [tenant.id async for tenant in directory.list_tenants(after="a")] == ["b", "c"]


async def test_what_bills_are_made_with_is_listed_and_nothing_else(world: World) -> None:
    directory = world.instance()
    for tenant_id in ("a", "b"):
        await directory.put_tenant(replace(ACME, id=tenant_id))

    [billed] = [tenant async for tenant in directory.list_billed(after="a")]

    assert billed == Tenant(
        id="b",
        name=ACME.name,
        minutes_per_month=ACME.minutes_per_month,
        rate_per_session_hour=ACME.rate_per_session_hour,
        rate_changes=ACME.rate_changes,
        created_at=MORNING,
    )


async def test_missing_tables_are_empty_and_made_by_the_first_write(world: World) -> None:
    directory = world.instance()

    assert await directory.get_tenant("acme") is None
    assert [tenant async for tenant in directory.list_tenants()] == []
    assert [key async for key in directory.list_keys("acme")] == []
    assert await directory.revoke_key("0" * 12) is None
    assert "create table" not in world.storage.operations
    await directory.put_tenant(ACME)
    await directory.put_tenant(Tenant(id="other", name=""))
    assert world.storage.operations.count("create table") == 1


async def test_tenants_are_listed_by_id(world: World) -> None:
    directory = world.instance()
    for tenant_id in ("b", "a", "c-1"):
        await directory.put_tenant(Tenant(id=tenant_id, name=""))

    assert [tenant.id async for tenant in directory.list_tenants()] == ["a", "b", "c-1"]


async def test_keys_are_listed_for_their_owner_only_whatever_its_name(world: World) -> None:
    directory = world.instance()
    await directory.create_key("acme", label="one", scopes=TENANT_SCOPES)
    await directory.create_key("acme", label="two", scopes=frozenset({Scope.USAGE}))
    await directory.create_key(None, label="root", scopes=OPERATOR_SCOPES)

    async def labels(owner: str | None) -> set[str]:
        return {key.label async for key in directory.list_keys(owner)}

    assert await labels("acme") == {"one", "two"}
    assert await labels(None) == {"root"}
    assert await labels("' or PartitionKey ne '") == set()


async def test_a_key_comes_back_without_its_text(world: World) -> None:
    directory = world.instance()
    ends = world.clock.now + timedelta(days=1, microseconds=1)
    key, minted = await directory.create_key("acme", label="ci", scopes=TENANT_SCOPES, expires_at=ends)

    assert await directory.get_key(minted.id) == key
    assert key.sha256 == minted.sha256
    assert minted.text not in str(await world.storage.get_table_client("TollgateKeys").get_entity(minted.id, "key"))


async def test_a_key_proves_its_tenant_and_scopes(world: World) -> None:
    directory = world.instance()
    key = await new_key(directory)

    principal = await directory.authenticate(key)

    assert (principal.tenant, principal.scopes) == (ACME, TENANT_SCOPES)


async def test_an_operators_key_proves_no_tenant(world: World) -> None:
    directory = world.instance()
    _, minted = await directory.create_key(None, label="", scopes=OPERATOR_SCOPES)

    assert (await directory.authenticate(minted.text)).tenant is None


async def test_a_known_key_costs_no_storage_operation(world: World) -> None:
    directory = world.instance()
    key = await new_key(directory)
    await directory.authenticate(key)
    world.storage.operations.clear()

    for _ in range(100):
        await directory.authenticate(key)

    assert world.storage.operations == []


async def test_calls_that_arrive_together_read_a_key_and_its_tenant_once(world: World) -> None:
    key = await new_key(world.instance())
    directory = world.instance()
    world.storage.operations.clear()

    await asyncio.gather(*(directory.authenticate(key) for _ in range(50)))

    assert world.storage.operations == ["get", "get"]


async def test_junk_costs_no_storage_operation(world: World) -> None:
    directory = world.instance()

    for junk in (None, "", "tg_", "x" * 54, "tg_" + "0" * 12 + "_" + "0" * 38):
        assert await refusal(directory, junk) is ErrorCode.INVALID_API_KEY

    assert world.storage.operations == []


async def test_an_unknown_key_is_looked_up_once_in_two_seconds(world: World) -> None:
    directory = world.instance()
    unknown = mint_key(lambda characters: characters[1]).text

    for world.seconds in (0, 1, 2):
        assert await refusal(directory, unknown) is ErrorCode.INVALID_API_KEY

    assert world.storage.operations == ["get"]


async def test_a_key_with_another_keys_id_is_refused(world: World) -> None:
    directory = world.instance()
    directory_of_others = Directory(TenantTables(world.storage), clock=world.clock, choose=lambda text: text[1])
    await directory.put_tenant(ACME)
    await directory_of_others.create_key("acme", label="", scopes=TENANT_SCOPES)
    picks = iter("1" * 12 + "2" * 32)
    same_id = mint_key(lambda _: next(picks))

    assert await refusal(directory, same_id.text) is ErrorCode.INVALID_API_KEY


async def test_an_expired_key_is_refused_without_asking_storage(world: World) -> None:
    directory = world.instance()
    await directory.put_tenant(ACME)
    ends = world.clock.now + timedelta(seconds=1)
    _, minted = await directory.create_key("acme", label="", scopes=TENANT_SCOPES, expires_at=ends)
    assert await refusal(directory, minted.text) is None
    world.storage.operations.clear()
    world.clock.now = ends

    assert await refusal(directory, minted.text) is ErrorCode.INVALID_API_KEY
    assert world.storage.operations == []


async def test_a_revocation_holds_at_once_here_and_within_five_seconds_elsewhere(world: World) -> None:
    here, elsewhere = world.instance(), world.instance()
    key = await new_key(here)
    for directory in (here, elsewhere):
        assert await refusal(directory, key) is None

    revoked = await here.revoke_key(key[3:15])

    assert revoked is not None
    assert revoked.revoked_at == world.clock.now
    assert await refusal(here, key) is ErrorCode.INVALID_API_KEY
    world.seconds = 5.001
    assert await refusal(elsewhere, key) is ErrorCode.INVALID_API_KEY


async def test_a_second_revocation_changes_nothing(world: World) -> None:
    directory = world.instance()
    key_id = (await new_key(directory))[3:15]
    first = await directory.revoke_key(key_id)
    world.clock.set(60)

    assert await directory.revoke_key(key_id) == first


async def test_moving_a_keys_end_never_undoes_its_revocation(world: World) -> None:
    directory = world.instance()
    key = await new_key(directory)
    await directory.revoke_key(key[3:15])

    assert await directory.expire_key(key[3:15], world.clock.now + timedelta(days=1)) is not None

    assert await refusal(world.instance(), key) is ErrorCode.INVALID_API_KEY


async def test_a_keys_end_can_be_set_and_taken_back(world: World) -> None:
    directory = world.instance()
    key = await new_key(directory)
    ends = world.clock.now + timedelta(minutes=5)

    for expires_at in (ends, None):
        await directory.expire_key(key[3:15], expires_at)
        stored = await directory.get_key(key[3:15])
        assert stored is not None
        assert stored.expires_at == expires_at


async def test_what_is_not_there_cannot_be_changed(world: World) -> None:
    directory = world.instance()
    await new_key(directory)

    assert await directory.revoke_key("0" * 12) is None
    assert await directory.expire_key("0" * 12, None) is None


async def test_a_suspension_holds_at_once_here_and_within_five_seconds_elsewhere(world: World) -> None:
    here, elsewhere = world.instance(), world.instance()
    key = await new_key(here)
    for directory in (here, elsewhere):
        (await directory.authenticate(key)).require(Scope.EXECUTE)

    await here.put_tenant(Tenant(id="acme", name="", suspended=True))

    for directory, world.seconds in ((here, 0.0), (elsewhere, 5.001)):
        principal = await directory.authenticate(key)
        with pytest.raises(GatewayError):
            principal.require(Scope.EXECUTE)


async def test_a_key_that_comes_back_after_a_pause_reads_key_and_tenant_side_by_side(world: World) -> None:
    directory = world.instance()
    key = await new_key(directory)
    await directory.authenticate(key)
    world.storage.operations.clear()
    world.seconds = 60

    await directory.authenticate(key)

    assert world.storage.operations == ["get", "get"]


async def test_keys_in_use_go_on_working_for_fifteen_minutes_without_storage(world: World) -> None:
    directory = world.instance()
    key = await new_key(directory)
    await directory.authenticate(key)
    world.storage.out_of_reach = True

    for world.seconds in (1, 10, 600, 899):
        assert await refusal(directory, key) is None
    world.seconds = 901
    assert await refusal(directory, key) is ErrorCode.METERING_UNAVAILABLE


async def test_without_storage_a_key_that_is_not_known_is_told_to_come_back(world: World) -> None:
    key = await new_key(world.instance())
    world.storage.out_of_reach = True

    with pytest.raises(GatewayError) as refused:
        await world.instance().authenticate(key)

    assert refused.value.code is ErrorCode.METERING_UNAVAILABLE
    assert refused.value.response().headers["Retry-After"] == "5"


async def test_without_storage_every_change_says_so(world: World) -> None:
    directory = world.instance()
    world.storage.out_of_reach = True

    for change in (
        directory.put_tenant(ACME),
        directory.get_tenant("acme"),
        directory.create_key("acme", label="", scopes=TENANT_SCOPES),
        directory.revoke_key("0" * 12),
    ):
        with pytest.raises(GatewayError, match="MeteringUnavailable"):
            await change


class NoToken:
    """A credential that cannot be had now."""

    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        raise ClientAuthenticationError

    async def close(self) -> None:
        """Nothing is open."""


async def test_without_a_token_for_storage_every_change_says_so() -> None:
    credential = cast(AsyncTokenCredential, NoToken())
    async with TableServiceClient("https://example.invalid", credential=credential) as service:
        tables = TenantTables(service)
        key = ApiKey(id="0" * 12, tenant_id="acme", label="", scopes=TENANT_SCOPES, sha256="", created_at=MORNING)
        for change in (
            tables.put_tenant(ACME, now=MORNING),
            tables.tenant("acme"),
            tables.add_key(key),
            tables.key("0" * 12),
        ):
            with pytest.raises(GatewayError, match="MeteringUnavailable"):
                await change


async def test_a_change_that_fails_takes_nothing_from_those_in_use(world: World) -> None:
    directory = world.instance()
    key = await new_key(directory)
    await directory.authenticate(key)
    world.storage.out_of_reach = True

    with pytest.raises(GatewayError, match="MeteringUnavailable"):
        await directory.put_tenant(Tenant(id="acme", name="", suspended=True))

    world.seconds = 60
    assert (await directory.authenticate(key)).tenant == ACME


async def test_a_key_whose_tenant_is_gone_is_refused(world: World) -> None:
    directory = world.instance()
    _, minted = await directory.create_key("nobody", label="", scopes=TENANT_SCOPES)

    assert await refusal(directory, minted.text) is ErrorCode.INVALID_API_KEY


async def test_two_keys_never_share_an_id(world: World) -> None:
    picks = iter("1" * 44 + "1" * 44 + "2" * 44)
    directory = Directory(TenantTables(world.storage), clock=world.clock, choose=lambda _: next(picks))
    first, _ = await directory.create_key("acme", label="", scopes=TENANT_SCOPES)
    second, _ = await directory.create_key("acme", label="", scopes=TENANT_SCOPES)

    assert (first.id, second.id) == ("1" * 12, "2" * 12)
