"""The meter: admits calls, takes back what did not run, ends windows.

An instance remembers the windows that it committed or touched. What it believes to be paid stays paid: increments are
taken back only by a window's sole user, and only while no other call relies on them. So a covered call is answered
from memory, without a storage operation, and nothing in memory ever needs to be invalidated from outside.
"""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from metering.admissions import Admission, Ending, Outcome, Standing
from metering.clock import Clock
from metering.commits import Committed, GroupCommit, Sleep
from metering.coverage import Coverage, SessionMemory
from metering.ledger import Terms
from metering.periods import Period, day_of
from metering.requests import (
    Adjust,
    Adjusted,
    Admit,
    Admitted,
    Charge,
    End,
    Quota,
    QuotaExceeded,
    Request,
    Reverse,
    TakenBack,
    TooManySessions,
)
from metering.reversals import Reversals
from metering.rows import DayNumbers
from metering.store import LedgerStore, LedgerUnavailable
from metering.watch import LedgerWatch, Unwatched

STANDINGS_MAX = 10_000
ADMISSIONS_MAX = 3  # of one call, as long as the ledger's answers come too late
ANSWER_AGE_MAX = timedelta(seconds=2)  # of an admission; up to so much of the tail may be unpaid


class Meter:
    """Decides what may go to the pool; safe to use from any number of tasks of one event loop."""

    def __init__(
        self,
        *,
        store: LedgerStore,
        terms: Terms,
        clock: Clock,
        sleep: Sleep = asyncio.sleep,
        chance: random.Random | None = None,
        standings_max: int = STANDINGS_MAX,
        watch: LedgerWatch | None = None,
    ) -> None:
        self._terms = terms
        self._clock = clock
        self._coverage = Coverage()
        self._standings: dict[str, Standing] = {}
        self._standings_max = standings_max
        self._watch = watch or Unwatched()
        self._asking: set[asyncio.Task[Admission | QuotaExceeded | TooManySessions]] = set()
        self._commits = GroupCommit(
            store=store,
            terms=terms,
            clock=clock,
            sleep=sleep,
            chance=chance or random.SystemRandom(),
            observer=self,
            watch=self._watch,
        )
        self._reversals = Reversals(commits=self._commits, coverage=self._coverage, clock=clock, sleep=sleep)

    async def admit(self, tenant_id: str, request: Admit) -> Admission | QuotaExceeded | TooManySessions:
        """Admit a call, charging what is not yet paid; a refusal writes nothing.

        Raises:
            LedgerUnavailable: the call is not covered, and nothing new can be charged now.
        """
        now = self._clock()
        session = self._coverage.enter(request.pool_identifier, now)
        covered = self._covered(session, now)
        if covered is not None:
            return self._admission(tenant_id, request, covered, ())
        # A caller that hangs up does not stop what it has asked for: it would be charged, and nobody would know.
        asking = asyncio.create_task(self._ask(tenant_id, request, session))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        try:
            with self._watch.asking():
                return await asyncio.shield(asking)
        except asyncio.CancelledError:
            asking.add_done_callback(self._abandon)
            raise

    async def quote(self, tenant_id: str, request: Admit) -> Admitted | QuotaExceeded | TooManySessions:
        """Say what `admit` would answer now; nothing is charged, marked as shared, or remembered.

        It is no promise: until the call is made, others may use the quota, and the session may be ended.

        Raises:
            LedgerUnavailable: the call is not covered, and the ledger cannot be read now.
        """
        session = self._coverage.known(request.pool_identifier)
        covered = None if session is None else self._covered(session, self._clock())
        if covered is not None:
            return covered
        answer = await self._commits.preview(tenant_id, request)
        assert isinstance(answer, Admitted | QuotaExceeded | TooManySessions), "the answer fits the request"
        return answer

    async def settle(self, admission: Admission, outcome: Outcome) -> int:
        """Note what became of an admitted call; return how much of its own charge was taken back, in increments.

        The charge of a call that did not run is taken back as soon as no other call relies on the session's window, and
        only if none that ran has needed it.

        Raises:
            LedgerUnavailable: the charge could not be taken back now; that is tried again in the background.
        """
        session = self._coverage.known(admission.pool_identifier)
        assert session is not None, "a session with calls in flight is not forgotten"
        if outcome is Outcome.RAN:
            session.ran_until = max(session.ran_until, admission.needs_until)
        else:
            session.withheld += admission.charges
        taken_back = await self._reversals.leave(admission.tenant_id, admission.pool_identifier, session)
        return sum(charge.increments for charge in admission.charges if charge in taken_back)

    def ending(self, pool_identifier: str) -> Ending | None:
        """Note that the pool is about to be asked to end a session; None if there is nothing that could end with it.

        With a call in flight nobody can say which of the two the pool will hear of first.
        """
        session = self._coverage.known(pool_identifier)
        if session is None or session.opened_at is None or session.calls:
            return None
        return Ending(pool_identifier=pool_identifier, session=session, entered=session.entered)

    async def end(self, tenant_id: str, ending: Ending | None, *, operation: str, request_id: str) -> int:
        """End a session's window, since the pool has ended the session; return the increments given back.

        Nothing is given back, and the window stays open, if another instance relies on it, or if there was a call since
        the pool was asked: that call may have opened the session anew.

        Raises:
            LedgerUnavailable: the window could not be ended now; it stays open.
        """
        if ending is None:
            return 0
        session, opened_at = self._coverage.known(ending.pool_identifier), ending.session.opened_at
        if session is not ending.session or session.entered != ending.entered or opened_at is None:
            return 0
        session.forget()
        request = End(
            pool_identifier=ending.pool_identifier, opened_at=opened_at, operation=operation, request_id=request_id
        )
        [answer] = await self._commits.submit(tenant_id, [request])
        assert isinstance(answer, TakenBack), "the answer fits the request"
        return answer.increments

    async def adjust(
        self,
        tenant_id: str,
        *,
        quota: Quota,
        increments: int,
        reason: str,
        request_id: str,
        corrects: Period | None = None,
    ) -> Adjusted | QuotaExceeded:
        """Correct the balance of the current period by so many increments, signed; beyond the quota it is refused.

        `corrects` is the earlier period that is made good, if it is one.

        Raises:
            LedgerUnavailable: it may have been booked, or may be yet; the entries will tell. It is not taken back.
        """
        request = Adjust(increments=increments, reason=reason, request_id=request_id, quota=quota, corrects=corrects)
        [answer] = await self._commits.submit(tenant_id, [request])
        assert isinstance(answer, Adjusted | QuotaExceeded), "the answer fits the request"
        return answer

    def standing(self, tenant_id: str) -> Standing | None:
        """Return where the tenant stood last; None if this instance has not met it."""
        return self._standings.get(tenant_id)

    async def aclose(self) -> None:
        """Wait until every request under way is decided; charges that could not be taken back by then stand."""
        await self._reversals.aclose()
        await self._commits.aclose()

    def committed(self, tenant_id: str, requests: Sequence[Request], result: Committed) -> None:
        """See `commits.Observer`: remember the windows paid for, and where the tenant stands."""
        for request, answer in zip(requests, result.decision.answers, strict=True):
            match request, answer:
                case Admit(), Admitted():
                    self._coverage.learn(request.pool_identifier, answer.opened_at, answer.paid_until)
                case Reverse(), TakenBack(increments) if increments:
                    self._coverage.forget(request.charge.pool_identifier)
                case End(), TakenBack():
                    self._coverage.forget(request.pool_identifier)
                case _:
                    pass
        row, today = result.decision.period_row, day_of(self._clock())
        if len(self._standings) >= self._standings_max:
            self._standings.clear()  # it only feeds headers, and comes back with the next commits
        self._standings[tenant_id] = Standing(
            period=row.period,
            balance=row.balance,
            day=today,
            day_increments=row.days.get(today, DayNumbers()).increments,
            open_until=None if result.open_windows is None else tuple(result.open_windows.values()),
        )

    def orphaned(self, tenant_id: str, charges: Sequence[Charge]) -> None:
        """See `commits.Observer`: take them back as those of calls that did not run, unless their time is used."""
        for charge in charges:
            self._reversals.withhold(tenant_id, charge.pool_identifier, [charge])

    def _covered(self, session: SessionMemory, now: datetime) -> Admitted | None:
        if session.opened_at is None or not self._terms.granularity.covers(paid_until=session.paid_until, at=now):
            return None
        return Admitted(at=now, opened_at=session.opened_at, paid_until=session.paid_until, charge=None)

    def _admission(self, tenant_id: str, request: Admit, answer: Admitted, charges: Sequence[Charge]) -> Admission:
        return Admission(
            tenant_id=tenant_id,
            pool_identifier=request.pool_identifier,
            opened_at=answer.opened_at,
            paid_until=answer.paid_until,
            needs_until=answer.at + max(self._terms.granularity.tail, timedelta.resolution),  # its instant at least
            charges=tuple(charges),
        )

    async def _ask(
        self, tenant_id: str, request: Admit, session: SessionMemory
    ) -> Admission | QuotaExceeded | TooManySessions:
        """Take a call that is not covered to the ledger; unless it is admitted, nothing of it remains."""
        charges: list[Charge] = []
        try:
            answer = await self._admit_in_time(tenant_id, request, session, charges)
        except BaseException:
            session.calls -= 1
            if charges or session.withheld:  # of this call, or of one that left it to the last
                self._reversals.withhold(tenant_id, request.pool_identifier, charges)
            raise
        if isinstance(answer, Admitted):
            return self._admission(tenant_id, request, answer, charges)
        session.withheld += charges
        with suppress(LedgerUnavailable):
            await self._reversals.leave(tenant_id, request.pool_identifier, session)
        return answer

    def _abandon(self, asking: asyncio.Task[Admission | QuotaExceeded | TooManySessions]) -> None:
        """Settle an admission whose caller has hung up: the call did not run."""
        admission = None if asking.cancelled() or asking.exception() is not None else asking.result()
        if not isinstance(admission, Admission):
            return
        session = self._coverage.known(admission.pool_identifier)
        assert session is not None, "a session with calls in flight is not forgotten"
        session.calls -= 1
        self._reversals.withhold(admission.tenant_id, admission.pool_identifier, admission.charges)

    async def _admit_in_time(
        self, tenant_id: str, request: Admit, session: SessionMemory, charges: list[Charge]
    ) -> Admitted | QuotaExceeded | TooManySessions:
        """Ask the ledger until its answer is young enough to act upon; `charges` are those of the call that stand.

        An answer that took long to come (a commit may turn out to have been made after all) pays for a time that is
        over, at least in part. Its charge is taken back, where nobody relies on it, and the call decided anew.
        """
        for _ in range(ADMISSIONS_MAX):
            late = charges[-1:] if session.calls == 1 and charges and charges[-1].from_at >= session.ran_until else []
            if late:
                session.forget()
            undo = [Reverse(charge=charge) for charge in late]
            *undone, answer = await self._commits.submit(tenant_id, [*undo, request])
            if any(isinstance(taken, TakenBack) and taken.increments for taken in undone):
                charges.pop()
            assert isinstance(answer, Admitted | QuotaExceeded | TooManySessions), "the answer fits the request"
            if not isinstance(answer, Admitted):
                return answer
            if answer.charge is not None:
                charges.append(answer.charge)
            now = self._clock()
            if now < answer.paid_until and now - answer.at <= ANSWER_AGE_MAX:
                return answer
        raise LedgerUnavailable("the ledger answers too slowly")
