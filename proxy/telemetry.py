"""Spans and metrics, by OpenTelemetry's API; without an SDK in the process all of it does nothing.

Rules of this file: what goes out is counted here and nowhere else, so that one page shows that none of it is a key, a
token, code, the content of a file, or a session's name. Labels are few: the tenant's id, names of pools and operations,
codes. Nothing here waits for anything: the SDK exports from a thread of its own. Texts of exceptions, which may hold
anything, do not go out with spans.

docs/telemetry.md lists the names.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType

from opentelemetry import context, metrics, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from metering.entries import Kind
from metering.increments import Granularity
from metering.ledger import Decision
from proxy.errors import ERRORS, ErrorCode, GatewayError
from proxy.tenants import DEFAULT_POOL

SCOPE = "tollgate"
SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 240]  # bounds of the histograms

_TRACE_CONTEXT = TraceContextTextMapPropagator()
_ledger_log = logging.getLogger("tollgate.ledger")


@dataclass(slots=True)
class CallRecord:
    """What becomes known of a tenant's call on its way; empty until it is."""

    tenant_id: str = ""
    pool: str = ""
    operation: str = ""
    status: int = 0
    charged_minutes: Decimal | None = None


class _Counter:
    """Counts by the values of its labels. The SDK reads the sums when it exports, so a call pays for an addition.

    A sum that has not changed since it was read is not told again: an exporter of differences, such as Azure's, would
    send a zero for each tenant that ever called, every minute.
    """

    def __init__(self, meter: metrics.Meter, name: str, unit: str, description: str, *labels: str) -> None:
        self._labels = labels
        self._sums: dict[tuple[str | int, ...], float] = {}
        self._told: dict[tuple[str | int, ...], float] = {}
        meter.create_observable_counter(f"tollgate.{name}", [self._observe], unit=unit, description=description)

    def add(self, amount: float, *values: str | int) -> None:
        """Add to the sum of these labels' values, given in their order."""
        self._sums[values] = self._sums.get(values, 0) + amount

    def _observe(self, _: metrics.CallbackOptions) -> list[metrics.Observation]:
        """Tell the sums; in the SDK's thread, which sees the dictionary as it is between two additions."""
        changed = {values: total for values, total in list(self._sums.items()) if total != self._told.get(values)}
        self._told.update(changed)
        return [
            metrics.Observation(total, dict(zip(self._labels, values, strict=True)))
            for values, total in changed.items()
        ]


class _Gauge:
    """Tells a value once. The SDK's own would repeat it for ever, in an instance that looks no more."""

    def __init__(self, meter: metrics.Meter, name: str, unit: str, description: str, *labels: str) -> None:
        self._labels = labels
        self._values: dict[tuple[str, ...], float] = {}
        meter.create_observable_gauge(f"tollgate.{name}", [self._observe], unit=unit, description=description)

    def set(self, value: float, *values: str) -> None:
        """Have a value told at the next export, for these labels' values."""
        self._values[values] = value

    def _observe(self, _: metrics.CallbackOptions) -> list[metrics.Observation]:
        return [
            metrics.Observation(self._values.pop(values), dict(zip(self._labels, values, strict=True)))
            for values in list(self._values)
        ]


