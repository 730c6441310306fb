"""Opening the storage: what lets lean reads in, and the proxy that the environment may name."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from azure.core.credentials import AccessToken, AzureNamedKeyCredential, AzureSasCredential
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError

from proxy.storage import RENEWED_AHEAD, SCOPE, SIGNED_FOR, LedgerRows, Permit, Permits, is_proxied, permit_maker
from tests.support.building import MORNING, FakeClock

SECOND = timedelta(seconds=1)


class Credential:
    """Gives tokens that live for an hour, or fails."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.asked: list[str] = []
        self.failing = False

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.asked += scopes
        await asyncio.sleep(0)
        if self.failing:
            raise ClientAuthenticationError
        return AccessToken(f"secret-{len(self.asked)}", int(self.clock().timestamp()) + 3600)


def of_tokens(credential: Credential) -> Callable[[], Awaitable[Permit]]:
    return permit_maker(cast(AsyncTokenCredential, credential), credential.clock)


async def test_reads_that_come_together_share_one_token() -> None:
    credential = Credential(FakeClock())
    permits = Permits(of_tokens(credential), clock=credential.clock)

    found = await asyncio.gather(*(permits.get() for _ in range(50)))

    assert {permit.authorization for permit in found} == {"Bearer secret-1"}
    assert credential.asked == [SCOPE]


async def test_a_permit_is_renewed_before_it_ends_and_not_sooner() -> None:
    credential = Credential(FakeClock())
    permits = Permits(of_tokens(credential), clock=credential.clock)
    await permits.get()
    renewed_at = MORNING + timedelta(hours=1) - RENEWED_AHEAD

    credential.clock.now = renewed_at - SECOND
    assert (await permits.get()).authorization == "Bearer secret-1"
    credential.clock.now = renewed_at
    assert (await permits.get()).authorization == "Bearer secret-2"


async def test_a_permit_that_was_refused_is_not_given_again_and_its_successor_is() -> None:
    credential = Credential(FakeClock())
    permits = Permits(of_tokens(credential), clock=credential.clock)
    first = await permits.get()

    permits.forget(first)
    second = await permits.get()
    permits.forget(first)  # a late answer to a request that went out with the first one

    assert second.authorization == "Bearer secret-2"
    assert await permits.get() is second


async def test_without_a_token_there_is_no_answer() -> None:
    credential = Credential(FakeClock())
    credential.failing = True
    permits = Permits(of_tokens(credential), clock=credential.clock)
    rows = LedgerRows("https://127.0.0.1:9", version="2019-02-02", permits=permits)

    assert await rows.get("acme", "period:2026-11") is None
    await rows.aclose()


async def test_what_an_account_key_signs_reads_the_ledger_and_nothing_else_for_an_hour() -> None:
    permit = await permit_maker(AzureNamedKeyCredential("account", "a2V5"), FakeClock())()

    fields = dict(part.split("=", 1) for part in permit.query.split("&"))
    assert permit.until == MORNING + SIGNED_FOR
    assert (fields["tn"], fields["sp"], fields["se"]) == ("TollgateLedger", "r", "2026-11-23T10%3A00%3A00Z")
    assert permit.authorization == ""


async def test_a_signature_that_was_given_is_used_as_it_is() -> None:
    assert (await permit_maker(AzureSasCredential("?sv=1&sig=s"), FakeClock())()).query == "sv=1&sig=s"
    assert (await permit_maker(None, FakeClock())()).query == ""


def test_a_permit_does_not_tell_its_secret() -> None:
    permit = Permit(datetime(2026, 11, 1, tzinfo=UTC), query="sig=secret", authorization="Bearer secret")

    assert "secret" not in repr(permit)


def test_the_environment_is_asked_for_a_proxy_of_this_very_address(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert not is_proxied("https://account.table.core.windows.net")

    monkeypatch.setenv("https_proxy", "http://proxy:8080")
    monkeypatch.setenv("no_proxy", "inside.example")
    assert is_proxied("https://account.table.core.windows.net")
    assert not is_proxied("http://127.0.0.1:10002/devstoreaccount1")
    assert not is_proxied("https://table.inside.example")
