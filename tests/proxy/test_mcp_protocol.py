"""The MCP server as a client meets it: who may talk to it, in which revisions, and what becomes of bad messages."""

import base64
import json
import subprocess
import sys
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.mcp.methods import MESSAGE_BYTES_MAX, SERVER, UPLOAD_BYTES_MAX
from proxy.tenants import Scope
from tests.proxy.mcp_agents import META, NEW, OLD, RAN, Agent, code_of, refusal_of, result_of
from tests.running import ROOT
from tests.support.gates import Gate

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
RUN: dict[str, Any] = {"name": "run_code", "arguments": {"code": "40 + 2"}}


def hello(version: str) -> dict[str, Any]:
    return {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "agent", "version": "1"}}


# ---- beginning -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "agreed"),
    [("2024-11-05", "2024-11-05"), ("2025-03-26", "2025-03-26"), (OLD, OLD), (NEW, OLD), ("1900-01-01", OLD)],
)
async def test_a_client_gets_its_own_revision_or_the_newest_that_begins_so(wanted: str, agreed: str) -> None:
    result = result_of(await Agent().ask("initialize", hello(wanted), mcp_protocol_version=None))

    assert result["protocolVersion"] == agreed
    assert result["serverInfo"] == {"name": "Tollgate", "version": "0.1.0"}
    assert result["capabilities"] == {"tools": {}}
    assert "end it when the task is done" in result["instructions"]


async def test_a_client_that_says_nothing_of_itself_can_begin() -> None:
    """As the tutorials of Azure's own MCP servers have it."""
    result = result_of(await Agent().send(b'{"jsonrpc":"2.0","id":1,"method":"initialize"}', mcp_protocol_version=None))

    assert result["protocolVersion"] == "2025-03-26"


async def test_each_client_that_begins_gets_an_id_of_its_own() -> None:
    agent = Agent()

    first = await agent.ask("initialize", hello(OLD))
    second = await agent.ask("initialize", hello(OLD))

    assert first.headers["Mcp-Session-Id"] != second.headers["Mcp-Session-Id"]
    assert "Mcp-Session-Id" not in (await agent.send(PING)).headers


async def test_beginning_and_looking_around_costs_nothing_and_asks_no_pool() -> None:
    agent = Agent(Gate(minutes=0))

    await agent.begin()
    await agent.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    await agent.names()
    assert result_of(await agent.send(PING)) == {}

    assert agent.gate.pool.calls == []
    assert agent.gate.store.operations == []


def test_who_never_talks_to_it_does_not_wait_for_its_types() -> None:
    """Loading them takes some tenths of a second."""
    program = "import sys, proxy.bootstrap, proxy.mcp.server; sys.exit('mcp_types' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_the_server_states_the_projects_version() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == SERVER.version


# ---- the era without a beginning -----------------------------------------------------------------------------------


async def test_the_newest_revision_is_served_without_a_beginning() -> None:
    agent = Agent(modern=True)

    found = result_of(await agent.ask("server/discover"))
    ran = await agent.call("run_code", code="40 + 2")

    assert found["supportedVersions"][0] == NEW
    assert found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "Tollgate"
    assert ran["structuredContent"]["result"] == 42
    assert (ran["resultType"], ran["_meta"]["io.modelcontextprotocol/serverInfo"]["name"]) == ("complete", "Tollgate")


async def test_the_newest_revision_knows_no_sessions() -> None:
    agent = Agent(modern=True)
    agent.headers["mcp-session-id"] = "x"

    response = await agent.ask("tools/call", RUN)

    assert "Mcp-Session-Id" not in response.headers
    assert result_of(response)["structuredContent"]["session"] == "mcp"


async def test_lists_may_be_cached_by_their_caller_only() -> None:
    """They differ by the key's scopes."""
    listed = result_of(await Agent(modern=True).ask("tools/list"))

    assert (listed["cacheScope"], listed["ttlMs"]) == ("private", 0)


