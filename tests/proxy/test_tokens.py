"""The bearer token: one request for it at a time, ahead of its expiry, against a credential of the tests' own."""

import asyncio
from typing import Any, cast

import pytest
from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError

from proxy.pool import TokenUnavailable
from proxy.tokens import SCOPE, EntraTokens, NoTokens
from tests.support.building import FakeClock

HOUR = 3600


class Credential:
    """Gives numbered tokens that live for an hour, or fails."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.asked: list[str] = []
        self.failing = False
        self.closed = False

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.asked += scopes
        await asyncio.sleep(0)
        if self.failing:
            raise ClientAuthenticationError
        return AccessToken(f"t{len(self.asked)}", int(self.clock().timestamp()) + HOUR)

    async def close(self) -> None:
        self.closed = True


class World:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.credential = Credential(self.clock)
        self.tokens = EntraTokens(cast(AsyncTokenCredential, self.credential), clock=self.clock)

    async def at(self, seconds: float) -> str | None:
        self.clock.set(seconds)
        token = await self.tokens.token()
        for _ in range(3):
            await asyncio.sleep(0)  # lets a refresh behind the call come to its end
        return token


async def test_callers_that_come_together_share_one_request() -> None:
    world = World()

    assert await asyncio.gather(*(world.tokens.token() for _ in range(50))) == ["t1"] * 50
    assert world.credential.asked == [SCOPE]


async def test_a_token_is_used_until_shortly_before_it_expires() -> None:
    world = World()

    assert [await world.at(at) for at in (0, 1, HOUR - 601)] == ["t1"] * 3
    assert len(world.credential.asked) == 1


async def test_the_refresh_ahead_of_expiry_keeps_nobody_waiting() -> None:
    world = World()
    await world.at(0)

    assert await world.at(HOUR - 600) == "t1"
    assert await world.at(HOUR - 599) == "t2"


async def test_a_refresh_that_fails_is_tried_again_only_after_a_while_and_the_token_is_used_meanwhile() -> None:
    world = World()
    await world.at(0)
    world.credential.failing = True

    assert [await world.at(HOUR - at) for at in (500, 499, 480)] == ["t1"] * 3
    assert len(world.credential.asked) == 2
    world.credential.failing = False
    assert await world.at(HOUR - 400) == "t1"
    assert await world.at(HOUR - 399) == "t3"


async def test_without_a_valid_token_the_caller_is_told_so() -> None:
    world = World()
    world.credential.failing = True

    with pytest.raises(TokenUnavailable):
        await world.at(0)

    world.credential.failing = False
    assert await world.at(1) == "t2"


async def test_a_token_about_to_expire_is_waited_for_not_used() -> None:
    world = World()
    await world.at(0)

    assert await world.at(HOUR - 60) == "t2"


async def test_a_forgotten_token_is_not_given_again() -> None:
    world = World()
    await world.at(0)

    world.tokens.forget()

    assert await world.at(1) == "t2"


async def test_closing_waits_for_a_refresh_and_closes_the_credential() -> None:
    world = World()
    waiting = asyncio.ensure_future(world.tokens.token())
    await asyncio.sleep(0)

    await world.tokens.aclose()

    assert await waiting == "t1"
    assert world.credential.closed


async def test_a_pool_that_wants_no_token_is_given_none() -> None:
    tokens = NoTokens()
    tokens.forget()

    assert await tokens.token() is None
