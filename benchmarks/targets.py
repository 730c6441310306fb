"""What reports and statements took, and whether their targets hold.

Rules of this file: pure. The targets stand for the machine that runs the benchmark, storage included.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

REPORT_SECONDS_MAX = 10.0
REPORT_MIB_MAX = 256.0
GROWTH_MAX = 1.5  # of a statement's time, whatever its entries; one that grew with them would be far beyond


class Reading(StrEnum):
    """How period rows are read."""

    SDK = "sdk"
    LEAN = "lean"


class Reach(StrEnum):
    """How an operator's command line gets its report."""

    DIRECT = "direct"  # from the storage
    HTTP = "http"  # from a gateway


class Kept(StrEnum):
    """Where a tenant's entries are."""

    AZURITE = "azurite"
    GENERATED = "generated"  # nowhere: made up as they are read


@dataclass(frozen=True, slots=True, kw_only=True)
class RowReads:
    """Period rows, read as a report reads them and nothing else done.

    Attributes:
        cpu_ms: of the reading process, for one row.
    """

    way: Reading
    rows_per_second: float
    cpu_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRun:
    """One report as an operator gets it: a process that starts, reads, writes a CSV file and ends.

    Attributes:
        peak_mib: the most memory that the process held at once (resident).
    """

    reach: Reach
    tenants: int
    seconds: float
    cpu_seconds: float
    peak_mib: float

    @property
    def holds(self) -> bool | None:
        """Whether the targets were met; None for a report that has none.

        With a gateway in between, three processes share the cores of the machine, which nobody's deployment does.
        """
        if self.reach is not Reach.DIRECT:
            return None
        return self.seconds < REPORT_SECONDS_MAX and self.peak_mib < REPORT_MIB_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFigures:
    """One tenant's statement, drawn up many times.

    Attributes:
        entries: that the tenant has in the period.
        reads: of the ledger, for one statement; None: not always the same.
        statement_ms: the median; the row is read, the statement made of it and written as JSON.
        own_ms: the median without the read.
        growth: the median ratio of the latter to that of the smallest tenant kept in the same place, round by round.
        page_ms: for contrast: the median of reading a page of entries, from the middle of them.
        page_entries: how many that page has.
    """

    kept: Kept
    entries: int
    reads: int | None
    statement_ms: float
    own_ms: float
    growth: float
    page_ms: float
    page_entries: int

    @property
    def holds(self) -> bool:
        """Whether the statement is one read, and takes as long as that of a tenant with few entries."""
        return self.reads == 1 and self.growth < GROWTH_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportResults:
    """All of it."""

    reads: Sequence[RowReads]
    reports: Sequence[ReportRun]
    statements: Sequence[StatementFigures]

    @property
    def lean_ratio(self) -> float:
        """How many lean reads are made in the time of one of the SDK's."""
        rates = {reads.way: reads.rows_per_second for reads in self.reads}
        return rates[Reading.LEAN] / rates[Reading.SDK]


def growth(rounds: Sequence[Sequence[float]]) -> list[float]:
    """Compare the columns of some rounds with the first one, within each round."""
    return [median(round_[column] / round_[0] for round_ in rounds) for column in range(len(rounds[0]))]


def report_problem(results: ReportResults) -> str | None:
    """Say in one line which target was missed; None if all hold."""
    missed = [
        f"the report of {run.tenants:,} tenants ({run.reach}) took {run.seconds:.1f} s and {run.peak_mib:.0f} MiB"
        for run in results.reports
        if run.holds is False
    ]
    missed += [
        f"a statement over {figures.entries:,} entries takes {figures.reads} reads "
        f"and {figures.growth:.2f} times as long as over the fewest"
        for figures in results.statements
        if not figures.holds
    ]
    return "; ".join(missed) or None