@pytest.mark.parametrize(
    "headers",
    [
        {"mcp_protocol_version": None},
        {"mcp_protocol_version": OLD},
        {"mcp_method": None},
        {"mcp_method": "ping"},
        {"mcp_name": None},
        {"mcp_name": "read_file"},
        {"mcp_name": "run_code, run_code"},  # as two headers arrive
        {"mcp_name": "=?base64?!?="},
    ],
)
async def test_headers_that_say_something_else_than_the_message_are_refused(headers: dict[str, str | None]) -> None:
    agent = Agent(modern=True)

    assert code_of(await agent.ask("tools/call", RUN, **headers)) == (400, -32020)
    assert agent.gate.pool.calls == []


async def test_a_name_in_a_header_may_come_in_base64() -> None:
    name = base64.b64encode(b"run_code").decode()

    response = await Agent(modern=True).ask("tools/call", RUN, mcp_name=f"=?base64?{name}?=")

    assert result_of(response)["isError"] is False


@pytest.mark.parametrize("missing", ["protocolVersion", "clientCapabilities"])
async def test_a_message_that_lacks_what_it_has_to_say_of_itself_is_refused(missing: str) -> None:
    meta = {name: value for name, value in META.items() if not name.endswith(missing)}
    message = {**PING, "method": "tools/list", "params": {"_meta": meta}}

    assert code_of(await Agent(modern=True).send(message, mcp_method="tools/list")) == (400, -32602)


@pytest.mark.parametrize("meta", [{}, {**META, "io.modelcontextprotocol/protocolVersion": "2030-01-01"}])
async def test_an_unknown_revision_is_told_which_there_are(meta: dict[str, Any]) -> None:
    message = {**PING, "params": {"_meta": meta}}

    response = await Agent().send(message, mcp_protocol_version="2030-01-01")

    assert code_of(response) == (400, -32022)
    assert json.loads(response.body)["error"]["data"]["supported"][:2] == [NEW, OLD]


async def test_what_a_revision_does_not_have_is_not_found() -> None:
    assert code_of(await Agent(modern=True).ask("initialize", hello(NEW))) == (404, -32601)
    assert code_of(await Agent(modern=True).ask("ping")) == (404, -32601)
    assert code_of(await Agent(modern=True).ask("subscriptions/listen", {"notifications": {}})) == (404, -32601)
    # Earlier clients take a 404 for the end of their session.
    assert code_of(await Agent().ask("server/discover")) == (200, -32601)
    assert code_of(await Agent().ask("prompts/list")) == (200, -32601)
    assert code_of(await Agent().ask("no/such")) == (200, -32601)


# ---- messages ------------------------------------------------------------------------------------------------------


async def test_notifications_are_taken_and_not_answered() -> None:
    message = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}

    for modern in (False, True):
        response = await Agent(modern=modern).send(message)
        assert (response.status, response.body) == (202, b"")


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"id": "\\ud800"}', b"[" * 100_000, b"1" * 5_000])
async def test_what_is_not_json_is_told_so(body: bytes) -> None:
    assert code_of(await Agent().send(body)) == (400, -32700)


@pytest.mark.parametrize(
    "message",
    [
        {},
        "ping",
        None,
        {**PING, "jsonrpc": "1.0"},
        {**PING, "id": None},
        {**PING, "id": 1.5},
        {**PING, "id": True},
        {**PING, "method": 1},
        {**PING, "params": []},
        {"jsonrpc": "2.0", "id": 1, "result": {}},
    ],
)
async def test_what_is_no_message_is_told_so(message: Any) -> None:
    response = await Agent().send(message)

    assert code_of(response) == (400, -32600)
    wanted = message.get("id") if isinstance(message, dict) else None
    assert json.loads(response.body)["id"] == (wanted if type(wanted) is int else None)


@pytest.mark.parametrize(
    "params", [None, {}, {"name": 1}, {"name": "no_such_tool"}, {"name": "run_code", "arguments": 1}]
)
async def test_a_call_of_no_tool_is_a_mistake_of_the_client(params: dict[str, Any] | None) -> None:
    assert code_of(await Agent().ask("tools/call", params)) == (200, -32602)


async def test_there_is_one_page_of_tools() -> None:
    assert code_of(await Agent().ask("tools/list", {"cursor": "2"})) == (200, -32602)


