"""The benchmark counts what it says it counts; how fast the machine is, is nobody's business here."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import reduce

import pytest

from benchmarks.figures import Operation, Sample, Steady, StorageFigures, Tally, Way, compare, storage_problem, tally
from benchmarks.generated import GeneratedLedger
from benchmarks.seeding import a_row
from benchmarks.streaming import figures as streaming
from benchmarks.streaming.apps import Way as StreamingWay
from benchmarks.targets import Kept, Reach, ReportResults, ReportRun, StatementFigures, growth, report_problem
from benchmarks.wire import ANSWER, BODY, Messages, request, response
from metering.entries import Entry
from metering.periods import Period
from metering.row_keys import beyond
from metering.rows import PeriodRow
from tests.running import ROOT

A_SMALL_MONTH = ("--tenants", "40", "--entries", "150")
NOVEMBER = Period(2026, 11)
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
    command = [sys.executable, "-m", "benchmarks", "--seconds", "2", "--connections", "2", *A_SMALL_MONTH, "--json"]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)

    assert ended.stdout, ended.stderr
    results = json.loads(ended.stdout)
    assert ended.returncode == (0 if results["month"]["problem"] is None else 1), ended.stderr
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


@pytest.mark.stack
@pytest.mark.azurite
@pytest.mark.slow
def test_a_real_month_is_reported_in_every_way_and_its_statements_are_drawn_up() -> None:
    command = [sys.executable, "-m", "benchmarks.reports", *A_SMALL_MONTH, "--json"]

    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)

    assert ended.stdout, ended.stderr
    results = json.loads(ended.stdout)
    assert ended.returncode == (0 if results["problem"] is None else 1), ended.stderr
    assert [(run["reach"], run["tenants"]) for run in results["reports"]] == [("direct", 40), ("http", 40)]
    assert all(run["cpu_seconds"] > 0 and run["peak_mib"] > 1 for run in results["reports"])
    assert set(results["reads"]) == {"sdk", "lean", "lean_ratio"}
    assert [(figures["kept"], figures["entries"]) for figures in results["statements"]] == [
        *(("azurite", 100), ("azurite", 150)),
        *(("generated", 100), ("generated", 150), ("generated", 1_000_000)),
    ]
    assert all(figures["reads"] == 1 for figures in results["statements"])


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("benchmarks", ["--tenants", "0"]),
        ("benchmarks.reports", ["--tenants", "1.5"]),
        ("benchmarks.reports", ["--entries", "1000001"]),
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


@pytest.mark.parametrize("size", [0, 1, 9, 10, 11, 29, 30, 31, 100, 997])
async def test_the_row_of_a_generated_ledger_is_the_sum_of_its_entries(size: int) -> None:
    ledger = GeneratedLedger("acme", NOVEMBER, size)

    entries = await ledger.entries("acme", NOVEMBER, after=0, limit=size + 10)

    assert [entry.sequence for entry in entries] == list(range(1, size + 1))
    summed = reduce(PeriodRow.with_entry, entries, PeriodRow.empty("acme", NOVEMBER))
    assert await ledger.period_row("acme", NOVEMBER) == summed
    assert all(NOVEMBER.start_at <= entry.at < NOVEMBER.until for entry in entries)


async def test_a_generated_ledger_is_read_alike_entry_by_entry_page_by_page_and_whole() -> None:
    ledger = GeneratedLedger("acme", NOVEMBER, 25)

    page = await ledger.entries("acme", NOVEMBER, after=10, limit=10)
    scanned = [row async for row in ledger.scan("acme", "entry:2026-11:0000000011", "entry:2026-11:0000000021")]
    every = [row async for row in ledger.scan("acme", "", None)]

    assert list(page) == scanned == [await ledger.entry("acme", NOVEMBER, sequence) for sequence in range(11, 21)]
    assert [type(row) for row in every] == [Entry] * 25 + [PeriodRow]
    assert [row async for row in ledger.scan("acme", "period:", beyond("period:"))] == every[-1:]


async def test_a_generated_ledger_has_one_tenant_and_one_period() -> None:
    ledger = GeneratedLedger("acme", NOVEMBER, 25)

    assert await ledger.period_row("other", NOVEMBER) == PeriodRow.empty("other", NOVEMBER)
    assert await ledger.entries("acme", Period(2026, 10), after=0, limit=10) == ()
    assert await ledger.entry("acme", NOVEMBER, 26) is None
    assert [row async for row in ledger.scan("other", "", None)] == []


def test_a_seeded_month_adds_up() -> None:
    for number in range(100):
        row = a_row(number, NOVEMBER)
        assert row.balance == sum(numbers.increments for numbers in row.days.values())
        assert row.sessions_opened == sum(numbers.sessions for numbers in row.days.values())
        assert len(row.days) == 30


def test_growth_is_told_within_a_round() -> None:
    assert growth([(1, 2, 1), (10, 20, 10), (5, 10, 50)]) == [1, 2, 1]


def test_a_target_that_is_missed_is_a_problem() -> None:
    run = ReportRun(reach=Reach.DIRECT, tenants=10_000, seconds=9.9, cpu_seconds=9, peak_mib=255)
    statement = StatementFigures(
        kept=Kept.GENERATED,
        entries=1_000_000,
        reads=1,
        statement_ms=1,
        own_ms=1,
        growth=1.4,
        page_ms=9,
        page_entries=1_000,
    )

    def problem(run: ReportRun = run, statement: StatementFigures = statement) -> str:
        return str(report_problem(ReportResults(reads=[], reports=[run], statements=[statement])))

    assert problem() == "None"
    assert problem(replace(run, seconds=10)) == "the report of 10,000 tenants (direct) took 10.0 s and 255 MiB"
    assert problem(replace(run, peak_mib=256)) == "the report of 10,000 tenants (direct) took 9.9 s and 256 MiB"
    assert problem(statement=replace(statement, growth=1.5)) == (
        "a statement over 1,000,000 entries takes 1 reads and 1.50 times as long as over the fewest"
    )
    assert problem(replace(run, reach=Reach.HTTP, seconds=99)) == "None"
    assert "takes 2 reads" in problem(statement=replace(statement, reads=2))
