"""A run's results as JSON for machines, as tables for people."""

import os
import platform
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.bench import ROUNDS, Results
from benchmarks.contention import Scheme
from benchmarks.figures import Tally, Way, WayFigures
from benchmarks.targets import (
    GROWTH_MAX,
    REPORT_MIB_MAX,
    REPORT_SECONDS_MAX,
    Kept,
    Reach,
    Reading,
    ReportResults,
    report_problem,
)

_COLUMNS_MIN = 120  # what the longest line needs; a file or a pipe has no width of its own

_NAMES = {
    Way.STRAIGHT: "straight to the upstream",
    Way.CLIENT_ALONE: "its HTTP client alone",
    Way.IN_PROCESS: "gateway in process",
    Way.WITH_TELEMETRY: "the same, with telemetry",
    Way.HOST_ALONE: "host alone (echo)",
    Way.END_TO_END: "Tollgate, end to end",
}
_READINGS = {Reading.SDK: "the SDK's point reads", Reading.LEAN: "lean reads"}
_REACHES = {Reach.DIRECT: "from the storage (--direct)", Reach.HTTP: "from a gateway, over HTTP"}
_PLACES = {Kept.AZURITE: "Azurite", Kept.GENERATED: "generated"}
_SCHEMES = {Scheme.TOLLGATE: "Tollgate", Scheme.NAIVE: "one transaction each"}


def to_json(results: Results, problem: str | None) -> dict[str, Any]:
    """Make the results JSON; durations in the unit that their name ends in."""
    storage = results.storage
    return {
        "machine": _machine(),
        "seconds": results.plan.seconds,
        "rounds": ROUNDS,
        "connections": {
            str(connections): {way.value: asdict(figures) for way, figures in ways.items()}
            for connections, ways in results.ways.items()
        },
        "storage": {
            "operations_per_warm_call": storage.operations_per_warm_call,
            "warm_calls": storage.warm_calls,
            "cold_instance": asdict(storage.cold_instance),
            "first_call": asdict(storage.first_call),
            "extension": asdict(storage.extension),
            "steady": [
                {**asdict(steady), "directory_reads_per_second": steady.directory_reads_per_second}
                for steady in storage.steady
            ],
        },
        "contention": [asdict(bursts) for bursts in results.contention],
        "problem": problem,
    }


def month_to_json(results: ReportResults, problem: str | None) -> dict[str, Any]:
    """Make the results of a month JSON; `holds` says of each whether its targets do."""
    return {
        "machine": _machine(),
        "reads": {**{reads.way.value: asdict(reads) for reads in results.reads}, "lean_ratio": results.lean_ratio},
        "reports": [{**asdict(run), "holds": run.holds} for run in results.reports],
        "statements": [{**asdict(figures), "holds": figures.holds} for figures in results.statements],
        "problem": problem,
    }


def show(results: Results) -> None:
    """Print the results as tables to standard output."""
    console = _console()
    console.print(
        f"\nTollgate on {os.process_cpu_count()} cores, Python {platform.python_version()}: "
        f"medians over {ROUNDS} interleaved rounds of {results.plan.sample_seconds:.2g} s per way"
    )
    for connections, ways in results.ways.items():
        console.print(_ways_table(connections, ways))
        console.print(_borders(connections, ways))
    console.print(_storage_table(results))
    console.print(_contention_table(results))


def show_month(results: ReportResults) -> None:
    """Print the results of a month as tables to standard output."""
    console = _console()
    console.print(_reads_table(results))
    console.print(f"Lean reads have {results.lean_ratio:.1f} times the SDK's rate.")
    console.print(_reports_table(results))
    console.print(_statements_table(results))
    console.print("All targets hold." if report_problem(results) is None else "Not all targets hold.")


def _machine() -> dict[str, Any]:
    return {"cores": os.process_cpu_count(), "python": platform.python_version()}


def _console() -> Console:
    console = Console(highlight=False)
    console.width = max(console.width, _COLUMNS_MIN)
    return console


def _table(title: str, text_columns: int, *headings: str) -> Table:
    """Begin a table whose first columns are text, and the others numbers."""
    table = Table(title=f"\n{title}", title_justify="left")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number < text_columns else "right", no_wrap=True)
    return table


def _reads_table(results: ReportResults) -> Table:
    table = _table("Period rows, read as a report reads them", 1, "way", "rows/s", "CPU ms/row")
    for reads in results.reads:
        table.add_row(_READINGS[reads.way], f"{reads.rows_per_second:,.0f}", f"{reads.cpu_ms:.2f}")
    return table


def _reports_table(results: ReportResults) -> Table:
    headings = ("report", "tenants", "seconds", "CPU seconds", "peak MiB", "targets")
    title = f"A month's report by the command line; targets: {REPORT_SECONDS_MAX:g} s, {REPORT_MIB_MAX:g} MiB"
    table = _table(title, 1, *headings)
    for run in results.reports:
        figures = (f"{run.tenants:,}", f"{run.seconds:.1f}", f"{run.cpu_seconds:.1f}", f"{run.peak_mib:.0f}")
        table.add_row(_REACHES[run.reach], *figures, _verdict(run.holds))
    return table


