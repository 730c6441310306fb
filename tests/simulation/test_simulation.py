"""Every promise of the meter holds in a thousand simulated worlds, and a world always has the same history."""

import os
import subprocess
import sys

import pytest

from tests.running import ROOT
from tests.simulation.plan import CALM, draw_plan
from tests.simulation.world import Line, run_seed

COMMAND = (sys.executable, "-m", "tests.simulation")


def simulate(*options: str, hash_seed: str = "random") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    return subprocess.run([*COMMAND, *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_every_promise_holds_in_a_thousand_worlds() -> None:
    run = simulate("--seeds", "1000")

    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.slow
def test_a_seed_has_the_same_history_in_every_process() -> None:
    first, second = (simulate("--seed", "228", hash_seed=seed) for seed in ("1", "2"))

    assert len(first.stdout.splitlines()) > 100
    assert first.stdout == second.stdout


@pytest.mark.slow
def test_a_broken_promise_ends_in_the_seed_its_transcript_and_status_1() -> None:
    run = simulate("--seed", "0", "--variant", "no transactions")

    assert run.returncode == 1
    assert "begins: tenant-" in run.stdout
    assert run.stdout.splitlines()[-1].startswith("seed 0: balance is the sum of entries: ")


@pytest.mark.slow
def test_a_wrong_option_is_said_in_a_line() -> None:
    run = simulate("--seeds", "0")

    assert run.returncode == 2
    assert run.stderr.splitlines()[-1].endswith("argument --seeds: must be at least 1")


def test_the_oracle_shares_no_code_with_the_product() -> None:
    look = "import sys, tests.simulation.oracle; print({name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert "'tests'" in loaded
    assert "'metering'" not in loaded
    assert "'proxy'" not in loaded


def test_the_worlds_have_all_sizes_and_troubles() -> None:
    plans = [draw_plan(seed) for seed in range(1_000)]

    assert max(len(plan.calls) for plan in plans) > 500
    assert {len(plan.skews) for plan in plans} > {1, 2, 5, 10}
    assert max(len(plan.skews) for plan in plans) > 40
    assert max(plan.skew_seconds for plan in plans) > 290
    assert sum(plan.faults == CALM for plan in plans) > 300
    assert sum(bool(plan.kills) for plan in plans) > 100
    assert sum(bool(plan.outages) for plan in plans) > 100
    assert sum(plan.tail_seconds == 0 for plan in plans) > 50


def test_everything_that_can_go_wrong_does_within_a_few_worlds() -> None:
    transcript: list[Line] = []
    for seed in range(60):
        run_seed(seed, transcript=transcript)
    told = "\n".join(what for _, _, what in transcript)

    for words in (
        "refused with 409",
        "refused with 412",
        "done (late)",
        "refused with 412 (second delivery)",
        "done (lost_answer)",
        ": throttled",
        ": down",
        "is killed",
        "hangs up",
        "reaches the pool: 429",
        "finds no connection",
        "the pool's answer to",
        "'kind': 'reversal'",
        "QuotaExceeded",
        "TooManySessions",
        "MeteringUnavailable",
        "PoolTimeout",
        "'shared': True",
    ):
        assert words in told, words
