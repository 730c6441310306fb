"""Sessions as agents meet them over MCP: whose they are, and how they end."""

import pytest

from proxy.pool import Answered, NotSent
from proxy.tenants import Scope
from tests.proxy.mcp_agents import Agent, last, refusal_of, text_of
from tests.support.building import granularity
from tests.support.gates import Gate, answered, error_of


async def test_two_agents_of_a_tenant_do_not_meet_unless_they_want_to() -> None:
    gate = Gate()
    first, second = Agent(gate), Agent(gate)
    second.server = first.server
    await first.begin()
    await second.begin()

    for agent in (first, second):
        await agent.call("run_code", code="1")
        await agent.call("run_code", code="1", session="shared")

    one, shared, other, again = first.sessions()
    assert shared == again
    assert len({one, other, shared}) == 3


async def test_two_tenants_never_meet() -> None:
    gate = Gate()
    for key in ("acme", "beta"):
        agent = Agent(gate, key=key)
        agent.headers["mcp-session-id"] = "the-same"
        await agent.call("run_code", code="1", session="the-same")
        await agent.call("run_code", code="1")

    assert len(set(agent.sessions())) == 4


async def test_a_new_session_is_a_name_and_costs_nothing() -> None:
    agent = Agent(modern=True)

    named = await agent.call("new_session")

    session = named["structuredContent"]["session"]
    assert text_of(named) == f'Pass session="{session}" in every call that is to use it.'
    assert agent.gate.pool.calls == []
    assert (await agent.call("run_code", code="1", session=session))["structuredContent"]["session"] == session
    assert agent.sessions() == [agent.gate.identifier(session)]


async def test_ending_a_session_gives_back_what_had_not_begun() -> None:
    agent = Agent(Gate(of=granularity(60, 300)))
    await agent.call("run_code", code="1")
    agent.gate.clock.set(30)
    agent.gate.pool.outcome = Answered(answered(204, b""))

    result = await agent.call("end_session")

    assert (last(agent).method, last(agent).path) == ("DELETE", "/session")
    assert result["_meta"]["tollgate/reversed-minutes"] == 4
    assert result["structuredContent"] == {"session": "mcp"}


async def test_a_client_that_leaves_ends_its_own_session() -> None:
    agent = Agent(Gate(of=granularity(60, 300)))
    await agent.begin()
    await agent.call("run_code", code="1")
    agent.gate.clock.set(30)
    agent.gate.pool.outcome = Answered(answered(204, b""))

    response = await agent.send(b"", http="DELETE")

    assert (response.status, response.body) == (204, b"")
    assert response.headers["Tollgate-Reversed-Minutes"] == "4"
    assert agent.sessions() == [agent.gate.identifier("mcp-minted-1")] * 2


@pytest.mark.parametrize("code", ["SessionWithIdentifierNotFound", "SessionNotFound"])
async def test_a_client_that_leaves_without_having_used_its_session_may_go(code: str) -> None:
    """Clients tell their users, or fail, if they are not let go."""
    agent = Agent()
    await agent.begin()
    agent.pool_says({"error": {"code": code, "message": "m"}}, 400)

    assert (await agent.send(b"", http="DELETE")).status == 204
    assert text_of(await agent.call("end_session")).startswith(code)


async def test_a_client_that_leaves_while_the_pool_is_away_is_told_so() -> None:
    agent = Agent()
    agent.headers["mcp-session-id"] = "x"
    agent.gate.pool.outcome = NotSent("x")

    response = await agent.send(b"", http="DELETE")

    assert (response.status, error_of(response)["code"]) == (502, "PoolUnavailable")


async def test_who_has_no_session_cannot_leave_one() -> None:
    response = await Agent().send(b"", http="DELETE")

    assert refusal_of(response) == (400, "SessionRequestValidationFailed")


async def test_a_key_that_cannot_end_sessions_is_not_expected_to() -> None:
    agent = Agent()
    await agent.begin()
    agent.gate.keys.scopes = frozenset({Scope.FILES})

    response = await agent.send(b"", http="DELETE")

    assert refusal_of(response) == (405, "MethodNotAllowed")
    assert response.headers["Allow"] == "POST"
