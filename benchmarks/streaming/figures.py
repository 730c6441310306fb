"""Samples to figures: medians over rounds, and how each way compares with classic triggers.

Rules of this file: pure. Ratios are formed within a round, whose samples stand next to each other in time, and only
then is their median taken: so a slow minute of the machine weighs on both sides.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.figures import Sample
from benchmarks.streaming.apps import Way

type Round = Mapping[Way, Sample]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A way's share of the classic trigger's figure: the median over the rounds, and between what it lay in half."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WayFigures:
    """Medians over the rounds, and the ratios to classic triggers."""

    calls_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms_per_call: float
    rate_ratio: Ratio
    p50_ratio: Ratio
    cpu_ratio: Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """What a worker's resident memory grew by over a number of calls.

    Attributes:
        served: calls since the worker began, with those before the memory was watched.
        kept: invocations that the library still held on to in the end; None where it keeps no such list.
    """

    calls: int
    grown_bytes: int
    served: int
    kept: int | None

    @property
    def bytes_per_call(self) -> float:
        """The growth that goes by calls."""
        return self.grown_bytes / self.calls


def compare(rounds: Sequence[Round]) -> dict[Way, WayFigures]:
    """Sum up the rounds of one kind of call at one number of connections."""
    return {way: _figures([(round_[way], round_[Way.CLASSIC]) for round_ in rounds]) for way in Way}


def _figures(pairs: Sequence[tuple[Sample, Sample]]) -> WayFigures:
    return WayFigures(
        calls_per_second=median(sample.calls_per_second for sample, _ in pairs),
        p50_ms=median(sample.p50_ms for sample, _ in pairs),
        p99_ms=median(sample.p99_ms for sample, _ in pairs),
        cpu_ms_per_call=median(_cpu(sample) for sample, _ in pairs),
        rate_ratio=_ratio(pairs, lambda sample: sample.calls_per_second),
        p50_ratio=_ratio(pairs, lambda sample: sample.p50_ms),
        cpu_ratio=_ratio(pairs, _cpu),
    )


def _ratio(pairs: Sequence[tuple[Sample, Sample]], figure: Callable[[Sample], float]) -> Ratio:
    ratios = sorted(figure(sample) / figure(classic) for sample, classic in pairs)
    quarter = len(ratios) // 4
    return Ratio(median=median(ratios), low=ratios[quarter], high=ratios[-1 - quarter])


def _cpu(sample: Sample) -> float:
    assert sample.cpu_ms_per_call is not None, "it is measured on Linux alone"
    return sample.cpu_ms_per_call
