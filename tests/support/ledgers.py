"""Ledgers made by real decisions, as the columns that storage keeps, to be read whole or tampered with."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from metering.closing import closable_at, close
from metering.entries import Entry
from metering.increments import Granularity
from metering.ledger import Decision, decide
from metering.periods import Period
from metering.requests import Adjust, Admitted, Charge, End, Quota, Request, Reverse
from metering.row_keys import ENTRIES
from metering.rows import PeriodRow, Rows, StatementTerms, Window
from metering.store import StoredRow
from metering.table_rows import read_entry, read_row, write_entry, write_period, write_window
from tests.support.building import KEYS, admit, granularity, terms

TENANT = "acme"
LATE_NOVEMBER = datetime(2026, 11, 30, 23, tzinfo=UTC)

type Columns = dict[str, Any]


@dataclass
class Ledger:
    """One tenant's rows, by key."""

    rows: dict[str, Columns] = field(default_factory=dict)
    now: datetime = LATE_NOVEMBER
    of: Granularity = field(default_factory=granularity)
    periods: dict[Period, PeriodRow] = field(default_factory=dict)
    windows: dict[str, Window] = field(default_factory=dict)

    def decide(self, *requests: Request, instance: str = "i1", at: datetime | None = None) -> Decision:
        """Decide, and keep what is written."""
        now = at or self.now
        period = Period.of(now)
        row = self.periods.get(period) or PeriodRow.empty(TENANT, period)
        rows = Rows(tenant_id=TENANT, period_row=row, windows=self.windows)
        decision = decide(rows, requests, terms=terms(instance, of=self.of), now=now, commit_id="c")
        self.periods[period] = decision.period_row
        self.windows.update(decision.windows)
        written = [write_entry(TENANT, entry) for entry in decision.entries]
        written += [write_window(TENANT, window) for window in decision.windows.values()]
        for columns in (write_period(TENANT, decision.period_row), *written):
            self.rows[columns["RowKey"]] = columns
        return decision

    def entries(self) -> list[Entry]:
        """All entries, in their order."""
        return [read_entry(self.rows[key]) for key in sorted(self.rows) if key.startswith(ENTRIES)]

    def close(self, period: Period, terms: StatementTerms) -> PeriodRow:
        """Close a period that is over."""
        row = self.periods.get(period) or PeriodRow.empty(TENANT, period)
        closed = close(row, tenant_id=TENANT, terms=terms, now=max(self.now, closable_at(period)), keys=KEYS)
        self.periods[period] = closed
        columns = write_period(TENANT, closed)
        self.rows[columns["RowKey"]] = columns
        return closed

    async def scan(self, tenant_id: str, start: str, stop: str | None) -> AsyncIterator[StoredRow]:
        """See `LedgerScan.scan`."""
        for key in sorted(self.rows):
            if key >= start and (stop is None or key < stop):
                yield read_row(self.rows[key])


def make_ledger(seed: int, *, decisions: int = 60, apart_seconds: int = 0) -> Ledger:
    """Make a ledger over the turn of a month, by two instances with clocks apart, with all that can happen."""
    chance = random.Random(seed)
    ledger = Ledger()
    charges: list[tuple[str, Charge]] = []
    for _ in range(decisions):
        ledger.now += timedelta(seconds=chance.choice([0, 1, 20, 90, 200, 400]), microseconds=chance.randrange(3))
        instance = chance.choice(["i1", "i1", "i2"])
        kind = chance.choice(["admit"] * 6 + ["reverse", "end", "adjust"])
        request: Request = admit(f"s{chance.randrange(4)}")
        windows = list(ledger.windows.values())
        if kind == "reverse" and charges:
            instance, charge = charges.pop()
            request = Reverse(charge=charge)
        elif kind == "end" and windows:
            window = chance.choice(windows)
            instance = window.owner
            request = End(
                pool_identifier=window.pool_identifier, opened_at=window.opened_at, operation="end", request_id="r"
            )
        elif kind == "adjust":
            corrects = chance.choice([None, Period(2026, 10)])
            request = Adjust(
                increments=chance.choice([-2, 3]), reason="why not", request_id="r", quota=Quota(), corrects=corrects
            )
        behind = timedelta(seconds=apart_seconds if instance == "i2" else 0)
        [answer] = ledger.decide(request, instance=instance, at=ledger.now - behind).answers
        if isinstance(answer, Admitted) and answer.charge is not None:
            charges.append((instance, answer.charge))
    return ledger
