"""What goes out about a call: one trace, counts that agree with the ledger, and nothing that is a secret."""

import asyncio
import logging
import re
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from metering.entries import Kind
from metering.store import LedgerUnavailable
from proxy.calls import PoolCall
from proxy.errors import ErrorCode
from proxy.operations import Effect
from proxy.pool import Answered, NoAnswer, NotSent, PoolOutcome, Refused
from proxy.telemetry import Telemetry, is_exported
from proxy.watched_pool import WatchedPool
from tests.running import ROOT
from tests.support.building import granularity
from tests.support.gates import ENDPOINT, Gate, SilentPool, answered
from tests.support.memory_store import Fault
from tests.support.telemetry import Heard

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
FORM_TYPE = "multipart/form-data; boundary=b"
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="secret-file.csv"\r\n\r\nsecret-cells\r\n--b--\r\n'
)


def watched(**limits: Any) -> tuple[Gate, Heard]:
    heard = Heard()
    return Gate(watch=heard.telemetry, **limits), heard


async def test_one_trace_leads_from_the_tenants_call_to_the_pools() -> None:
    gate, heard = watched()
    # The worker's library does this with the trace of the host's request span, before it calls the function.
    arriving = context.attach(TraceContextTextMapPropagator().extract({"traceparent": f"00-{TRACE}-{PARENT}-01"}))
    try:
        await gate.call(traceparent=f"00-{'1' * 32}-{'2' * 16}-01", tracestate="vendor=1")
    finally:
        context.detach(arriving)

    [call], [admit], [pool] = (heard.spans(f"tollgate.{name}") for name in ("call", "admit", "pool"))
    assert call.context is not None
    assert pool.context is not None
    assert f"{call.context.trace_id:032x}" == TRACE
    assert call.parent is not None
    assert f"{call.parent.span_id:016x}" == PARENT
    assert [span.parent and span.parent.span_id for span in (admit, pool)] == [call.context.span_id] * 2
    assert pool.kind is trace.SpanKind.CLIENT
    assert gate.pool.calls[0].headers["traceparent"] == f"00-{TRACE}-{pool.context.span_id:016x}-01"
    assert "tracestate" not in gate.pool.calls[0].headers  # it belonged to the trace that the header names no more
    assert dict(call.attributes or {}) == {
        "tollgate.request_id": "req-1",
        "tollgate.tenant": "acme",
        "tollgate.pool": "default",
        "tollgate.operation": "code.execute",
        "tollgate.charged_minutes": 5.0,
        "http.response.status_code": 200,
    }


async def test_without_an_exporter_the_tenants_own_trace_goes_on_to_the_pool() -> None:
    gate = Gate(watch=Telemetry(granularity=granularity()))

    await gate.call(traceparent=f"00-{TRACE}-{PARENT}-01", tracestate="vendor=1")

    assert gate.pool.calls[0].headers["traceparent"] == f"00-{TRACE}-{PARENT}-01"
    assert gate.pool.calls[0].headers["tracestate"] == "vendor=1"
    assert not is_exported()


async def test_a_call_that_is_covered_asks_no_ledger_and_is_counted_as_a_call() -> None:
    gate, heard = watched()
    for _ in range(3):
        await gate.call()

    assert len(heard.spans("tollgate.call")) == 3
    assert len(heard.spans("tollgate.admit")) == 1
    assert heard.values("tollgate.calls") == [
        ({"tollgate.tenant": "acme", "tollgate.operation": "code.execute", "http.response.status_code": 200}, 3)
    ]
    assert heard.total("tollgate.ledger.duration") == 1
    assert heard.total("tollgate.ledger.commits") == 1


