"""Measure what Tollgate costs: `python -m benchmarks`.

Status 1 if a warm call takes a storage operation, or a target of reports and statements is missed.
"""

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
from benchmarks.months import MonthPlan, Months
from benchmarks.report import month_to_json, show, show_month, to_json
from benchmarks.reports import add_options, tell
from benchmarks.targets import ReportResults, report_problem
from infra.local.processes import LocalError, Stopping
from proxy.knowledge import REFRESH_SECONDS

INTERRUPTED = 130
SECONDS_MAX = INCREMENT_SECONDS * 2 // 3  # the warm sessions stay covered for an increment, warming up included
CONNECTIONS_MAX = 256


def main() -> int:
    """Run the benchmark; 0: all that has to hold does, 1: something does not, or nothing could be measured."""
    arguments = _parse()
    plan = Plan(seconds=arguments.seconds, connections=arguments.connections)
    month_plan = MonthPlan(tenants=arguments.tenants, entries=arguments.entries)
    try:
        with tempfile.TemporaryDirectory(prefix="tollgate-benchmarks-") as folder:
            measured = asyncio.run(_measure(plan, month_plan, Path(folder)))
    except LocalError as error:
        sys.stderr.write(f"benchmarks: {error}\n")
        return 1
    except KeyboardInterrupt:  # before anything was started
        return INTERRUPTED
    if measured is None:
        sys.stderr.write("benchmarks: stopped before the end; nothing was measured\n")
        return INTERRUPTED
    results, month = measured
    problem, month_problem = storage_problem(results.storage, REFRESH_SECONDS), report_problem(month)
    if arguments.json:
        print(json.dumps({**to_json(results, problem), "month": month_to_json(month, month_problem)}, indent=1))
    else:
        show(results)
        show_month(month)
    problems = [text for text in (problem, month_problem) if text]
    for text in problems:
        sys.stderr.write(f"benchmarks: {text}\n")
    return 1 if problems else 0


async def _measure(plan: Plan, month_plan: MonthPlan, folder: Path) -> tuple[Results, ReportResults] | None:
    """Run both plans, one after the other; None if a signal came first."""
    deployment, months = Deployment(folder), Months(folder)

    def kill() -> None:
        deployment.kill()
        months.kill()

    async def measure() -> tuple[Results, ReportResults]:
        return await _deploy_and_run(deployment, plan), await months.run(month_plan, tell)

    return await Stopping(at_once=kill).unless_asked(asyncio.ensure_future(measure()))


async def _deploy_and_run(deployment: Deployment, plan: Plan) -> Results:
    tell("starting storage, upstream, two hosts and two workers")
    async with deployment:
        return await run(deployment, plan, tell)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure what Tollgate adds to a call, what it asks of the storage, and how long reports take.",
    )
    parser.add_argument(
        "--seconds", type=_seconds, default=60.0, metavar="N", help="of measuring calls, in all (%(default)g)"
    )
    parser.add_argument(
        "--connections", type=_connections, default=(1, 16), metavar="N,N", help="calls at a time (1,16)"
    )
    add_options(parser)
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