class Telemetry:
    """Tells of calls, of the ledger (a `metering.watch.LedgerWatch`), of pools and of alerts; safe in any task.

    Args:
        granularity: in which increments become minutes.
        tracers, meters: where it goes; the process's own, if left out.
    """

    def __init__(
        self,
        *,
        granularity: Granularity,
        tracers: trace.TracerProvider | None = None,
        meters: metrics.MeterProvider | None = None,
    ) -> None:
        self._granularity = granularity
        self._tracer = trace.get_tracer(SCOPE, tracer_provider=tracers)
        meter = metrics.get_meter(SCOPE, meter_provider=meters)

        def counter(name: str, unit: str, description: str, *labels: str) -> _Counter:
            return _Counter(meter, name, unit, description, *labels)

        def seconds(name: str, description: str) -> metrics.Histogram:
            return meter.create_histogram(
                f"tollgate.{name}", unit="s", description=description, explicit_bucket_boundaries_advisory=SECONDS
            )

        minutes = ("tollgate.tenant", "tollgate.pool")
        self._calls = counter(
            "calls", "{call}", "Calls of tenants", "tollgate.tenant", "tollgate.operation", "http.response.status_code"
        )
        self._refusals = counter(
            "refusals", "{call}", "Calls answered with an error of Tollgate's own", "tollgate.tenant", "error.type"
        )
        self._charged = counter("minutes.charged", "min", "Session minutes charged", *minutes)
        self._reversed = counter("minutes.reversed", "min", "Session minutes taken back", *minutes)
        self._commits = counter("ledger.commits", "{transaction}", "Transactions that hold")
        self._conflicts = counter("ledger.conflicts", "{transaction}", "Attempts that another instance was ahead of")
        self._retries = counter("ledger.retries", "{transaction}", "Further attempts, whatever the reason")
        self._failures = counter("ledger.failures", "{transaction}", "Commits that were given up")
        self._deliveries = counter("alerts.deliveries", "{alert}", "Attempts to deliver an alert", "tollgate.outcome")
        self._ledger_seconds = seconds("ledger.duration", "From an admission's request to the ledger's answer")
        self._pool_seconds = seconds("pool.duration", "From a call to the pool to its outcome")
        self._held = _Gauge(meter, "pool.sessions", "{session}", "Sessions held", "tollgate.pool")
        self._limit = _Gauge(meter, "pool.sessions.limit", "{session}", "Sessions at most", "tollgate.pool")

    def call(self, request_id: str) -> "_WatchedCall":
        """Stand around a tenant's call, and count it by what its record holds in the end."""
        return _WatchedCall(
            self, self._tracer.start_span("tollgate.call", attributes={"tollgate.request_id": request_id})
        )

    def ended(self, span: trace.Span, record: CallRecord, refusal: ErrorCode | None) -> None:
        """Count a call that has ended, and end its span."""
        status = record.status if refusal is None else ERRORS[refusal].status
        self._calls.add(1, record.tenant_id, record.operation, status)
        if refusal is not None:
            self._refusals.add(1, record.tenant_id, refusal.value)
        if span.is_recording():
            span.set_attribute("tollgate.tenant", record.tenant_id)
            span.set_attribute("tollgate.pool", record.pool)
            span.set_attribute("tollgate.operation", record.operation)
            span.set_attribute("http.response.status_code", status)
            if record.charged_minutes is not None:
                span.set_attribute("tollgate.charged_minutes", float(record.charged_minutes))
            if refusal is not None:
                span.set_attribute("error.type", refusal.value)
                if ERRORS[refusal].status >= 500:
                    span.set_status(trace.StatusCode.ERROR)
        span.end()

    def pool_span(self) -> trace.Span | None:
        """Begin the span of a call to the pool; None if the trace that it would be part of is not kept."""
        if not trace.get_current_span().is_recording():
            return None
        return self._tracer.start_span("tollgate.pool", kind=trace.SpanKind.CLIENT)

    def pool_answered(
        self, span: trace.Span | None, *, pool: str, operation: str, outcome: str, status: int | None, seconds: float
    ) -> None:
        """Time a call to the pool, and end its span.

        `outcome` is `answered`, `refused`, `not_sent`, `no_answer`, or `cancelled` if nobody waited for it any more.
        """
        labels = {"tollgate.pool": pool, "tollgate.operation": operation, "tollgate.outcome": outcome}
        self._pool_seconds.record(seconds, labels)
        if span is not None:
            span.set_attributes(labels)
            if status is not None:
                span.set_attribute("http.response.status_code", status)
            if outcome != "answered":
                span.set_status(trace.StatusCode.ERROR)
            span.end()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """See `LedgerWatch.asking`."""
        began = time.perf_counter()
        with self._tracer.start_as_current_span(
            "tollgate.admit", record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                yield
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(trace.StatusCode.ERROR)
                raise
            finally:
                self._ledger_seconds.record(time.perf_counter() - began)

    def committed(self, tenant_id: str, decision: Decision) -> None:
        """See `LedgerWatch.committed`; the chain's new end goes out too, since storage alone cannot prove it."""
        self._commits.add(1)
        for entry in decision.entries:
            minutes = float(self._granularity.minutes(entry.increments))
            if entry.kind is Kind.CHARGE:
                self._charged.add(minutes, tenant_id, _pool_of(entry.operation))
            elif entry.kind is Kind.REVERSAL:
                self._reversed.add(minutes, tenant_id, _pool_of(entry.operation))
        if decision.entries:
            head = decision.entries[-1]
            _ledger_log.info(
                "ledger_head tenant=%s period=%s sequence=%d hash=%s", tenant_id, head.period, head.sequence, head.hash
            )

    def conflicted(self) -> None:
        """See `LedgerWatch.conflicted`."""
        self._conflicts.add(1)

    def retried(self) -> None:
        """See `LedgerWatch.retried`."""
        self._retries.add(1)

    def gave_up(self) -> None:
        """See `LedgerWatch.gave_up`."""
        self._failures.add(1)

    def pool_holds(self, pool: str, sessions: int, limit: int) -> None:
        """Tell how many sessions a pool holds, and how many it can."""
        self._held.set(sessions, pool)
        self._limit.set(limit, pool)

    def delivery(self, outcome: str) -> None:
        """Tell what came of an attempt to deliver an alert: `delivered`, `failed` or `given_up`."""
        self._deliveries.add(1, outcome)


class _WatchedCall:
    """A tenant's call under way, in whose context the spans below it find its own.

    A class, since a generator's context manager would cost the warm call more than what it does.
    """

    __slots__ = ("_record", "_span", "_telemetry", "_token")

    def __init__(self, telemetry: Telemetry, span: trace.Span) -> None:
        self._telemetry = telemetry
        self._span = span
        self._record = CallRecord()

    def __enter__(self) -> CallRecord:
        self._token = context.attach(trace.set_span_in_context(self._span))
        return self._record

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        context.detach(self._token)
        refusal = None
        if isinstance(error, GatewayError):
            refusal = error.code
        elif isinstance(error, Exception):
            refusal = ErrorCode.INTERNAL_ERROR
        self._telemetry.ended(self._span, self._record, refusal)


def trace_headers(span: trace.Span) -> dict[str, str]:
    """Write the headers that make what is called a part of the span's trace."""
    headers: dict[str, str] = {}
    _TRACE_CONTEXT.inject(headers, trace.set_span_in_context(span))
    return headers


def _pool_of(operation: str | None) -> str:
    """Read the pool's name out of an entry's operation (see `identifiers.qualified`)."""
    pool, slash, _ = (operation or "").rpartition("/")
    return pool if slash else DEFAULT_POOL


def is_exported() -> bool:
    """Say whether somebody has started an SDK in this process, so that what is told goes somewhere."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
