"""Telemetry that stays in memory, and a look at all that would have gone out."""

import json
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import Histogram, InMemoryMetricReader, MetricsData
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from metering.increments import Granularity
from proxy.telemetry import Telemetry
from tests.support.building import granularity

type Labels = dict[str, Any]


class Heard:
    """The SDK's own exporters, in memory, and `telemetry` that goes there."""

    def __init__(self, of: Granularity | None = None) -> None:
        self._spans, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        meters = MeterProvider([self._reader])
        self._metrics: MetricsData | None = None
        self.telemetry = Telemetry(granularity=of or granularity(), tracers=tracers, meters=meters)

    def spans(self, name: str | None = None) -> list[ReadableSpan]:
        """List the spans that have ended, in that order; all, or those of one name."""
        return [span for span in self._spans.get_finished_spans() if name in (None, span.name)]

    def names(self) -> set[str]:
        """Name the metrics that have a value."""
        return {metric.name for metric in self._all()}

    def values(self, name: str) -> list[tuple[Labels, float]]:
        """Read a metric: its labels, and the value of each set of them; of a histogram, how many values it took."""
        points = [point for metric in self._all() if metric.name == name for point in metric.data.data_points]
        return [(dict(p.attributes or {}), p.count if hasattr(p, "count") else p.value) for p in points]

    def total(self, name: str) -> float:
        """Add up a metric over its labels."""
        return sum(value for _, value in self.values(name))

    def everything(self) -> str:
        """Write out all that would have left the process."""
        spans = [json.loads(span.to_json()) for span in self.spans()]
        return json.dumps(spans) + (self._data().to_json() if self._all() else "")

    def _data(self) -> MetricsData:
        data = self._reader.get_metrics_data()
        self._metrics = data if data is not None else self._metrics
        assert self._metrics is not None, "nothing was told yet"
        return self._metrics

    def _all(self) -> list[Any]:
        data = self._reader.get_metrics_data()
        self._metrics = data if data is not None else self._metrics
        if self._metrics is None:
            return []
        return [m for r in self._metrics.resource_metrics for scope in r.scope_metrics for m in scope.metrics]


__all__ = ["Heard", "Histogram", "Labels"]
