"""An OpenTelemetry SDK as in Azure, up to the network: what it exports is written out in full, and dropped.

Spans are sampled by the distribution's own sampler at the deployment's default rate, metrics are exported every
minute; both from threads of the SDK's.
"""

import logging
from collections.abc import Sequence
from typing import Any

from azure.monitor.opentelemetry.exporter import RateLimitedSampler
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

TELEMETRY = "BENCHMARK_TELEMETRY"  # in the environment of a worker that is to have one
TRACES_PER_SECOND = 5.0


class _Spans(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        for span in spans:
            span.to_json()
        return SpanExportResult.SUCCESS


class _Metrics(MetricExporter):
    def export(self, metrics_data: MetricsData, timeout_millis: float = 0, **_: Any) -> MetricExportResult:  # noqa: ARG002
        metrics_data.to_json()
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:  # noqa: ARG002 -- the base class's
        return True

    def shutdown(self, timeout_millis: float = 0, **_: Any) -> None:
        """Have nothing to end."""


def start_telemetry() -> None:
    """Start it, for the whole process."""
    tracers = TracerProvider(sampler=RateLimitedSampler(TRACES_PER_SECOND))
    tracers.add_span_processor(BatchSpanProcessor(_Spans()))
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(MeterProvider([PeriodicExportingMetricReader(_Metrics())]))
    logging.getLogger("tollgate.ledger").setLevel(logging.INFO)