# ---- batches -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [None, "2025-03-26"])
async def test_the_revision_that_has_batches_gets_its_answers_in_order(version: str | None) -> None:
    agent = Agent()
    batch = [
        {**PING, "id": "a"},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {**PING, "id": "b", "method": "tools/call", "params": RUN},
        {**PING, "id": "c", "method": "initialize", "params": hello(OLD)},
        {"id": "d"},
    ]

    response = await agent.send(batch, mcp_protocol_version=version)

    assert response.status == 200
    answers = json.loads(response.body)
    assert [answer["id"] for answer in answers] == ["a", "b", "c", "d"]
    assert answers[1]["result"]["structuredContent"]["result"] == 42
    assert [answer["error"]["code"] for answer in answers[2:]] == [-32600, -32600]


async def test_a_batch_of_notifications_is_not_answered() -> None:
    batch = [{"jsonrpc": "2.0", "method": "notifications/initialized"}]

    assert (await Agent().send(batch, mcp_protocol_version=None)).status == 202


@pytest.mark.parametrize("batch", [[], [PING] * 17])
async def test_a_batch_has_some_messages_and_not_too_many(batch: list[Any]) -> None:
    assert code_of(await Agent().send(batch, mcp_protocol_version=None)) == (400, -32600)


@pytest.mark.parametrize("version", ["2024-11-05", "2025-06-18", OLD, NEW])
async def test_other_revisions_have_no_batches(version: str) -> None:
    assert code_of(await Agent().send([PING], mcp_protocol_version=version)) == (400, -32600)


async def test_a_batch_with_a_call_that_the_key_does_not_cover_runs_nothing() -> None:
    agent = Agent()
    agent.gate.keys.scopes = frozenset({Scope.EXECUTE})
    calls = [RUN, {"name": "list_files"}]

    batch = [{**PING, "method": "tools/call", "params": params} for params in calls]
    response = await agent.send(batch, mcp_protocol_version=None)

    assert refusal_of(response) == (403, "ScopeNotAllowed")
    assert agent.gate.pool.calls == []


# ---- HTTP ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "OPTIONS"])
async def test_there_is_no_stream_to_listen_to(method: str) -> None:
    response = await Agent().send(b"", http=method)

    assert refusal_of(response) == (405, "MethodNotAllowed")
    assert response.headers["Allow"] == "POST, DELETE"


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_of_another_type_is_refused(kind: str | None) -> None:
    assert code_of(await Agent().send(PING, content_type=kind)) == (415, -32600)


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        (None, 200),
        ("*/*", 200),
        ("application/json", 200),
        ("text/event-stream, application/json;q=0.9", 200),
        ("text/event-stream", 406),
    ],
)
async def test_who_takes_json_gets_json(accept: str | None, status: int) -> None:
    assert (await Agent().send(PING, accept=accept)).status == status


@pytest.mark.parametrize(
    "headers",
    [
        {"x_ms_apikey": None},
        {"x_ms_apikey": "nobody"},
        {"x_ms_apikey": "acme", "authorization": "Bearer beta"},
        {"x_ms_apikey": None, "x_api_key": "acme"},
    ],
)
async def test_nobody_talks_to_it_without_a_key(headers: dict[str, str | None]) -> None:
    agent = Agent()

    for method in ("POST", "GET", "DELETE"):
        response = await agent.send(PING, http=method, **headers)
        assert refusal_of(response) == (401, "InvalidApiKey")
        assert response.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "headers", [{"authorization": "Bearer acme"}, {"authorization": "Bearer acme", "x_ms_apikey": None}]
)
async def test_the_key_may_come_as_a_bearer_token(headers: dict[str, str | None]) -> None:
    assert (await Agent().send(PING, **headers)).status == 200


async def test_keys_that_reach_no_session_reach_no_server() -> None:
    agent = Agent()
    assert refusal_of(await agent.send(PING, x_ms_apikey="operator")) == (403, "ScopeNotAllowed")

    agent.gate.keys.scopes = frozenset({Scope.USAGE})
    assert refusal_of(await agent.send(PING)) == (403, "ScopeNotAllowed")


