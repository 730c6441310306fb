"""Measure what Tollgate costs: `python -m benchmarks`. Status 1 if a warm call takes a storage operation."""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bench import Plan, Results, run
from benchmarks.deployment import INCREMENT_SECONDS, Deployment
from benchmarks.figures import storage_problem
from benchmarks.report import show, to_json
from infra.local.processes import LocalError, Stopping
from proxy.knowledge import REFRESH_SECONDS

INTERRUPTED = 130
SECONDS_MAX = INCREMENT_SECONDS * 2 // 3  # the warm sessions stay covered for an increment, warming up included
CONNECTIONS_MAX = 256


def main() -> int:
    """Run the benchmark; 0: the storage is left alone by warm calls, 1: it is not, or nothing could be measured."""
    arguments = _parse()
    plan = Plan(seconds=arguments.seconds, connections=arguments.connections)
    try:
        with tempfile.TemporaryDirectory(prefix="tollgate-benchmarks-") as folder:
            results = asyncio.run(_measure(plan, Path(folder)))
    except LocalError as error:
        sys.stderr.write(f"benchmarks: {error}\n")
        return 1
    except KeyboardInterrupt:  # before anything was started
        return INTERRUPTED
    if results is None:
        sys.stderr.write("benchmarks: stopped before the end; nothing was measured\n")
        return INTERRUPTED
    problem = storage_problem(results.storage, REFRESH_SECONDS)
    if arguments.json:
        print(json.dumps(to_json(results, problem), indent=1))
    else:
        show(results)
    if problem:
        sys.stderr.write(f"benchmarks: {problem}\n")
    return 1 if problem else 0


async def _measure(plan: Plan, folder: Path) -> Results | None:
    """Run the plan; None if a signal came first."""
    deployment = Deployment(folder)
    stopping = Stopping(at_once=deployment.kill)
    return await stopping.unless_asked(asyncio.ensure_future(_deploy_and_run(deployment, plan)))


async def _deploy_and_run(deployment: Deployment, plan: Plan) -> Results:
    _tell("starting storage, upstream, two hosts and two workers")
    async with deployment:
        return await run(deployment, plan, _tell)


def _tell(progress: str) -> None:
    sys.stderr.write(f"benchmarks: {progress}\n")
    sys.stderr.flush()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure what Tollgate adds to a call, and what calls take of the storage.",
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=60.0, metavar="N", help="of measuring, in all (%(default)g)"
    )
    parser.add_argument(
        "--connections", type=_connections, default=(1, 16), metavar="N,N", help="calls at a time (1,16)"
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    return parser.parse_args()


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
    if not all(part.isdecimal() and 1 <= int(part) <= CONNECTIONS_MAX for part in parts) or len(set(parts)) < len(
        parts
    ):
        raise argparse.ArgumentTypeError(
            f"{text} is not a list of different numbers from 1 to {CONNECTIONS_MAX}, like 1,16"
        )
    return tuple(int(part) for part in parts)


if __name__ == "__main__":
    sys.exit(main())
