"""One run over a month, straight down: fill a storage, read its rows, have reports made, draw up statements.

The report is what an operator types: the command line in a process of its own, from its start to its end, with the
storage at its other end, and with a gateway in between. What it wrote is added up before its time counts.
"""

import asyncio
import contextlib
import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median

from benchmarks.generated import GeneratedLedger
from benchmarks.seeding import GRANULARITY, Seeder, a_row, a_tenant, seed_entries
from benchmarks.statements import Subject, measure_statements
from benchmarks.targets import Kept, Reach, Reading, ReportResults, ReportRun, RowReads, StatementFigures
from infra.local.accounts import first_operator_key
from infra.local.claims import free_port
from infra.local.processes import ROOT, Child, LocalError, until_ready
from infra.local.stack import Options, part_environment
from infra.local.state import State
from infra.local.storage import connection_string
from metering.clock import utc_now
from metering.period_reader import PeriodReader, PeriodRows, read_many
from metering.periods import Period
from metering.table_store import TABLE_NAME, TableLedgerStore
from proxy.storage import open_period_reader, open_tables
from proxy.table_tenants import TENANTS_TABLE

FEW_ENTRIES = 100
MANY_ENTRIES = 1_000_000
READS = 2_000  # of each way in each round
ROUNDS = 3
READS_AT_ONCE = 32
START_SECONDS = 60
STOP_SECONDS = 10
PRICES = {
    "TOLLGATE_RATE_PER_SESSION_HOUR": "0.03",
    "TOLLGATE_CURRENCY": "USD",
    "TOLLGATE_POOL_RATE_PER_SESSION_HOUR": "0.03",
    "TOLLGATE_POOL_BILLING_INCREMENT_SECONDS": "3600",
}

type Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthPlan:
    """How much there is to report: tenants, and entries of the largest tenant in the storage."""

    tenants: int
    entries: int


@dataclass(slots=True)
class Months:
    """The processes of a run, in a folder of theirs."""

    folder: Path
    _children: list[Child] = field(default_factory=list)

    async def run(self, plan: MonthPlan, tell: Tell) -> ReportResults:
        """Measure the month that ended last; `tell` hears how far it is.

        Raises:
            LocalError: a part did not come up, or a report is wrong.
        """
        now = utc_now()
        period = Period.of(Period.of(now).start_at - timedelta(days=1))
        tell(f"starting a storage for {plan.tenants:,} tenants")
        async with contextlib.AsyncExitStack() as running:
            port = free_port()
            environment = self._environment(port)
            await self._start(running, "months-storage", "infra.local.storage", environment, "--port", str(port))
            service = await running.enter_async_context(open_tables(connection_string(port)))
            store = TableLedgerStore(service)
            for table in (TABLE_NAME, TENANTS_TABLE):
                await service.create_table_if_not_exists(table)
            operator_key = await first_operator_key(environment)
            reader = open_period_reader(service, store, clock=utc_now)
            running.push_async_callback(reader.aclose)
            async with Seeder(port) as seeder:
                await seeder.tenants(plan.tenants, period, tell)
            tell("reading rows, in two ways")
            reads = await _compare_reads(store, reader, plan.tenants, period)
            tell(f"a report, {ROUNDS} times, from the storage")
            expected = sum(a_row(number, period).balance for number in range(plan.tenants))
            report = _Report(self.folder, period, plan.tenants, expected)
            reports = [await report.median(Reach.DIRECT, environment)]
            tell(f"a report, {ROUNDS} times, from a gateway")
            host = await self._start(running, "months-host", "infra.local.host", environment, "--port", "0")
            over_http = {"TOLLGATE_URL": host["url"], "TOLLGATE_KEY": operator_key}
            reports.append(await report.median(Reach.HTTP, {**environment, **over_http}))
            statements = await _measure_statements(store, plan.entries, period, now, tell)
        return ReportResults(reads=reads, reports=reports, statements=statements)

    def kill(self) -> None:
        """End all processes at once; nothing of theirs is worth keeping."""
        for child in self._children:
            child.kill()

    def _environment(self, storage_port: int) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith("TOLLGATE_")}
        increment_seconds = GRANULARITY.increment_seconds
        options = Options(
            port=0,
            data_dir=self.folder,
            increment_seconds=increment_seconds,
            cooldown_seconds=increment_seconds,
            billed_tail_seconds=None,
        )
        nowhere = free_port()  # nobody calls the pool
        return part_environment(options, State.new(increment_seconds), storage_port, nowhere, {**plain, **PRICES})

    async def _start(
        self, running: contextlib.AsyncExitStack, name: str, module: str, environment: Mapping[str, str], *options: str
    ) -> dict[str, str]:
        ready_file = self.folder / f"{name}.ready"
        command = [sys.executable, "-m", module, "--ready-file", str(ready_file), *options]
        child = await Child.start(name, command, environment=environment, log=self.folder / f"{name}.log")
        self._children.append(child)
        running.push_async_callback(child.stop, STOP_SECONDS)
        return await until_ready(child, ready_file, START_SECONDS)


