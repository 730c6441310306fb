"""The pure decision: what a tenant's requests do to its rows.

Rules of this file: everything that changes a balance is here; nothing here awaits, reads a clock or knows where rows
are kept. `decide` is given rows as they were read, requests in the order in which they came, and the instant; it
returns the entries to add, the rows to replace and one answer per request. Either all of that is written in one
transaction, or nothing is and the decision is made again from fresh rows.

The rules of charging, for increment `I`, tail `T` and a call at `t`:

1. no window, or `t >= paid_until`: open one, `max(1, ceil(T / I))` increments;
2. window open and `t + T > paid_until`: extend it, `ceil((t + T - paid_until) / I)` increments;
3. otherwise the call is covered: it costs nothing and writes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from metering.alerts import PERCENTS_MAX, Alert, quota_alerts
from metering.entries import Entry, Kind, LedgerKeys, entry_hash
from metering.increments import Granularity
from metering.periods import Period, day_of, day_until
from metering.requests import (
    Adjust,
    Adjusted,
    Admit,
    Admitted,
    Answer,
    Charge,
    End,
    Quota,
    QuotaExceeded,
    Request,
    Reverse,
    TakenBack,
    TooManySessions,
)
from metering.rows import DayNumbers, PeriodRow, Rows, Window

ALERTS_MAX = 2 * PERCENTS_MAX  # of one decision: of the quota as it was, and as it was changed to
ALERTED_MAX = 500  # crossings that a period row remembers


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to write, all or nothing, and what to answer once it is written.

    Attributes:
        period_row: the row after the decision.
        writes_period: whether the period row is written: with every entry, and whenever paid time ends early, since
            then no commit over an older snapshot may be made any more.
        windows: the window rows that change, after the decision.
        alerts: for the thresholds that the entries reach; new, each of them.
        answers: one per request, in their order.
    """

    entries: tuple[Entry, ...]
    period_row: PeriodRow
    writes_period: bool
    windows: Mapping[str, Window]
    answers: tuple[Answer, ...]
    alerts: tuple[Alert, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether there is anything to write."""
        return self.writes_period or bool(self.windows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is the same for every decision of an instance.

    Attributes:
        pool_increment_seconds: in which the pool bills the operator; holds for the periods that begin under it.
    """

    granularity: Granularity
    keys: LedgerKeys
    instance: str
    pool_increment_seconds: int = 3600


def decide(rows: Rows, requests: Sequence[Request], *, terms: Terms, now: datetime, commit_id: str) -> Decision:
    """Decide the requests one after the other, each seeing what those before it did.

    `rows.period_row` must be that of the period that holds `now`: a decision touches one period.
    """
    assert rows.period_row.period == Period.of(now), "a decision books into the period of its instant"
    assert not rows.period_row.closed, "nothing is booked into a closed period"
    page = _Page(rows=rows, terms=terms, now=now, commit_id=commit_id)
    answers = tuple(page.answer(request) for request in requests)
    return Decision(
        entries=tuple(page.entries),
        period_row=page.period_row,
        writes_period=page.writes_period,
        windows=dict(page.changed),
        answers=answers,
        alerts=tuple(page.alerts),
    )


class _Page:
    """The rows while one decision works on them."""

    def __init__(self, *, rows: Rows, terms: Terms, now: datetime, commit_id: str) -> None:
        self.tenant_id = rows.tenant_id
        self.period_row = rows.period_row
        if self.period_row.next_sequence == 1:
            self.period_row = replace(rows.period_row, pool_increment_seconds=terms.pool_increment_seconds)
        self.windows = dict(rows.windows)
        self.open_windows = None if rows.open_windows is None else dict(rows.open_windows)
        self.changed: dict[str, Window] = {}
        self.entries: list[Entry] = []
        self.alerts: list[Alert] = []
        self.writes_period = False
        self.terms = terms
        self.now = now
        self.commit_id = commit_id

    def answer(self, request: Request) -> Answer:
        match request:
            case Admit():
                return self._admit(request)
            case Reverse():
                return self._reverse(request)
            case End():
                return self._end(request)
            case Adjust():
                return self._adjust(request)
            case _:
                assert_never(request)

    def _admit(self, request: Admit) -> Answer:
        granularity = self.terms.granularity
        window = self.windows.get(request.pool_identifier)
        if window is None or self._is_over(window):
            return self._too_many(request) or self._charge(request, None, granularity.to_open())
        increments = granularity.to_extend(paid_until=window.paid_until, at=self.now)
        if increments:
            return self._charge(request, window, increments)
        if self._foreign(window) and not window.shared:
            self._put(replace(window, shared=True))
        return Admitted(at=self.now, opened_at=window.opened_at, paid_until=window.paid_until, charge=None)

    def _charge(self, request: Admit, window: Window | None, increments: int) -> Answer:
        refusal = self._over_quota(request.quota, increments)
        if refusal is not None:
            return refusal
        from_at = self.now if window is None else window.paid_until
        opened_at = self.now if window is None else window.opened_at
        charge = Charge(
            reference=f"{self.period_row.period}/{self.period_row.next_sequence}",
            request_id=request.request_id,
            pool_identifier=request.pool_identifier,
            session_name=request.session_name,
            operation=request.operation,
            opened_at=opened_at,
            from_at=from_at,
            until=from_at + self.terms.granularity.length(increments),
            increments=increments,
        )
        self._alert(self._book(Kind.CHARGE, increments, request.request_id, about=charge), request.quota)
        self._put(
            Window(
                pool_identifier=charge.pool_identifier,
                session_name=charge.session_name,
                opened_at=opened_at,
                paid_until=charge.until,
                increments=increments + (0 if window is None else window.increments),
                newest_charge=charge.reference,
                owner=self.terms.instance if window is None else window.owner,
                shared=window is not None and (window.shared or self._foreign(window)),
            )
        )
        return Admitted(at=self.now, opened_at=opened_at, paid_until=charge.until, charge=charge)

    def _reverse(self, request: Reverse) -> TakenBack:
        charge = request.charge
        window = self._own_window(charge.pool_identifier, charge.opened_at)
        if window is None or window.paid_until != charge.until:
            return TakenBack(0)  # shared, ended, or built upon since: someone relies on this time
        self._book(Kind.REVERSAL, charge.increments, charge.request_id, about=charge, reverses=charge.reference)
        self._put(replace(window, paid_until=charge.from_at, increments=window.increments - charge.increments))
        return TakenBack(charge.increments)

    def _end(self, request: End) -> TakenBack:
        window = self._own_window(request.pool_identifier, request.opened_at)
        if window is None or self._is_over(window):
            return TakenBack(0)
        begun = self.terms.granularity.begun(opened_at=window.opened_at, at=self.now)
        unused = window.increments - begun
        if unused:
            taken = Charge(
                reference=window.newest_charge,
                request_id=request.request_id,
                pool_identifier=window.pool_identifier,
                session_name=window.session_name,
                operation=request.operation,
                opened_at=window.opened_at,
                from_at=window.opened_at + self.terms.granularity.length(begun),
                until=window.paid_until,
                increments=unused,
            )
            self._book(Kind.REVERSAL, unused, request.request_id, about=taken, reverses=taken.reference)
        self._put(replace(window, paid_until=max(self.now, window.opened_at), increments=begun))
        self.writes_period = True
        return TakenBack(unused)

    def _adjust(self, request: Adjust) -> Answer:
        # Only the period's quota binds here: a correction is not use, so a day's quota has nothing to say about it.
        quota = Quota(increments_per_period=request.quota.increments_per_period)
        refusal = self._over_quota(quota, request.increments) if request.increments > 0 else None
        if refusal is not None:
            return refusal
        entry = self._book(
            Kind.ADJUSTMENT,
            request.increments,
            request.request_id,
            reason=request.reason,
            corrects=request.corrects,
        )
        self._alert(entry, request.quota)
        return Adjusted(entry)

    def _alert(self, entry: Entry, quota: Quota) -> None:
        """Make an alert for each threshold of the period's quota that is reached and has none yet."""
        row, limit = self.period_row, quota.increments_per_period
        if limit is None:
            return
        reached = quota_alerts(
            entry,
            tenant_id=self.tenant_id,
            balance=row.balance,
            limit=limit,
            percents=quota.alert_percents,
            alerted=row.alerted,
        )
        new = tuple(reached)[: ALERTS_MAX - len(self.alerts)]  # what finds no room comes with the next entry
        self.alerts += new
        alerted = row.alerted | {(alert.limit, alert.percent) for alert in new}
        if len(alerted) > ALERTED_MAX:  # a quota that is changed all the time; the row has to fit its storage
            alerted = frozenset(crossing for crossing in alerted if crossing[0] == limit)
        self.period_row = replace(row, alerted=alerted)

    def _over_quota(self, quota: Quota, increments: int) -> QuotaExceeded | None:
        row = self.period_row
        today = row.days.get(day_of(self.now), DayNumbers()).increments
        for limit, used, until, daily in (
            (quota.increments_per_period, row.balance, row.period.until, False),
            (quota.increments_per_day, today, day_until(self.now), True),
        ):
            if limit is not None and used + increments > limit:
                return QuotaExceeded(needed=increments, remaining=max(0, limit - used), until=until, daily=daily)
        return None

    def _too_many(self, request: Admit) -> TooManySessions | None:
        limit = request.quota.sessions
        if limit is None:
            return None
        assert self.open_windows is not None, "a limit on sessions needs the open windows"
        ends = sorted(until for until in self.open_windows.values() if until > self.now)
        if len(ends) < limit:
            return None
        return TooManySessions(limit=limit, free_at=ends[len(ends) - limit])  # over a lowered limit, several must close

    def _is_over(self, window: Window) -> bool:
        """Say whether the window has run out, or was ended or wholly reversed: by a faster clock, perhaps."""
        whole = window.opened_at + self.terms.granularity.length(window.increments)
        return self.now >= window.paid_until or window.increments == 0 or window.paid_until != whole

    def _foreign(self, window: Window) -> bool:
        return window.owner != self.terms.instance

    def _own_window(self, pool_identifier: str, opened_at: datetime) -> Window | None:
        """Return the window if this instance is its only user, so that increments may be taken back from it."""
        window = self.windows.get(pool_identifier)
        if window is None or window.opened_at != opened_at or window.shared or self._foreign(window):
            return None
        return window

    def _put(self, window: Window) -> None:
        self.windows[window.pool_identifier] = self.changed[window.pool_identifier] = window
        if self.open_windows is not None:
            self.open_windows[window.pool_identifier] = window.paid_until

    def _book(  # every entry comes into being here
        self,
        kind: Kind,
        increments: int,
        request_id: str,
        *,
        about: Charge | None = None,
        reverses: str | None = None,
        reason: str | None = None,
        corrects: Period | None = None,
    ) -> Entry:
        row, keys = self.period_row, self.terms.keys
        entry = Entry(
            period=row.period,
            sequence=row.next_sequence,
            kind=kind,
            at=self.now,
            increments=increments,
            reverses=reverses,
            request_id=request_id,
            commit_id=self.commit_id,
            reason=reason,
            corrects=corrects,
            key_id=keys.current_id,
        )
        if about is not None:
            entry = replace(
                entry,
                session_name=about.session_name,
                pool_identifier=about.pool_identifier,
                opened_at=about.opened_at,
                from_at=about.from_at,
                until=about.until,
                operation=about.operation,
            )
        entry = replace(entry, hash=entry_hash(entry, previous=row.head_hash, key=keys.keys[keys.current_id]))
        self.entries.append(entry)
        self.writes_period = True
        self.period_row = row.with_entry(entry)
        return entry