async def test_a_suspended_tenant_is_told_so() -> None:
    agent = Agent(Gate(suspended=True))

    assert refusal_of(await agent.send(PING)) == (403, "TenantSuspended")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/pools/others/mcp", "PoolNotFound"),  # which the tenant was not given
        ("/pools/nowhere/mcp", "PoolNotFound"),
        ("/pools/default/mcp/more", "OperationNotFound"),
        ("/pools/default", "OperationNotFound"),
        ("/mcp/more", "OperationNotFound"),
    ],
)
async def test_where_nothing_is_nothing_answers(path: str, code: str) -> None:
    response = await Agent(path=path).send(PING)

    assert refusal_of(response) == (404, code)


async def test_a_custom_container_answers_on_its_own_mcp_path() -> None:
    agent = Agent(path="/pools/agents/mcp", query="identifier=session-1")
    agent.pool_says({"mine": True})

    response = await agent.send(PING)

    assert json.loads(response.body) == {"mine": True}
    [call] = agent.gate.pool.calls
    assert (call.path, call.method) == ("/mcp", "POST")
    assert "x-ms-apikey" not in call.headers


@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/pools/default/mcp", "//pools/default/mcp"])
async def test_the_first_pool_is_reached_with_and_without_its_name(path: str) -> None:
    agent = Agent(path=path)

    assert (await agent.call("run_code", code="1"))["isError"] is False
    assert agent.sessions() == [agent.gate.identifier("mcp")]


async def test_the_first_pool_is_the_tenants_own_first() -> None:
    agent = Agent(Gate(pools=("shell", "default")))

    assert "run_shell_command" in await agent.names()


async def test_only_a_file_may_be_large() -> None:
    agent = Agent()
    text = "x" * MESSAGE_BYTES_MAX

    written = await agent.ask("tools/call", {"name": "write_file", "arguments": {"path": "x", "text": text}})
    run = await agent.ask("tools/call", {"name": "run_code", "arguments": {"code": text}})
    huge = await agent.send(b" " * (UPLOAD_BYTES_MAX + 1))

    assert written.status == 200
    assert [refusal_of(response) for response in (run, huge)] == [(413, "RequestTooLarge")] * 2


async def test_a_body_in_chunks_is_not_taken_for_none() -> None:
    response = await Agent().send(b"", transfer_encoding="chunked", content_length=None)

    assert refusal_of(response) == (411, "LengthRequired")


# ---- anything ------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(
    ["jsonrpc", "id", "method", "params", "name", "arguments", "_meta", "session", "code", "path", "text", *META]
)
TEXTS = st.sampled_from(
    ["2.0", "initialize", "ping", "tools/list", "tools/call", "server/discover", "run_code", "write_file", OLD, NEW]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=6),
    max_leaves=20,
)
MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": TEXTS}, optional={"id": st.integers() | st.text(), "params": VALUES}
)
HEADERS = st.fixed_dictionaries(
    {"mcp_protocol_version": st.none() | TEXTS, "mcp_method": st.none() | TEXTS, "mcp_name": st.none() | TEXTS}
)


@settings(max_examples=400, deadline=None)
@given(VALUES | MESSAGES | st.lists(MESSAGES, max_size=4), HEADERS)
async def test_whatever_is_posted_is_answered_in_the_protocols_terms(message: Any, headers: dict[str, Any]) -> None:
    agent = Agent()
    agent.pool_says(RAN)

    response = await agent.send(message, **headers)

    assert response.status in {200, 202, 400, 404}
    for part in [] if response.status == 202 else _as_list(json.loads(response.body)):
        assert part["jsonrpc"] == "2.0"
        assert ("result" in part) != ("error" in part)


@pytest.mark.parametrize("depth", [50, 250, 900])
async def test_no_depth_of_nesting_is_too_much(depth: int) -> None:
    deep: Any = 1
    for _ in range(depth):
        deep = {"a": deep}

    for modern in (False, True):
        agent = Agent(modern=modern)
        params = {"name": "run_code", "arguments": deep}
        assert result_of(await agent.ask("tools/call", params))["isError"] is True


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
