"""What the command line says; it is read before there is an environment to measure in, and again in there."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass

SECONDS_MAX = 3600
CONNECTIONS_MAX = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How long to measure in all, at how many connections, and whether to print JSON."""

    seconds: float
    connections: Sequence[int]
    json: bool


def parse() -> Options:
    """Read the command line; ends the process with status 2 if it cannot be carried out."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.streaming",
        description="Measure what Azure's streaming extension would cost a call, beside classic triggers. Linux only.",
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=240.0, metavar="N", help="of measuring, in all (%(default)g)"
    )
    parser.add_argument(
        "--connections", type=_connections, default=(1, 16), metavar="N,N", help="calls at a time (1,16)"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    return Options(**vars(parser.parse_args()))


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 1 <= seconds <= SECONDS_MAX:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds from 1 to {SECONDS_MAX}")
    return seconds


def _connections(text: str) -> Sequence[int]:
    parts = text.split(",")
    numbers = [int(part) for part in parts if part.isdecimal() and 1 <= int(part) <= CONNECTIONS_MAX]
    if len(set(numbers)) < len(parts):
        raise argparse.ArgumentTypeError(
            f"{text} is not a list of different numbers from 1 to {CONNECTIONS_MAX}, like 1,16"
        )
    return numbers