async def _compare_reads(store: PeriodRows, reader: PeriodReader, tenants: int, period: Period) -> list[RowReads]:
    """Read the same rows in both ways, in turns."""
    ids = [a_tenant(number).id for number in range(min(tenants, READS))]
    ways: dict[Reading, PeriodRows] = {Reading.SDK: store, Reading.LEAN: reader}
    samples: dict[Reading, list[tuple[float, float]]] = {way: [] for way in ways}
    for rows in ways.values():
        await _read(rows, ids[:READS_AT_ONCE], period)  # opens connections
    for _ in range(ROUNDS):
        for way, rows in ways.items():
            samples[way].append(await _read(rows, ids, period))
    return [
        RowReads(
            way=way,
            rows_per_second=len(ids) / median(seconds for seconds, _ in found),
            cpu_ms=median(cpu_seconds for _, cpu_seconds in found) / len(ids) * 1000,
        )
        for way, found in samples.items()
    ]


async def _read(rows: PeriodRows, ids: Sequence[str], period: Period) -> tuple[float, float]:
    """Return the seconds and the processor's seconds that reading takes."""
    started, cpu_started = time.perf_counter(), time.process_time()
    await read_many(lambda tenant_id: rows.period_row(tenant_id, period), ids, concurrency=READS_AT_ONCE)
    return time.perf_counter() - started, time.process_time() - cpu_started


@dataclass(frozen=True, slots=True)
class _Report:
    """The command, and what its file has to say."""

    folder: Path
    period: Period
    tenants: int
    increments: int

    async def median(self, reach: Reach, environment: Mapping[str, str]) -> ReportRun:
        """Run it a few times, and return the run that took neither the longest nor the shortest."""
        runs = [await self.run(reach, environment) for _ in range(ROUNDS)]
        return sorted(runs, key=lambda run: run.seconds)[ROUNDS // 2]

    async def run(self, reach: Reach, environment: Mapping[str, str]) -> ReportRun:
        """Run it once."""
        figures, file = self.folder / f"report-{reach}.json", self.folder / f"report-{reach}.csv"
        command = ["-m", "console", "report", "--month", str(self.period), "--csv", str(file)]
        command += ["--direct"] if reach is Reach.DIRECT else []
        log = self.folder / f"report-{reach}.log"
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "benchmarks.launch", str(figures), sys.executable, *command),
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=None if sys.stderr.isatty() else errors,  # where the command shows how far it is
                process_group=0,
            )
        try:
            status = await process.wait()
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
        if status:
            lines = log.read_text(errors="replace").splitlines() or ["it gave no reason"]
            raise LocalError(f"the report ({reach}) ended with status {status}: {lines[-1]}")
        self._check(reach, file)
        return ReportRun(reach=reach, tenants=self.tenants, **json.loads(figures.read_text()))

    def _check(self, reach: Reach, file: Path) -> None:
        with file.open(newline="") as text:
            billed = [Decimal(line["billed_minutes"]) for line in csv.DictReader(text)]
        minutes = GRANULARITY.minutes(self.increments)
        if (len(billed), sum(billed)) != (self.tenants, minutes):
            raise LocalError(
                f"the report ({reach}) has {len(billed)} lines with {sum(billed)} minutes; "
                f"{self.tenants} with {minutes} were written"
            )


async def _measure_statements(
    store: TableLedgerStore, entries: int, period: Period, now: datetime, tell: Tell
) -> list[StatementFigures]:
    stored, generated = [], []
    for count in sorted({min(FEW_ENTRIES, entries), entries}):
        tenant_id = f"with-{count}"
        await seed_entries(store, tenant_id, period, count, tell)
        stored.append(Subject(kept=Kept.AZURITE, tenant_id=tenant_id, entries=count, ledger=store))
    for count in sorted({FEW_ENTRIES, entries, MANY_ENTRIES}):
        ledger = GeneratedLedger("generated", period, count)
        generated.append(Subject(kept=Kept.GENERATED, tenant_id="generated", entries=count, ledger=ledger))
    tell("statements")
    return [figures for subjects in (stored, generated) for figures in await measure_statements(subjects, period, now)]
