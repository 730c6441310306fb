"""`python -m tests.simulation` runs seeds and says which one breaks a promise; `--seed N` replays one, step by step."""

import argparse
import logging
import os
import sys
import time
from collections.abc import Sequence

from tests.simulation.ledger import Broken
from tests.simulation.parts import PRODUCT
from tests.simulation.processes import running_blocks
from tests.simulation.variants import VARIANTS
from tests.simulation.world import Line, run_seed

REPORT_SECONDS = 10.0
TRANSCRIPT_LINES_MAX = 200  # of a failing seed; `--seed` shows all


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 0 if every promise held, 1 if one broke, 130 if interrupted."""
    options = _parse(arguments)
    logging.disable(logging.CRITICAL)  # the product's log is part of no promise
    try:
        if options.seed is not None:
            return _replay(options.seed, options.variant)
        return _run(range(options.first, options.first + options.seeds), options.jobs)
    except KeyboardInterrupt:
        _say("interrupted")
        return 130


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=_positive, default=1_000, help="how many to run (default: 1000)")
    parser.add_argument("--first", type=int, default=0, help="the first one (default: 0)")
    parser.add_argument("--jobs", type=_positive, default=min(2, os.cpu_count() or 1), help="processes (default: 2)")
    parser.add_argument("--seed", type=int, help="replay this one and print its transcript")
    parser.add_argument("--variant", choices=VARIANTS, help="with --seed: the broken product to replay it on")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _replay(seed: int, variant: str | None) -> int:
    transcript: list[Line] = []
    parts = PRODUCT if variant is None else VARIANTS[variant][1]
    broken = run_seed(seed, parts=parts, transcript=transcript)
    _tell(transcript)
    _say(f"seed {seed}: {'every promise holds' if broken is None else broken}")
    return 0 if broken is None else 1


def _run(seeds: range, jobs: int) -> int:
    started = reported = time.monotonic()
    done = 0
    with running_blocks(seeds, jobs) as blocks:
        for block in blocks:
            if block.failure is not None:
                return _fail(*block.failure)
            done += block.seeds
            if time.monotonic() - reported >= REPORT_SECONDS:
                reported = time.monotonic()
                _say(f"{done:,} of {len(seeds):,} seeds")
    _say(f"{done:,} seeds, every promise holds ({time.monotonic() - started:.0f} s, {jobs} processes)")
    return 0


def _fail(seed: int, what: str) -> int:
    transcript: list[Line] = []
    again: Broken | None = run_seed(seed, transcript=transcript)
    if len(transcript) > TRANSCRIPT_LINES_MAX:
        _say(f"... {len(transcript) - TRANSCRIPT_LINES_MAX} lines before")
    _tell(transcript[-TRANSCRIPT_LINES_MAX:])
    _say(f"seed {seed} breaks a promise: {what}")
    if str(again) != what:
        _say(f"its replay does not: {again}")
    _say(f"replay it: python -m tests.simulation --seed {seed}")
    return 1


def _tell(transcript: Sequence[Line]) -> None:
    for at, where, what in transcript:
        _say(f"{at:12.6f}  {where:6}  {what}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
