"""The MCP tools as an agent meets them: what each asks of the pool, what it costs, and what comes back."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.mcp.results import NESTED_BYTES_MAX, RESULT_BYTES_MAX
from proxy.mcp.tools import TOOLS, describe
from proxy.pool import Answered, NoAnswer, NotSent, PoolOutcome, Refused
from proxy.pools import PoolKind
from proxy.tenants import Scope
from tests.proxy.mcp_agents import PNG, RAN, Agent, last, refusal_of, result_of, text_of
from tests.support.gates import Gate, answered
from tests.support.memory_store import Fault


def ran(**result: Any) -> dict[str, Any]:
    return RAN | {"result": RAN["result"] | result}


# ---- the list ------------------------------------------------------------------------------------------------------

FILE_TOOLS = ["list_files", "read_file", "write_file"]
SESSION_TOOLS = ["new_session", "end_session"]


@pytest.mark.parametrize(
    ("path", "scopes", "names"),
    [
        ("/mcp", {Scope.EXECUTE, Scope.FILES}, ["run_code", *FILE_TOOLS, *SESSION_TOOLS]),
        ("/pools/shell/mcp", {Scope.EXECUTE, Scope.FILES}, ["run_shell_command", *FILE_TOOLS, *SESSION_TOOLS]),
        ("/mcp", {Scope.EXECUTE}, ["run_code", *SESSION_TOOLS]),
        ("/mcp", {Scope.FILES, Scope.USAGE}, FILE_TOOLS),
    ],
)
async def test_a_key_sees_the_tools_that_it_can_use(path: str, scopes: set[Scope], names: list[str]) -> None:
    agent = Agent(path=path)
    agent.gate.keys.scopes = frozenset(scopes)

    assert await agent.names() == names


async def test_a_tool_that_the_key_does_not_cover_is_refused_to_the_client() -> None:
    agent = Agent()
    agent.gate.keys.scopes = frozenset({Scope.FILES})

    response = await agent.ask("tools/call", {"name": "run_code", "arguments": {"code": "1"}})

    assert refusal_of(response) == (403, "ScopeNotAllowed")
    assert agent.gate.pool.calls == []


async def test_no_pool_has_the_tool_of_another_kind() -> None:
    for path, tool in (("/mcp", "run_shell_command"), ("/pools/shell/mcp", "run_code")):
        response = await Agent(path=path).ask("tools/call", {"name": tool, "arguments": {}})
        assert json.loads(response.body)["error"] == {"code": -32602, "message": f"Unknown tool: {tool}"}


@pytest.mark.parametrize("row", TOOLS, ids=lambda row: row.name)
def test_a_tool_says_what_it_takes_in_plain_words(row: Any) -> None:
    tool = describe(row, next(iter(row.kinds)))

    assert "{" not in (tool.description or "")
    properties = tool.input_schema.get("properties", {})
    assert all(part["description"] and part["type"] in {"string", "integer"} for part in properties.values())
    assert tool.input_schema["additionalProperties"] is False
    assert tool.annotations is not None
    assert tool.annotations.read_only_hint == (row.name in {"list_files", "read_file"})


def test_code_is_called_by_its_language() -> None:
    [row] = [row for row in TOOLS if row.name == "run_code"]

    assert "Python code" in str(describe(row, PoolKind.PYTHON).description)
    assert "JavaScript (Node.js) code" in str(describe(row, PoolKind.NODE).description)


# ---- running -------------------------------------------------------------------------------------------------------


async def test_code_runs_as_any_call_does_and_says_what_it_cost() -> None:
    agent = Agent(Gate(minutes=60, body_bytes_max=1_000))
    await agent.begin()

    result = await agent.call("run_code", code="40 + 2", timeout_seconds=9)

    assert result["isError"] is False
    assert result["structuredContent"] == {
        "session": "mcp-minted-1",
        "status": "Succeeded",
        "stdout": "hello\n",
        "stderr": "",
        "result": 42,
        "milliseconds": 7,
    }
    assert text_of(result) == "hello\nResult: 42"
    assert result["_meta"]["tollgate/charged-minutes"] == 5
    assert result["_meta"]["tollgate/paid-until"] == "2026-11-23T09:05:00Z"
    assert result["_meta"]["tollgate/session"] == "new"
    assert result["_meta"]["tollgate/request-id"] == "req-1-1"
    assert '"period";r=55;' in result["_meta"]["tollgate/rate-limit"]
    call = last(agent)
    assert (call.method, call.path) == ("POST", "/executions")
    assert call.query == f"identifier={agent.gate.identifier('mcp-minted-1')}&api-version=2025-02-02-preview"
    assert json.loads(call.body) == {
        "codeInputType": "Inline",
        "executionType": "Synchronous",
        "code": "40 + 2",
        "timeoutInSeconds": 9,
    }
    [entry] = await agent.gate.store.entries("acme", agent.gate.period(), after=0, limit=9)
    assert (entry.session_name, entry.operation, entry.request_id) == ("mcp-minted-1", "executions.create", "req-1-1")


async def test_a_session_that_is_paid_for_costs_nothing() -> None:
    agent = Agent()
    await agent.call("run_code", code="1")
    agent.gate.clock.set(1)
    await agent.call("run_code", code="1")
    agent.gate.clock.set(200)

    result = await agent.call("run_code", code="1")

    assert result["_meta"]["tollgate/charged-minutes"] == 0
    assert result["_meta"]["tollgate/session"] == "existing"


async def test_neither_the_key_nor_the_sessions_name_reaches_the_pool() -> None:
    agent = Agent()

    await agent.call("run_code", code="1", session="my-name")

    assert not any(word in repr(last(agent)) for word in ("my-name", "acme'", "Bearer", "apikey"))


async def test_a_trace_goes_on_and_nothing_else() -> None:
    agent = Agent()
    agent.headers |= {"traceparent": "00-1-2-01", "cookie": "c", "x-forwarded-for": "10.0.0.1"}

    await agent.call("run_code", code="1")

    assert last(agent).headers["traceparent"] == "00-1-2-01"
    assert "cookie" not in last(agent).headers


async def test_a_failed_run_shows_the_traceback() -> None:
    agent = Agent()
    agent.pool_says({**ran(stdout="before\n", stderr="ZeroDivisionError: no", executionResult=""), "status": "Failed"})

    result = await agent.call("run_code", code="1/0")

    assert result["isError"] is True
    assert text_of(result) == "before\nZeroDivisionError: no"
    assert result["structuredContent"]["status"] == "Failed"
    assert result["_meta"]["tollgate/charged-minutes"] == 5


async def test_a_plot_comes_as_an_image_and_once() -> None:
    agent = Agent()
    agent.pool_says(ran(stdout="", executionResult={"type": "image", "format": "png", "base64_data": PNG}))

    result = await agent.call("run_code", code="plot()")

    assert result["content"] == [{"type": "image", "data": PNG, "mimeType": "image/png"}]
    assert result["structuredContent"]["result"] == {"type": "image", "format": "png"}


@pytest.mark.parametrize(
    "value",
    [
        {"type": "image", "format": "png", "base64_data": "no base64"},
        {"type": "image", "format": "png\r\nx: y", "base64_data": PNG},
        {"type": "image"},
        {"type": "table", "base64_data": PNG, "format": "png"},
    ],
)
async def test_what_only_looks_like_an_image_stays_what_it_is(value: dict[str, Any]) -> None:
    agent = Agent()
    agent.pool_says(ran(executionResult=value))

    result = await agent.call("run_code", code="1")

    assert result["structuredContent"]["result"] == value
    assert [part["type"] for part in result["content"]] == ["text"]


async def test_code_that_says_nothing_is_told_to_have_run() -> None:
    agent = Agent()
    agent.pool_says(ran(stdout="", executionResult=""))

    assert text_of(await agent.call("run_code", code="x = 1")) == "Done; nothing was printed."


@pytest.mark.parametrize(("status", "exit_status"), [("0", 0), ("2", 2), ("Failed", None)])
async def test_a_command_has_its_exit_status(status: str, exit_status: int | None) -> None:
    agent = Agent(path="/pools/shell/mcp")
    agent.pool_says({**ran(stdout="out\n", stderr="err\n"), "status": status})

    result = await agent.call("run_shell_command", command="grep x y")

    assert json.loads(last(agent).body) == {"shellCommand": "grep x y"}
    assert result["structuredContent"]["exit_status"] == exit_status
    assert result["isError"] is (exit_status != 0)
    assert text_of(result) == "out\nerr" + ("" if exit_status == 0 else f"\nExit status: {status}")
    assert agent.sessions() == [agent.gate.identifier("mcp", pool="shell")]


# ---- refusals ------------------------------------------------------------------------------------------------------


async def test_a_quota_that_is_used_up_is_told_to_the_model() -> None:
    agent = Agent(Gate(minutes=5))
    await agent.call("run_code", code="1")

    result = await agent.call("run_code", code="1", session="another")

    assert result["isError"] is True
    assert text_of(result).startswith("QuotaExceeded: This call needs 5 more session minutes; 0 are left")
    assert result["_meta"]["tollgate/error"]["neededMinutes"] == 5
    assert "structuredContent" not in result
    assert len(agent.gate.pool.calls) == 1


async def test_a_session_too_many_is_told_with_the_time_to_wait() -> None:
    agent = Agent(Gate(max_concurrent_sessions=1))
    await agent.call("run_code", code="1")

    result = await agent.call("run_code", code="1", session="another")

    assert text_of(result).startswith("TooManySessions: ")
    assert text_of(result).endswith("Try again in 300 s.")


async def test_calls_too_fast_are_told_to_the_model() -> None:
    agent = Agent(Gate(calls_per_minute=1))
    await agent.call("run_code", code="1")

    assert text_of(await agent.call("run_code", code="1")).startswith("TooManyCalls: ")


async def test_a_ledger_out_of_reach_is_told_to_the_model() -> None:
    agent = Agent(Gate(minutes=60))
    agent.gate.store.fault = lambda _: Fault.UNAVAILABLE

    assert text_of(await agent.call("run_code", code="1")).startswith("MeteringUnavailable: ")
    assert agent.gate.pool.calls == []


@pytest.mark.parametrize(
    ("outcome", "code", "charged"),
    [
        (NotSent("x"), "PoolUnavailable", 0),
        (Refused(answered(429), busy=True), "PoolBusy", 0),
        (NoAnswer("x"), "PoolTimeout", 5),
        (Answered(answered(500)), "PoolUnavailable", 5),
        (Answered(answered(200, b"{")), "PoolAnswerInvalid", 5),
        (Answered(answered(404, {"error": {"code": "FileNotFound", "message": "m"}})), "FileNotFound", 5),
    ],
)
async def test_trouble_with_the_pool_is_told_with_what_it_cost(outcome: PoolOutcome, code: str, charged: int) -> None:
    agent = Agent()
    agent.gate.pool.outcome = outcome

    result = await agent.call("run_code", code="1")

    assert result["isError"] is True
    assert text_of(result).startswith(f"{code}: ")
    assert result["_meta"]["tollgate/error"]["code"] == code
    assert result["_meta"]["tollgate/charged-minutes"] == charged


async def test_a_key_that_ends_between_two_looks_is_refused_to_the_client() -> None:
    agent = Agent()
    proven = agent.gate.keys

    async def gone(request: Any) -> Any:
        proven.tenants.clear()
        return await agent.gate.gateway.handle(request)

    agent.server._gateway = gone
    response = await agent.ask("tools/call", {"name": "run_code", "arguments": {"code": "1"}})

    assert refusal_of(response) == (401, "InvalidApiKey")


@pytest.mark.parametrize(
    ("tool", "arguments", "about"),
    [
        ("run_code", {}, "code"),
        ("run_code", {"code": 1}, "code"),
        ("run_code", {"code": "1", "timeout": 5}, "timeout"),
        ("run_code", {"code": "1", "timeout_seconds": 221}, "timeout_seconds"),
        ("run_code", {"code": "1", "timeout_seconds": 0}, "timeout_seconds"),
        ("run_code", {"code": "1", "session": "x" * 129}, "session"),
        ("run_code", {"code": None}, "code"),
        ("run_code", {"code": "1", "session": "a\nb"}, "identifier"),
        ("new_session", {"session": "x"}, "session"),
        ("read_file", {"path": ""}, "path"),
        ("read_file", {"path": "/mnt/data/"}, "path"),
        ("read_file", {"path": "../x"}, "path"),
        ("read_file", {"path": "/etc/passwd"}, "/mnt/data"),
        ("list_files", {"path": "/mnt"}, "/mnt/data"),
        ("list_files", {"path": "a/../../b"}, "path"),
        ("write_file", {"path": "a/..", "text": ""}, "filename"),
        ("write_file", {"path": 'a"b', "text": ""}, "path"),
        ("write_file", {"path": "a\r\nb", "text": ""}, "path"),
        ("write_file", {"path": "a"}, "text"),
        ("write_file", {"path": "a", "text": "", "base64": ""}, "text"),
        ("write_file", {"path": "a", "base64": "?"}, "base64"),
    ],
)
async def test_arguments_that_cannot_be_right_are_told_to_the_model_and_cost_nothing(
    tool: str, arguments: dict[str, Any], about: str
) -> None:
    agent = Agent()

    result = await agent.call(tool, **arguments)

    assert result["isError"] is True
    assert about in text_of(result)
    assert agent.gate.pool.calls == []
    assert await agent.gate.balance() == 0


async def test_what_is_left_out_may_also_be_null() -> None:
    agent = Agent()

    result = await agent.call("run_code", code="1", session=None, timeout_seconds=None)

    assert result["isError"] is False
    assert "timeoutInSeconds" not in json.loads(last(agent).body)


@pytest.mark.parametrize("value", ["x" * RESULT_BYTES_MAX, [1] * NESTED_BYTES_MAX, {"a": "x" * NESTED_BYTES_MAX}])
async def test_an_answer_that_is_too_large_is_told_to_be_so(value: Any) -> None:
    agent = Agent()
    agent.pool_says(ran(executionResult=value))

    result = await agent.call("run_code", code="1")

    assert text_of(result).startswith("AnswerTooLarge: ")
    assert result["_meta"]["tollgate/charged-minutes"] == 5


# ---- anything ------------------------------------------------------------------------------------------------------


def values(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=12,
    )


SOUND = values(st.text(max_size=8))
ROUGH = values(st.text(max_size=8) | st.just("\ud800"))  # code can make half characters
ANSWERS = SOUND | st.fixed_dictionaries(
    {},
    optional={
        "status": SOUND | st.just("Succeeded"),
        "result": ROUGH
        | st.fixed_dictionaries({}, optional={"stdout": ROUGH, "stderr": ROUGH, "executionResult": ROUGH}),
        "error": SOUND,
        "value": ROUGH | st.lists(st.dictionaries(st.sampled_from(["name", "type", "sizeInBytes"]), ROUGH)),
    },
)
CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("/mcp", "run_code", {"code": "1"}),
    ("/pools/shell/mcp", "run_shell_command", {"command": "x"}),
    ("/mcp", "list_files", {}),
    ("/mcp", "read_file", {"path": "x"}),
    ("/mcp", "write_file", {"path": "x", "text": ""}),
    ("/mcp", "end_session", {}),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CALLS), ANSWERS, st.sampled_from([200, 200, 204, 400, 404]))
async def test_whatever_a_session_answers_becomes_a_result(
    call: tuple[str, str, dict[str, Any]], document: Any, status: int
) -> None:
    path, tool, arguments = call
    agent = Agent(path=path, modern=tool != "run_code")
    agent.gate.pool.outcome = Answered(answered(status, json.dumps(document).encode()))

    result = await agent.call(tool, **arguments)

    [row] = [row for row in TOOLS if row.name == tool]
    assert ("structuredContent" in result) or result["isError"] or row.output is None
    if "structuredContent" in result:
        assert row.output is not None
        row.output.model_validate(result["structuredContent"], strict=True)
    json.dumps(result, allow_nan=False)


@pytest.mark.parametrize("depth", [100, 900, 100_000])
async def test_a_result_of_any_depth_is_passed_on(depth: int) -> None:
    agent = Agent()
    body = json.dumps(RAN).replace("42", "[" * depth + "]" * depth)
    agent.gate.pool.outcome = Answered(answered(200, body.encode()))

    result = await agent.call("run_code", code="1")

    assert ("structuredContent" in result) or text_of(result).startswith("PoolAnswerInvalid: ")


async def test_a_number_of_any_length_is_passed_on() -> None:
    agent = Agent()
    body = json.dumps(RAN).replace("42", "9" * 5_000)
    agent.gate.pool.outcome = Answered(answered(200, body.encode()))

    result = await agent.call("run_code", code="10**5000")

    assert result["isError"] is True or result["structuredContent"]["result"] == "9" * 5_000


async def test_the_result_is_told_in_the_ids_own_words() -> None:
    response = await Agent().send({"jsonrpc": "2.0", "id": "ü", "method": "ping"})

    assert json.loads(response.body)["id"] == "ü"
    assert result_of(await Agent().ask("ping")) == {}
