"""Runs seeds in several processes, block by block."""

import itertools
import logging
import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass

from tests.simulation.world import run_seed

BLOCK = 25  # seeds that a process takes at a time


@dataclass(frozen=True, slots=True)
class Block:
    """What came of so many seeds: the first that breaks a promise, and which, if any does."""

    seeds: int
    failure: tuple[int, str] | None


@contextmanager
def running_blocks(seeds: range, jobs: int) -> Iterator[Iterator[Block]]:
    """Run seeds; yields the blocks as they are done, in no order. What has not begun when it is left is not run."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_process)
    try:
        blocks = [pool.submit(run_block, block) for block in itertools.batched(seeds, BLOCK, strict=False)]
        yield (future.result() for future in as_completed(blocks))
    finally:
        pool.shutdown(cancel_futures=True)


def run_block(seeds: tuple[int, ...]) -> Block:
    """Run seeds until one breaks a promise."""
    for seed in seeds:
        broken = run_seed(seed)
        if broken is not None:
            return Block(len(seeds), (seed, str(broken)))
    return Block(len(seeds), None)


def _start_process() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its processes itself
    logging.disable(logging.CRITICAL)  # the product's log is part of no promise
