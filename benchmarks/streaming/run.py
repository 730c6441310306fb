"""A run inside the environment that `python -m benchmarks.streaming` makes. Status 1 if nothing could be measured."""

import asyncio
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.streaming.bench import Plan, Results, run
from benchmarks.streaming.deployment import Deployment
from benchmarks.streaming.options import Options, parse
from benchmarks.streaming.report import show, to_json
from benchmarks.workers import CallFailed
from infra.local.processes import LocalError, Stopping

INTERRUPTED = 130


def main() -> int:
    """Measure and print."""
    options = parse()
    try:
        with tempfile.TemporaryDirectory(prefix="tollgate-streaming-") as folder:
            results = asyncio.run(_measure(options, Path(folder)))
    except (CallFailed, LocalError) as error:
        sys.stderr.write(f"benchmarks: {error}\n")
        return 1
    except KeyboardInterrupt:  # before anything was started
        return INTERRUPTED
    if results is None:
        sys.stderr.write("benchmarks: stopped before the end; nothing was measured\n")
        return INTERRUPTED
    if options.json:
        print(json.dumps(to_json(results), indent=1))
    else:
        show(results)
    return 0


async def _measure(options: Options, folder: Path) -> Results | None:
    """Run as the options say; None if a signal came first."""
    deployment = Deployment(folder)
    stopping = Stopping(at_once=deployment.kill)
    plan = Plan(seconds=options.seconds, connections=options.connections)
    return await stopping.unless_asked(asyncio.ensure_future(_deploy_and_run(deployment, plan)))


async def _deploy_and_run(deployment: Deployment, plan: Plan) -> Results:
    _tell("starting the floor, a worker for each way, and the local host")
    async with deployment:
        return await run(deployment, plan, _tell)


def _tell(progress: str) -> None:
    sys.stderr.write(f"benchmarks: {progress}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