async def test_minutes_are_those_of_the_ledger() -> None:
    gate, heard = watched()
    await gate.call()
    flat = "api-version=2025-10-02-preview&identifier=session-2"
    await gate.call(path="/pools/shell/executions", query=flat, body=b'{"shellCommand": "true"}')
    gate.pool.outcome = Refused(answered(429, b""), busy=True)
    await gate.call(session="session-3")
    gate.pool.outcome = Answered(answered(204, b"", headers=()))
    await gate.call("DELETE", "/session")

    entries = [row for row, _ in gate.store.rows.values() if hasattr(row, "kind")]
    charged = sum(5 * entry.increments for entry in entries if entry.kind is Kind.CHARGE)
    taken_back = sum(5 * entry.increments for entry in entries if entry.kind is Kind.REVERSAL)
    assert heard.total("tollgate.minutes.charged") == charged > 0
    assert heard.total("tollgate.minutes.reversed") == taken_back > 0
    assert charged - taken_back == 5 * await gate.balance()
    assert {labels["tollgate.pool"] for labels, _ in heard.values("tollgate.minutes.charged")} == {"default", "shell"}


@pytest.mark.parametrize(
    ("call", "limits", "tenant", "code"),
    [
        ({"key": "nobody"}, {}, "", ErrorCode.INVALID_API_KEY),
        ({"key": "operator"}, {}, "", ErrorCode.SCOPE_NOT_ALLOWED),
        ({}, {"suspended": True}, "acme", ErrorCode.TENANT_SUSPENDED),
        ({}, {"minutes": 0}, "acme", ErrorCode.QUOTA_EXCEEDED),
        ({"path": "/nothing"}, {}, "acme", ErrorCode.OPERATION_NOT_FOUND),
        ({"path": "/python/execute", "key": "nobody"}, {}, "", ErrorCode.INVALID_API_KEY),
    ],
)
async def test_a_refusal_is_counted_by_its_code(
    call: dict[str, Any], limits: dict[str, Any], tenant: str, code: ErrorCode
) -> None:
    gate, heard = watched(**limits)

    response = await gate.call(**call)

    assert heard.values("tollgate.refusals") == [({"tollgate.tenant": tenant, "error.type": code.value}, 1)]
    [(labels, count)] = heard.values("tollgate.calls")
    assert count == 1
    assert call.get("path") == "/python/execute" or labels["http.response.status_code"] == response.status


@pytest.mark.parametrize(
    ("outcome", "name"),
    [
        (Answered(answered()), "answered"),
        (Refused(answered(401, b"")), "refused"),
        (NotSent("ClientConnectorError"), "not_sent"),
        (NoAnswer("ServerDisconnectedError"), "no_answer"),
    ],
)
async def test_a_call_to_the_pool_is_timed_by_its_outcome(outcome: PoolOutcome, name: str) -> None:
    gate, heard = watched()
    gate.pool.outcome = outcome

    await gate.call()

    labels = {"tollgate.pool": "default", "tollgate.operation": "code.execute", "tollgate.outcome": name}
    assert heard.values("tollgate.pool.duration") == [(labels, 1)]


async def test_a_call_to_the_pool_that_nobody_waits_for_any_more_is_timed_as_cancelled() -> None:
    heard, silent = Heard(), SilentPool()
    call = PoolCall(
        endpoint=ENDPOINT,
        method="POST",
        path="/code/execute",
        query="",
        headers={},
        body=b"",
        effect=Effect.EXECUTES,
        pool="default",
        operation="code.execute",
    )
    sending = asyncio.create_task(WatchedPool(silent, heard.telemetry).send(call))
    await silent.reached.wait()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending

    labels = {"tollgate.pool": "default", "tollgate.operation": "code.execute", "tollgate.outcome": "cancelled"}
    assert heard.values("tollgate.pool.duration") == [(labels, 1)]


async def test_trouble_with_the_ledger_is_counted_by_what_it_is() -> None:
    gate, heard = watched()
    faults = iter([Fault.LOST_REQUEST])
    gate.store.fault = lambda operation: next(faults, None) if operation == "commit" else None
    await gate.call()
    assert (heard.total("tollgate.ledger.retries"), heard.total("tollgate.ledger.failures")) == (1, 0)

    gate.store.fault = lambda _: Fault.UNAVAILABLE
    assert (await gate.call(session="session-2")).status == 503

    assert heard.total("tollgate.ledger.failures") == 1
    assert heard.values("tollgate.refusals") == [
        ({"tollgate.tenant": "acme", "error.type": ErrorCode.METERING_UNAVAILABLE.value}, 1)
    ]
    assert heard.spans("tollgate.admit")[-1].attributes == {"error.type": LedgerUnavailable.__name__}


