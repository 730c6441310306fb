"""The processes that make calls: what they are told, what they answer, and the loop that both kinds share.

A worker reads one order a line from its standard input and answers with one line; when the input ends, so does it, so
it never outlives the benchmark. Reading happens between measurements only.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from benchmarks.figures import Sample, percentile
from infra.local.processes import ROOT, LocalError

type Call = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to measure.

    Attributes:
        url: where to call; empty for the gateway without a host.
        seconds: for how long each connection goes on to begin calls; 0 makes one call each.
    """

    url: str
    key: str
    session: str
    connections: int
    seconds: float


class CallFailed(Exception):  # noqa: N818 -- an outcome of the measured call, not an error of the worker
    """A call was not answered with 200; the text says what came instead."""


async def closed_loop(calls: Sequence[Call], seconds: float) -> Sample:
    """Let every caller make its next call when its last one is answered, at least once and for so many seconds.

    Raises:
        CallFailed: the first call that does.
    """
    latencies: list[float] = []
    started = time.perf_counter()

    async def repeat(call: Call) -> None:
        begun = time.perf_counter()
        while True:
            await call()
            ended = time.perf_counter()
            latencies.append(ended - begun)
            if ended - started >= seconds:
                return
            begun = ended

    await asyncio.gather(*(repeat(call) for call in calls))
    elapsed = time.perf_counter() - started
    latencies.sort()
    return Sample(
        calls=len(latencies),
        seconds=elapsed,
        p50_ms=percentile(latencies, 0.5) * 1000,
        p99_ms=percentile(latencies, 0.99) * 1000,
    )


async def follow_orders(carry_out: Callable[[Order], Awaitable[Sample]]) -> None:
    """Be a worker: carry out the orders from standard input until it ends."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        try:
            answer = asdict(await carry_out(Order(**json.loads(line))))
        except (CallFailed, OSError) as error:
            answer = {"error": str(error) or type(error).__name__}
        print(json.dumps(answer), flush=True)


@dataclass(frozen=True, slots=True)
class Worker:
    """A running worker, as its orderer sees it; one order at a time."""

    process: asyncio.subprocess.Process
    log: Path

    @classmethod
    async def start(cls, module: str, environment: Mapping[str, str], log: Path) -> Self:
        """Start `python -m module`."""
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module),
                cwd=ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                process_group=0,  # a Ctrl-C in the terminal is for the benchmark, which then stops its workers
            )
        return cls(process, log)

    async def measure(self, order: Order) -> Sample:
        """Have an order carried out.

        Raises:
            LocalError: a call failed, or the worker ended.
        """
        assert self.process.stdin is not None, "started with pipes"
        assert self.process.stdout is not None, "started with pipes"
        self.process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        line = await self.process.stdout.readline()
        if not line:
            lines = self.log.read_text(errors="replace").splitlines() or ["it gave no reason"]
            raise LocalError(f"a worker ended: {lines[-1]}")
        answer = json.loads(line)
        if "error" in answer:
            raise LocalError(f"a measured call failed: {answer['error']}")
        return Sample(**answer)

    async def stop(self) -> None:
        """End the worker; it keeps nothing."""
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
