"""Samples to figures: medians over rounds, what a way adds to the straight one, what calls ask of the storage.

Rules of this file: pure. Differences and ratios are formed within a round, whose samples stand next to each other in
time, and only then are medians taken: so a slow minute of the machine weighs on both sides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

ROWS_IN_USE = 2  # that the directory refreshes for one key: the key's and its tenant's


class Way(StrEnum):
    """How a call gets to the upstream, in the order in which a round measures them."""

    STRAIGHT = "straight"
    CLIENT_ALONE = "client_alone"
    IN_PROCESS = "in_process"
    WITH_TELEMETRY = "with_telemetry"
    HOST_ALONE = "host_alone"
    END_TO_END = "end_to_end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One way, measured once.

    Attributes:
        calls: answered, each with the status 200.
        seconds: from the first call to the last answer.
        cpu_ms_per_call: processor time of the process behind the way; None where the system does not tell.
    """

    calls: int
    seconds: float
    p50_ms: float
    p99_ms: float
    cpu_ms_per_call: float | None = None

    @property
    def calls_per_second(self) -> float:
        """The rate."""
        return self.calls / self.seconds


type Round = Mapping[Way, Sample]


@dataclass(frozen=True, slots=True, kw_only=True)
class WayFigures:
    """Medians over the rounds; what is added, and the ratios, are in comparison with the straight way."""

    calls_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_ms_per_call: float | None
    added_p50_ms: float
    added_p99_ms: float
    rate_ratio: float
    p50_ratio: float


@dataclass(frozen=True, slots=True)
class Operation:
    """One request that the storage received: `table` as it stands in the path (`$batch` for a transaction)."""

    table: str
    writes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Storage operations, in all or per call: of the directory (reads of keys and tenants), and all others."""

    directory_reads: float
    reads: float
    writes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Steady:
    """An instance that served covered calls without a pause, and what it read of keys and tenants meanwhile."""

    connections: int
    calls: int
    seconds: float
    directory_reads: int

    @property
    def directory_reads_per_second(self) -> float:
        """The rate: it goes by time, whatever the rate of calls."""
        return self.directory_reads / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageFigures:
    """Storage operations by kind of call.

    Attributes:
        cold_instance: the very first call of a process.
        first_call: a session's first call.
        extension: a call whose time goes beyond what is paid.
        warm_calls: every covered call of the run.
        warm_operations: what they took of the storage, all together, but for the directory's reads.
    """

    cold_instance: Tally
    first_call: Tally
    extension: Tally
    warm_calls: int
    warm_operations: int
    steady: Sequence[Steady]

    @property
    def operations_per_warm_call(self) -> float:
        """What has to be 0."""
        return self.warm_operations / self.warm_calls


def percentile(ordered: Sequence[float], share: float) -> float:
    """Take the value below which this share of the values, given in ascending order, lies."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def compare(rounds: Sequence[Round]) -> dict[Way, WayFigures]:
    """Sum up the rounds of one number of connections."""
    return {way: _figures([(round_[way], round_[Way.STRAIGHT]) for round_ in rounds]) for way in Way}


def _figures(pairs: Sequence[tuple[Sample, Sample]]) -> WayFigures:
    cpu = [sample.cpu_ms_per_call for sample, _ in pairs if sample.cpu_ms_per_call is not None]
    return WayFigures(
        calls_per_second=median(sample.calls_per_second for sample, _ in pairs),
        p50_ms=median(sample.p50_ms for sample, _ in pairs),
        p99_ms=median(sample.p99_ms for sample, _ in pairs),
        cpu_ms_per_call=median(cpu) if cpu else None,
        added_p50_ms=median(sample.p50_ms - straight.p50_ms for sample, straight in pairs),
        added_p99_ms=median(sample.p99_ms - straight.p99_ms for sample, straight in pairs),
        rate_ratio=median(sample.calls_per_second / straight.calls_per_second for sample, straight in pairs),
        p50_ratio=median(sample.p50_ms / straight.p50_ms for sample, straight in pairs),
    )


def tally(operations: Sequence[Operation], directory_tables: frozenset[str], *, calls: int = 1) -> Tally:
    """Count operations per call. What is not surely a read of the directory counts as the call's own."""
    directory = sum(not operation.writes and operation.table in directory_tables for operation in operations)
    writes = sum(operation.writes for operation in operations)
    return Tally(
        directory_reads=directory / calls,
        reads=(len(operations) - directory - writes) / calls,
        writes=writes / calls,
    )


def storage_problem(figures: StorageFigures, refresh_seconds: float) -> str | None:
    """Say in one line why covered calls are not free of storage operations; None if they are."""
    if figures.warm_operations:
        return f"{figures.warm_operations} storage operations in {figures.warm_calls} warm calls; there may be none"
    for steady in figures.steady:
        allowed = ROWS_IN_USE * (steady.seconds / refresh_seconds + 1)
        if steady.directory_reads > allowed:
            return (
                f"keys and tenants were read {steady.directory_reads} times in {steady.seconds:.1f} s at "
                f"{steady.connections} connections; refreshes by time need {allowed:.0f} at most"
            )
    return None
