"""The benchmark counts what it says it counts; how fast the machine is, is nobody's business here."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks.figures import Operation, Sample, Steady, StorageFigures, Tally, Way, compare, storage_problem, tally
from benchmarks.streaming import figures as streaming
from benchmarks.streaming.apps import Way as StreamingWay
from benchmarks.wire import ANSWER, BODY, Messages, request, response
from tests.running import ROOT

SINGLE = Tally(directory_reads=0, reads=2, writes=1)
CLEAN = StorageFigures(
    cold_instance=SINGLE,
    first_call=SINGLE,
    extension=SINGLE,
    warm_calls=1000,
    warm_operations=0,
    steady=[Steady(connections=1, calls=1000, seconds=10, directory_reads=10)],
)


@pytest.mark.stack
@pytest.mark.azurite
@pytest.mark.slow
def test_a_real_run_finds_no_storage_operation_in_any_warm_call() -> None:
    command = [sys.executable, "-m", "benchmarks", "--seconds", "2", "--connections", "2", "--json"]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    assert ended.returncode == 0, ended.stderr
    results = json.loads(ended.stdout)
    assert results["storage"]["operations_per_warm_call"] == 0
    assert results["storage"]["warm_calls"] > 0
    assert results["storage"]["first_call"]["writes"] == 1
    assert results["storage"]["extension"]["writes"] == 1
    assert results["storage"]["cold_instance"]["directory_reads"] == 2
    assert set(results["connections"]) == {"2"}
    assert set(results["connections"]["2"]) == {way.value for way in Way}
    for figures in results["connections"]["2"].values():
        assert set(figures) == {
            *("calls_per_second", "p50_ms", "p99_ms", "cpu_ms_per_call"),
            *("added_p50_ms", "added_p99_ms", "rate_ratio", "p50_ratio"),
        }
    assert results["problem"] is None


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("benchmarks", ["--seconds", "0"]),
        ("benchmarks", ["--seconds", "x"]),
        ("benchmarks", ["--connections", "1,1"]),
        ("benchmarks.streaming", ["--seconds", "0"]),
        ("benchmarks.streaming", ["--connections", "1,1"]),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused_in_a_line_that_says_why(module: str, options: list[str]) -> None:
    command = [sys.executable, "-m", module, *options]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    assert ended.returncode == 2
    assert f"{options[1]} is not a " in ended.stderr.splitlines()[-1]


def test_a_single_storage_operation_of_a_warm_call_is_a_problem() -> None:
    found = storage_problem(replace(CLEAN, warm_operations=1), refresh_seconds=2)

    assert found == "1 storage operations in 1000 warm calls; there may be none"


def test_keys_read_by_time_are_no_problem_and_keys_read_by_calls_are() -> None:
    by_calls = Steady(connections=16, calls=1000, seconds=10, directory_reads=1000)

    assert storage_problem(CLEAN, refresh_seconds=2) is None
    assert "1000 times" in str(storage_problem(replace(CLEAN, steady=[by_calls]), refresh_seconds=2))


def test_only_reads_of_the_directory_are_not_the_calls_own() -> None:
    seen = [
        Operation("Keys", writes=False),
        Operation("Keys", writes=True),
        Operation("Ledger", writes=False),
        Operation("$batch", writes=True),
    ]

    assert tally(seen, frozenset({"Keys"})) == Tally(directory_reads=1, reads=1, writes=2)


def test_comparisons_are_made_within_a_round() -> None:
    quiet = Sample(calls=100, seconds=1, p50_ms=1, p99_ms=2)
    slow = Sample(calls=10, seconds=1, p50_ms=10, p99_ms=20)
    rounds = [
        {way: replace(base, p50_ms=base.p50_ms + (way is Way.END_TO_END)) for way in Way} for base in (quiet, slow)
    ]

    figures = compare(rounds)[Way.END_TO_END]

    assert (figures.added_p50_ms, figures.rate_ratio) == (1, 1)


def test_ways_of_serving_are_compared_with_classic_triggers_within_a_round() -> None:
    quiet = Sample(calls=100, seconds=1, p50_ms=1, p99_ms=2, cpu_ms_per_call=1)
    slow = Sample(calls=10, seconds=1, p50_ms=10, p99_ms=20, cpu_ms_per_call=10)
    rounds = [
        {way: replace(base, cpu_ms_per_call=of_one * (1 + (way is StreamingWay.STREAMING))) for way in StreamingWay}
        for base, of_one in ((quiet, 1.0), (slow, 10.0), (slow, 10.0))
    ]

    figures = streaming.compare(rounds)[StreamingWay.STREAMING]

    assert figures.cpu_ratio == streaming.Ratio(median=2, low=2, high=2)
    assert (figures.rate_ratio.median, figures.p50_ratio.median) == (1, 1)


def test_a_ratio_tells_where_the_middle_half_of_the_rounds_lay() -> None:
    base = Sample(calls=100, seconds=1, p50_ms=1, p99_ms=2, cpu_ms_per_call=1)
    rounds = [
        {way: replace(base, p50_ms=ratio if way is StreamingWay.STREAMING else 1) for way in StreamingWay}
        for ratio in (9.0, 2.0, 1.0, 2.5, 3.0)
    ]

    assert streaming.compare(rounds)[StreamingWay.STREAMING].p50_ratio == streaming.Ratio(median=2.5, low=2, high=3)


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_messages_are_told_apart_however_their_bytes_come(size: int) -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(ANSWER), ANSWER)
    stream = request("s", "k") + response() + chunked + b"GET /account/Table HTTP/1.1\r\nhost: a\r\n\r\n"
    messages = Messages()

    heads = [head for at in range(0, len(stream), size) for head in messages.feed(stream[at : at + size])]

    assert BODY in stream
    assert [head.split(b" ")[0] for head in heads] == [b"POST", b"HTTP/1.1", b"HTTP/1.1", b"GET"]
