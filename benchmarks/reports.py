"""Measure a month's report and tenants' statements: `python -m benchmarks.reports`. Status 1 if a target is missed."""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.months import MonthPlan, Months
from benchmarks.report import month_to_json, show_month
from benchmarks.targets import ReportResults, report_problem
from infra.local.processes import LocalError, Stopping

INTERRUPTED = 130
TENANTS, TENANTS_MAX = 10_000, 100_000
ENTRIES, ENTRIES_MAX = 10_000, 50_000


def main() -> int:
    """Measure; 0: all targets hold, 1: one is missed, or nothing could be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reports",
        description="Measure a month's report over many tenants, and the statements of tenants with many entries.",
    )
    add_options(parser)
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    arguments = parser.parse_args()
    plan = MonthPlan(tenants=arguments.tenants, entries=arguments.entries)
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
    problem = report_problem(results)
    if arguments.json:
        print(json.dumps(month_to_json(results, problem), indent=1))
    else:
        show_month(results)
    if problem:
        sys.stderr.write(f"benchmarks: {problem}\n")
    return 1 if problem else 0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Let the user say how much there is to report."""
    parser.add_argument(
        "--tenants",
        type=_between(1, TENANTS_MAX, "tenants"),
        default=TENANTS,
        metavar="N",
        help="in the report (%(default)s)",
    )
    parser.add_argument(
        "--entries",
        type=_between(1, ENTRIES_MAX, "entries"),
        default=ENTRIES,
        metavar="N",
        help="of the largest tenant in the storage (%(default)s)",
    )


def tell(progress: str) -> None:
    """Say on standard error how far it is."""
    sys.stderr.write(f"benchmarks: {progress}\n")
    sys.stderr.flush()


async def _measure(plan: MonthPlan, folder: Path) -> ReportResults | None:
    """Run the plan; None if a signal came first."""
    months = Months(folder)
    stopping = Stopping(at_once=months.kill)
    return await stopping.unless_asked(asyncio.ensure_future(months.run(plan, tell)))


def _between(least: int, most: int, what: str) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text} is not a number of {what} from {least} to {most:,}")
        return int(text)

    return number


if __name__ == "__main__":
    sys.exit(main())
