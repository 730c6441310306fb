"""A session pool whose calls are timed, and carry the trace on."""

from dataclasses import replace

from proxy.calls import PoolCall
from proxy.pool import Answered, NoAnswer, NotSent, PoolOutcome, Refused, SessionPool
from proxy.telemetry import PoolRecord, Telemetry

_TRACE_HEADERS = ("traceparent", "tracestate")


class WatchedPool:
    """A `SessionPool` around another one."""

    def __init__(self, pool: SessionPool, telemetry: Telemetry) -> None:
        self._pool = pool
        self._telemetry = telemetry

    async def send(self, call: PoolCall) -> PoolOutcome:
        """See `SessionPool.send`."""
        with self._telemetry.pool_call(call.pool, call.operation) as record:
            if record.trace_headers:  # otherwise the caller's own trace, if it has one, goes on as it came
                kept = {name: value for name, value in call.headers.items() if name not in _TRACE_HEADERS}
                call = replace(call, headers={**kept, **record.trace_headers})
            outcome = await self._pool.send(call)
            _note(record, outcome)
            return outcome


def _note(record: PoolRecord, outcome: PoolOutcome) -> None:
    match outcome:
        case Answered(answer):
            record.outcome, record.status = "answered", answer.status
        case Refused(answer):
            record.outcome, record.status = "refused", answer.status
        case NotSent():
            record.outcome = "not_sent"
        case NoAnswer():
            record.outcome = "no_answer"