async def test_the_end_of_the_chain_goes_out_with_every_commit_that_has_entries(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate, _ = watched()
    with caplog.at_level(logging.INFO, "tollgate.ledger"):
        await gate.call()
        gate.clock.set(1)
        await gate.call()  # pays for five minutes more
        await gate.call()  # is covered

    row = await gate.store.period_row("acme", gate.period())
    told = [record.getMessage() for record in caplog.records if record.name == "tollgate.ledger"]
    assert len(told) == 2
    assert told[-1] == f"ledger_head tenant=acme period={row.period} sequence=2 hash={row.head_hash}"


async def test_nothing_that_goes_out_is_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    gate, heard = watched(minutes=100)
    execute = b'{"properties": {"code": "secret_code()"}}'
    with caplog.at_level(logging.DEBUG):
        await gate.call(session="secret-name", body=execute)
        await gate.call(
            path="/files/upload", session="secret-name", body=FORM, content_type="multipart/form-data; boundary=b"
        )
        await gate.call("GET", "/files/content/secret-file.csv", session="secret-name")
        await gate.call(path="/pools/agents/secret-path", query="identifier=secret-name&q=secret-query", body=b"secret")
        await gate.call(session="secret-name", key="tg_secret", body=execute)
        await gate.call(session="secret name!", body=execute)
        for outcome in (NotSent("x"), NoAnswer("x"), Answered(answered(500, b"secret-answer"))):
            gate.pool.outcome = outcome
            await gate.call(session="secret-other", body=execute)
        gate.store.fault = lambda _: Fault.UNAVAILABLE
        await gate.call(session="secret-third", body=execute)

    gone_out = heard.everything() + caplog.text
    assert "tollgate.call" in gone_out
    assert "tollgate.refusals" in gone_out
    assert "ledger_head" in gone_out
    for secret in ("secret", ENDPOINT, "pool.example", gate.identifier("secret-name"), gate.identifier("secret-other")):
        assert secret not in gone_out


async def test_what_a_surprise_says_does_not_go_out() -> None:
    heard = Heard()

    with pytest.raises(RuntimeError), heard.telemetry.call("req-1"):
        raise RuntimeError("secret")

    assert "secret" not in heard.everything()
    assert heard.values("tollgate.refusals") == [({"tollgate.tenant": "", "error.type": "InternalError"}, 1)]


async def test_every_metric_and_span_stands_in_the_documentation_and_every_one_there_is_told() -> None:
    page = (ROOT / "docs/telemetry.md").read_text()
    gate, heard = watched()
    telemetry = heard.telemetry
    await gate.call()
    await gate.call(key="nobody")
    gate.pool.outcome = Answered(answered(204, b"", headers=()))
    await gate.call("DELETE", "/session")
    telemetry.conflicted()
    telemetry.retried()
    telemetry.gave_up()
    telemetry.pool_holds("default", 1, 2)
    telemetry.delivery("delivered")

    assert set(re.findall(r"^\| `(tollgate\.[a-z._]+)` \|", page, re.MULTILINE)) == heard.names() | {
        span.name for span in heard.spans()
    }


async def test_a_count_is_told_once_and_one_that_has_not_changed_is_not_told_again() -> None:
    gate, heard = watched()
    await gate.call()
    await gate.call(key="beta")
    first = heard.export()
    await gate.call()
    second, third = heard.export(), heard.export()

    def calls_of(told: dict[str, list[tuple[dict[str, Any], float]]]) -> dict[str, float]:
        return {labels["tollgate.tenant"]: count for labels, count in told.get("tollgate.calls", [])}

    assert calls_of(first) == {"acme": 1, "beta": 1}
    assert calls_of(second) == {"acme": 1}
    assert calls_of(third) == {}
