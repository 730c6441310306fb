"""Spans and metrics, by OpenTelemetry's API; without an SDK in the process all of it does nothing.

Rules of this file: what goes out is counted here and nowhere else, so that one page shows that none of it is a key, a
token, code, the content of a file, or a session's name. Labels are few: the tenant's id, names of pools and operations,
codes. Nothing here waits for anything: the SDK exports from a thread of its own. Texts of exceptions, which may hold
anything, do not go out with spans.

docs/telemetry.md lists the names.
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from opentelemetry import metrics, trace
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


@dataclass(slots=True)
class PoolRecord:
    """What becomes known of a call to the pool.

    Attributes:
        trace_headers: what the pool is to be sent, so that it carries the trace on; empty if there is none.
        outcome: `answered`, `refused`, `not_sent` or `no_answer`.
        status: of the pool's answer, if there is one.
    """

    trace_headers: Mapping[str, str] = field(default_factory=dict)
    outcome: str = "cancelled"
    status: int | None = None


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

        def counter(name: str, unit: str, description: str) -> metrics.Counter:
            return meter.create_counter(f"tollgate.{name}", unit=unit, description=description)

        def seconds(name: str, description: str) -> metrics.Histogram:
            return meter.create_histogram(
                f"tollgate.{name}", unit="s", description=description, explicit_bucket_boundaries_advisory=SECONDS
            )

        self._calls = counter("calls", "{call}", "Calls of tenants")
        self._refusals = counter("refusals", "{call}", "Calls that Tollgate answered with an error of its own")
        self._charged = counter("minutes.charged", "min", "Session minutes charged")
        self._reversed = counter("minutes.reversed", "min", "Session minutes taken back")
        self._commits = counter("ledger.commits", "{transaction}", "Transactions that hold")
        self._conflicts = counter("ledger.conflicts", "{transaction}", "Attempts that another instance was ahead of")
        self._retries = counter("ledger.retries", "{transaction}", "Further attempts, whatever the reason")
        self._failures = counter("ledger.failures", "{transaction}", "Commits that were given up")
        self._ledger_seconds = seconds("ledger.duration", "From an admission's request to the ledger's answer")
        self._pool_seconds = seconds("pool.duration", "From a call to the pool to its outcome")
        self._held = meter.create_gauge("tollgate.pool.sessions", unit="{session}", description="Sessions held")
        self._limit = meter.create_gauge(
            "tollgate.pool.sessions.limit", unit="{session}", description="Sessions at most"
        )
        self._deliveries = counter("alerts.deliveries", "{alert}", "Attempts to deliver an alert")

    @contextmanager
    def call(self, request_id: str) -> Iterator[CallRecord]:
        """Stand around a tenant's call, and count it by what its record holds in the end."""
        record = CallRecord()
        with self._span("tollgate.call", {"tollgate.request_id": request_id}) as span:
            try:
                yield record
            except GatewayError as refusal:
                record.status = ERRORS[refusal.code].status
                self._refused(span, record.tenant_id, refusal.code)
                raise
            except Exception:
                record.status = ERRORS[ErrorCode.INTERNAL_ERROR].status
                self._refused(span, record.tenant_id, ErrorCode.INTERNAL_ERROR)
                raise
            finally:
                labels: dict[str, str | int] = {
                    "tollgate.tenant": record.tenant_id,
                    "tollgate.operation": record.operation,
                    "http.response.status_code": record.status,
                }
                self._calls.add(1, labels)
                if span.is_recording():
                    span.set_attributes(labels)
                    span.set_attribute("tollgate.pool", record.pool)
                    if record.charged_minutes is not None:
                        span.set_attribute("tollgate.charged_minutes", float(record.charged_minutes))

    @contextmanager
    def pool_call(self, pool: str, operation: str) -> Iterator[PoolRecord]:
        """Stand around a call to the pool; its record says what to send along, and is told what came of it."""
        record, began = PoolRecord(), time.perf_counter()
        with self._span("tollgate.pool", {}, kind=trace.SpanKind.CLIENT) as span:
            headers: dict[str, str] = {}
            _TRACE_CONTEXT.inject(headers)
            record.trace_headers = headers
            try:
                yield record
            finally:
                labels = {
                    "tollgate.pool": pool,
                    "tollgate.operation": operation,
                    "tollgate.outcome": record.outcome,
                }
                self._pool_seconds.record(time.perf_counter() - began, labels)
                if span.is_recording():
                    span.set_attributes(labels)
                    if record.status is not None:
                        span.set_attribute("http.response.status_code", record.status)
                    if record.outcome != "answered":
                        span.set_status(trace.StatusCode.ERROR)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """See `LedgerWatch.asking`."""
        began = time.perf_counter()
        with self._span("tollgate.admit", {}) as span:
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
            labels = {"tollgate.tenant": tenant_id, "tollgate.pool": _pool_of(entry.operation)}
            if entry.kind is Kind.CHARGE:
                self._charged.add(minutes, labels)
            elif entry.kind is Kind.REVERSAL:
                self._reversed.add(minutes, labels)
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
        self._held.set(sessions, {"tollgate.pool": pool})
        self._limit.set(limit, {"tollgate.pool": pool})

    def delivery(self, outcome: str) -> None:
        """Tell what came of an attempt to deliver an alert: `delivered`, `failed` or `given_up`."""
        self._deliveries.add(1, {"tollgate.outcome": outcome})

    def _refused(self, span: trace.Span, tenant_id: str, code: ErrorCode) -> None:
        self._refusals.add(1, {"tollgate.tenant": tenant_id, "error.type": code.value})
        span.set_attribute("error.type", code.value)
        if ERRORS[code].status >= 500:
            span.set_status(trace.StatusCode.ERROR)

    @contextmanager
    def _span(
        self, name: str, attributes: Mapping[str, str], *, kind: trace.SpanKind = trace.SpanKind.INTERNAL
    ) -> Iterator[trace.Span]:
        with self._tracer.start_as_current_span(
            name, kind=kind, attributes=attributes, record_exception=False, set_status_on_exception=False
        ) as span:
            yield span


def _pool_of(operation: str | None) -> str:
    """Read the pool's name out of an entry's operation (see `identifiers.qualified`)."""
    pool, slash, _ = (operation or "").rpartition("/")
    return pool if slash else DEFAULT_POOL


def is_exported() -> bool:
    """Say whether somebody has started an SDK in this process, so that what is told goes somewhere."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