def _statements_table(results: ReportResults) -> Table:
    title = (
        f"A tenant's statement; target: 1 read, and below {GROWTH_MAX:g} times what the fewest entries take without it"
    )
    headings = (
        "kept in",
        "entries",
        "reads",
        "ms",
        "without the read",
        "growth",
        "page of entries",
        "its ms",
        "target",
    )
    table = _table(title, 1, *headings)
    for figures in results.statements:
        table.add_row(
            _PLACES[figures.kept],
            f"{figures.entries:,}",
            "differs" if figures.reads is None else str(figures.reads),
            f"{figures.statement_ms:.2f}",
            f"{figures.own_ms:.2f}",
            f"{figures.growth:.2f}",
            f"{figures.page_entries:,}",
            f"{figures.page_ms:.2f}",
            _verdict(figures.holds),
        )
    return table


def _verdict(holds: bool | None) -> str:  # noqa: FBT001 -- read as a word
    return "" if holds is None else "held" if holds else "missed"


def _ways_table(connections: int, ways: dict[Way, WayFigures]) -> Table:
    table = Table(title=f"\nA covered POST /code/execute at {_counted(connections)}", title_justify="left")
    table.add_column("way", no_wrap=True)
    for heading in ("calls/s", "to straight", "p50 ms", "p99 ms", "+ p50 ms", "+ p99 ms", "CPU ms/call"):
        table.add_column(heading, justify="right", no_wrap=True)
    for way, figures in ways.items():
        compared = way is not Way.STRAIGHT
        table.add_row(
            _NAMES[way],
            f"{figures.calls_per_second:,.0f}",
            f"{figures.rate_ratio:.2f}",
            f"{figures.p50_ms:.2f}",
            f"{figures.p99_ms:.2f}",
            f"{figures.added_p50_ms:+.2f}" if compared else "",
            f"{figures.added_p99_ms:+.2f}" if compared else "",
            "" if figures.cpu_ms_per_call is None else f"{figures.cpu_ms_per_call:.2f}",
        )
    return table


def _borders(connections: int, ways: dict[Way, WayFigures]) -> str:
    """Say what the table means at the two borders: Tollgate's own code, and Tollgate in its host."""
    client, inside, told, host, whole = (
        ways[way] for way in (Way.CLIENT_ALONE, Way.IN_PROCESS, Way.WITH_TELEMETRY, Way.HOST_ALONE, Way.END_TO_END)
    )
    of_client = inside.calls_per_second / client.calls_per_second
    of_host = whole.calls_per_second / host.calls_per_second
    of_inside = told.calls_per_second / inside.calls_per_second
    text = (
        f"The gateway in process has {of_client:.2f} of its HTTP client's rate, "
        f"Tollgate end to end {of_host:.2f} of its host's. "
        f"With telemetry, the gateway in process has {of_inside:.2f} of its rate.\n"
    )
    if connections == 1:
        own_ms = inside.added_p50_ms - client.added_p50_ms
        return text + (
            f"Added to the median call in process: {inside.added_p50_ms:.2f} ms, "
            f"of which the HTTP client takes {client.added_p50_ms:.2f} ms and Tollgate's own code {own_ms:.2f} ms.\n"
            f"Added end to end: {whole.added_p50_ms:.2f} ms, "
            f"of which the host takes {host.added_p50_ms:.2f} ms even for an echo."
        )
    text += "The process is saturated: latency is mostly waiting in line, so read the rates."
    if inside.cpu_ms_per_call and whole.cpu_ms_per_call:
        text += (
            f"\nOne core carries {1000 / inside.cpu_ms_per_call:,.0f} calls/s by the gateway in process, "
            f"{1000 / whole.cpu_ms_per_call:,.0f} end to end."
        )
    return text


def _storage_table(results: Results) -> Table:
    storage = results.storage
    table = Table(title="\nStorage operations, counted on the wire", title_justify="left")
    for heading in ("call", "ledger", "keys and tenants"):
        table.add_column(heading, no_wrap=True)
    by_time = "by time, below"
    table.add_row(f"warm ({storage.warm_calls:,} calls)", f"{storage.operations_per_warm_call:g} a call", by_time)
    table.add_row("first of a session", _ledger(storage.first_call), by_time)
    table.add_row("extension", _ledger(storage.extension), by_time)
    cold = storage.cold_instance
    table.add_row("first of an instance", _ledger(cold), f"{cold.directory_reads:g} reads")
    for steady in storage.steady:
        table.add_row(
            f"warm, {_counted(steady.connections)}, {steady.calls / steady.seconds:,.0f} calls/s",
            "",
            f"{steady.directory_reads_per_second:.2f} reads/s in the background",
        )
    return table


def _contention_table(results: Results) -> Table:
    table = Table(title="\nOne tenant's new sessions, all at once: their charges", title_justify="left")
    for heading in ("sessions", "instances", "scheme", "charged", "charges/s", "p50 ms", "p99 ms"):
        table.add_column(heading, justify="left" if heading == "scheme" else "right", no_wrap=True)
    for bursts in results.contention:
        table.add_row(
            str(bursts.sessions),
            str(bursts.instances),
            _SCHEMES[bursts.scheme],
            f"{bursts.charged} of {bursts.charges}",
            f"{bursts.charges_per_second:,.0f}",
            *("cut off" if value is None else f"{value:,.0f}" for value in (bursts.p50_ms, bursts.p99_ms)),
        )
    return table


def _ledger(operations: Tally) -> str:
    return f"{operations.reads:g} reads, {operations.writes:g} written"


def _counted(connections: int) -> str:
    return "1 connection" if connections == 1 else f"{connections} connections"
