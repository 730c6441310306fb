"""A run's results as JSON for machines, as tables for people."""

import os
import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.streaming.apps import Way
from benchmarks.streaming.bench import BODIES, PIECE_BYTES, ROUNDS, Results
from benchmarks.streaming.figures import Ratio

_COLUMNS_MIN = 120  # what the longest line needs; a file or a pipe has no width of its own
_PACKAGES = ("azure-functions-runtime", "azurefunctions-extensions-http-fastapi", "uvicorn", "grpcio", "protobuf")
_NAMES = {
    Way.FLOOR: "bare ASGI (floor)",
    Way.CLASSIC: "classic trigger",
    Way.ASGI_APP: "AsgiFunctionApp",
    Way.STREAMING: "streaming extension",
    Way.STREAMING_HTTPTOOLS: "the same, with httptools",
}


def to_json(results: Results) -> dict[str, Any]:
    """Make the results JSON; durations in the unit that their name ends in."""
    return {
        "machine": {"cores": os.process_cpu_count(), "python": platform.python_version()},
        "packages": {name: version(name) for name in _PACKAGES},
        "seconds": results.plan.seconds,
        "rounds": ROUNDS,
        "calls": {
            kind: {
                str(connections): {way.value: asdict(figures) for way, figures in ways.items()}
                for connections, ways in by_connections.items()
            }
            for kind, by_connections in results.ways.items()
        },
        "memory": {
            way.value: asdict(growth) | {"bytes_per_call": growth.bytes_per_call}
            for way, growth in results.growth.items()
        },
        "chunks": {way.value: asdict(chunks) for way, chunks in results.chunks.items()},
    }


def show(results: Results) -> None:
    """Print the results as tables to standard output."""
    console = Console(highlight=False)
    console.width = max(console.width, _COLUMNS_MIN)
    console.print(
        f"\n{os.process_cpu_count()} cores, Python {platform.python_version()}, "
        f"{', '.join(f'{name} {version(name)}' for name in _PACKAGES)}:\n"
        f"medians over {ROUNDS} interleaved rounds of {results.plan.sample_seconds:.2g} s per way; "
        f"x is the ratio to the classic trigger's, in brackets where half of the rounds lay"
    )
    for kind, by_connections in results.ways.items():
        for connections in by_connections:
            console.print(_calls_table(results, kind, connections))
    console.print(_memory_table(results))
    console.print(_chunks_table(results))


def _calls_table(results: Results, kind: str, connections: int) -> Table:
    title = f"\n{kind}: {len(BODIES[kind]):,} bytes, calls at a time: {connections}"
    table = _table(title, "calls/s", "x", "p50 ms", "x", "p99 ms", "worker CPU ms/call", "x")
    for way, figures in results.ways[kind][connections].items():
        table.add_row(
            _NAMES[way],
            f"{figures.calls_per_second:,.0f}",
            f"{figures.rate_ratio.median:.2f}",
            f"{figures.p50_ms:.2f}",
            f"{figures.p50_ratio.median:.2f}",
            f"{figures.p99_ms:.2f}",
            f"{figures.cpu_ms_per_call:.2f}",
            _in_full(figures.cpu_ratio),
        )
    return table


def _memory_table(results: Results) -> Table:
    table = _table("\nresident memory over small calls", "calls", "grown kB", "bytes/call", "invocations kept")
    for way, growth in results.growth.items():
        table.add_row(
            _NAMES[way],
            f"{growth.calls:,}",
            f"{growth.grown_bytes / 1000:,.0f}",
            f"{growth.bytes_per_call:,.0f}",
            "" if growth.kept is None else f"{growth.kept:,} of {growth.served:,}",
        )
    return table


def _chunks_table(results: Results) -> Table:
    table = _table(f"\nan upload, in chunks of {PIECE_BYTES:,} bytes", "sent", "received with a length", "in chunks")
    for way, chunks in results.chunks.items():
        table.add_row(_NAMES[way], f"{chunks.sent:,}", f"{chunks.with_length:,}", f"{chunks.in_chunks:,}")
    return table


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("way", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def _in_full(ratio: Ratio) -> str:
    return f"{ratio.median:.2f} ({ratio.low:.2f}-{ratio.high:.2f})"
