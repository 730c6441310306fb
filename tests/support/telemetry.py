"""Telemetry that stays in memory, and a look at all that would have gone out."""

import json
from typing import Any

from opentelemetry.sdk.metrics import Histogram, MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader, Metric, MetricsData
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from metering.increments import Granularity
from proxy.telemetry import Telemetry
from tests.support.building import granularity

type Labels = dict[str, Any]

_DIFFERENCES: dict[type, AggregationTemporality] = dict.fromkeys(
    (ObservableCounter, Histogram), AggregationTemporality.DELTA
)


class Heard:
    """The SDK's own exporters, in memory, and `telemetry` that goes there; counts come as differences, as in Azure."""

    def __init__(self, of: Granularity | None = None) -> None:
        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader(preferred_temporality=_DIFFERENCES)
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self._exports: list[MetricsData] = []
        self.telemetry = Telemetry(
            granularity=of or granularity(), tracers=tracers, meters=MeterProvider([self._reader])
        )

    def spans(self, name: str | None = None) -> list[ReadableSpan]:
        """List the spans that have ended, in that order; all, or those of one name."""
        return [span for span in self._spans.get_finished_spans() if name in (None, span.name)]

    def export(self) -> dict[str, list[tuple[Labels, float]]]:
        """Export the metrics; returns what is told this time, by name."""
        data = self._reader.get_metrics_data()
        if data is None:
            return {}
        self._exports.append(data)
        told: dict[str, list[tuple[Labels, float]]] = {}
        for metric in _metrics(data):
            told[metric.name] = [(dict(p.attributes or {}), _value(p)) for p in metric.data.data_points]
        return told

    def names(self) -> set[str]:
        """Name the metrics that were told so far."""
        self.export()
        return {metric.name for data in self._exports for metric in _metrics(data)}

    def values(self, name: str) -> list[tuple[Labels, float]]:
        """Read a metric: its labels, and what was told of each set of them so far, in all."""
        self.export()
        sums: dict[str, tuple[Labels, float]] = {}
        for point in (
            p for data in self._exports for m in _metrics(data) if m.name == name for p in m.data.data_points
        ):
            labels = dict(point.attributes or {})
            _, before = sums.get(str(labels), (labels, 0))
            sums[str(labels)] = labels, before + _value(point)
        return list(sums.values())

    def total(self, name: str) -> float:
        """Add up a metric over its labels."""
        return sum(value for _, value in self.values(name))

    def everything(self) -> str:
        """Write out all that would have left the process."""
        self.export()
        spans = [json.loads(span.to_json()) for span in self.spans()]
        return json.dumps(spans) + "".join(data.to_json() for data in self._exports)


def _metrics(data: MetricsData) -> list[Metric]:
    return [m for resource in data.resource_metrics for scope in resource.scope_metrics for m in scope.metrics]


def _value(point: Any) -> float:
    """Read a point's value; of a histogram, how many values it took."""
    return float(point.count if hasattr(point, "count") else point.value)
