"""A session pool whose calls are timed, and carry the trace on."""

import time
from dataclasses import replace

from proxy.calls import PoolCall
from proxy.pool import Answered, NoAnswer, NotSent, PoolOutcome, Refused, SessionPool
from proxy.telemetry import Telemetry, trace_headers

_TRACE_HEADERS = ("traceparent", "tracestate")
_OUTCOMES = {Answered: "answered", Refused: "refused", NotSent: "not_sent", NoAnswer: "no_answer"}


class WatchedPool:
    """A `SessionPool` around another one."""

    def __init__(self, pool: SessionPool, telemetry: Telemetry) -> None:
        self._pool = pool
        self._telemetry = telemetry

    async def send(self, call: PoolCall) -> PoolOutcome:
        """See `SessionPool.send`."""
        began, span = time.perf_counter(), self._telemetry.pool_span()
        if span is not None:  # otherwise the caller's own trace, if it has one, goes on as it came
            kept = {name: value for name, value in call.headers.items() if name not in _TRACE_HEADERS}
            call = replace(call, headers={**kept, **trace_headers(span)})
        outcome: PoolOutcome | None = None
        try:
            outcome = await self._pool.send(call)
            return outcome
        finally:
            self._telemetry.pool_answered(
                span,
                pool=call.pool,
                operation=call.operation,
                outcome="cancelled" if outcome is None else _OUTCOMES[type(outcome)],
                status=outcome.answer.status if isinstance(outcome, Answered | Refused) else None,
                seconds=time.perf_counter() - began,
            )
