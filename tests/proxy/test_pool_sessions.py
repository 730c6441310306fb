"""The pool's list of sessions: both shapes, all pages, all pools, and nothing taken for an empty list."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from metering.reconcile import PoolSession
from proxy.answers import PoolAnswer
from proxy.calls import PoolCall
from proxy.errors import ErrorCode, GatewayError
from proxy.operations import Effect
from proxy.pool import Answered, NoAnswer, NotSent, PoolOutcome, Refused
from proxy.pool_sessions import PoolSessions

SESSION = {"identifier": "a-1", "etag": "x", "createdAt": "2026-11-23T09:00:00Z"}


@dataclass
class ScriptedPool:
    """Answers by endpoint, path and query; everything else is refused as not supported."""

    answers: dict[str, Any]
    calls: list[str] = field(default_factory=list)

    async def send(self, call: PoolCall) -> PoolOutcome:
        assert call.effect is Effect.OBSERVES
        self.calls.append(f"{call.method} {call.endpoint}{call.path}?{call.query}")
        answer = self.answers.get(f"{call.endpoint}{call.path} {call.query.partition('skip=')[2]}")
        if isinstance(answer, NoAnswer | NotSent | Refused):
            return answer
        status, body = (400, {"error": {}}) if answer is None else (200, answer)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Answered(PoolAnswer(status=status, headers=(), body=content))


def read(**answers: Any) -> PoolSessions:
    endpoints = sorted({key.partition("/")[0] for key in answers["answers"]})
    return PoolSessions(pool=ScriptedPool(**answers), endpoints=endpoints)


MANAGED, PLAIN = "p/.management/listSessions", "p/listSessions"


async def test_the_managed_list_is_read_to_its_last_page_without_following_its_links() -> None:
    link = "https://elsewhere/.management/listSessions?skip=300"
    pool = ScriptedPool(
        {
            f"{MANAGED} 0": {"value": [{**SESSION, "expiresAt": "2026-11-23T09:05:00.1234567Z"}], "nextLink": link},
            f"{MANAGED} 300": {"value": [{**SESSION, "identifier": "a-2"}], "count": 1, "nextLink": None},
        }
    )

    sessions = await PoolSessions(pool=pool, endpoints=["p"]).read()

    assert sessions[0] == PoolSession(
        identifier="a-1",
        created_at=datetime(2026, 11, 23, 9, tzinfo=UTC),
        last_accessed_at=None,
        expires_at=datetime(2026, 11, 23, 9, 5, 0, 123456, tzinfo=UTC),
    )
    assert [session.identifier for session in sessions] == ["a-1", "a-2"]
    assert all(call.startswith("POST p/.management/listSessions?api-version=") for call in pool.calls)


async def test_a_pool_that_refuses_the_managed_list_is_asked_for_the_other() -> None:
    plain = {"sessions": [{**SESSION, "expireAt": "2026-11-23T09:05:00"}]}

    [session] = await read(answers={f"{PLAIN} 0": plain}).read()

    assert session.expires_at == datetime(2026, 11, 23, 9, 5, tzinfo=UTC)


async def test_the_sessions_of_all_pools_are_one_list() -> None:
    answers = {f"{name}/listSessions 0": {"sessions": [{**SESSION, "identifier": name}]} for name in ("p", "q")}

    assert [session.identifier for session in await read(answers=answers).read()] == ["p", "q"]


async def test_a_link_that_leads_nowhere_further_ends_the_list() -> None:
    answers = {f"{MANAGED} 0": {"value": [SESSION], "nextLink": "https://p/x?skip=0"}}

    assert len(await read(answers=answers).read()) == 1


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({f"{MANAGED} 0": NoAnswer("slow")}, ErrorCode.POOL_TIMEOUT),
        ({f"{MANAGED} 0": NotSent("down")}, ErrorCode.POOL_UNAVAILABLE),
        ({f"{MANAGED} 0": Refused(PoolAnswer(status=401, headers=(), body=b""))}, ErrorCode.POOL_UNAVAILABLE),
        ({f"{MANAGED} 1": {}}, ErrorCode.POOL_UNAVAILABLE),
        ({f"{MANAGED} 0": b"<html>"}, ErrorCode.POOL_UNAVAILABLE),
        ({f"{MANAGED} 0": {"value": [{"etag": "x"}]}}, ErrorCode.POOL_UNAVAILABLE),
        ({f"{MANAGED} 0": {"value": [], "nextLink": "https://p/?skip=300"}}, ErrorCode.POOL_UNAVAILABLE),
    ],
)
async def test_what_cannot_be_read_whole_is_no_list(answers: dict[str, Any], code: ErrorCode) -> None:
    with pytest.raises(GatewayError) as refusal:
        await read(answers=answers).read()

    assert refusal.value.code is code
    assert "p/" not in refusal.value.message
