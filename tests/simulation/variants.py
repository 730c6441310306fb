"""Deliberately broken products, each by one plausible mistake, and the promise that each must be caught breaking.

They show that the oracle bites: a promise whose breach goes unnoticed is not checked.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from metering.admissions import Admission, Ending, Outcome
from metering.entries import Entry
from metering.ledger import Decision
from metering.meter import Meter
from metering.periods import Period
from metering.requests import Admit, Quota, QuotaExceeded, Reverse, TakenBack, TooManySessions
from metering.rows import PeriodRow
from metering.store import LedgerUnavailable, Snapshot
from proxy.errors import GatewayError
from proxy.gateway import Gateway
from proxy.messages import GatewayRequest, GatewayResponse
from tests.simulation.network import SimulatedTableClient
from tests.simulation.parts import Parts
from tests.simulation.store import SimulatedLedgerStore
from tests.simulation.table import Columns, SimulatedTable, Write


class _WithoutETags(SimulatedTable):
    """The last writer wins."""

    def check(self, kind: str, etag: str | None, current: tuple[Columns, int] | None) -> None:
        """Let everything through."""


class _WithoutTransactions(SimulatedTable):
    """The rows of a transaction are written one after the other."""

    def transact(self, writes: Sequence[Write]) -> None:
        """Write until one is refused."""
        for write in writes:
            super().transact([write])


class _NothingIsRecognised(SimulatedLedgerStore):
    """A commit whose answer was lost is simply made again."""

    async def entry(self, tenant_id: str, period: Period, sequence: int) -> Entry | None:
        """Find nothing."""
        return None


class _NothingIsFenced(SimulatedLedgerStore):
    """A commit that was not found may still be made later."""

    async def fence(self, tenant_id: str, period: Period) -> None:
        """Leave the period row as it is."""


class _NothingIsTouched(SimulatedLedgerStore):
    """Another instance's window is used without a mark that it is."""

    async def commit(self, snapshot: Snapshot, decision: Decision) -> None:
        """Write only what has entries."""
        if decision.entries:
            await super().commit(snapshot, decision)


class _ForgetsAlerts(SimulatedLedgerStore):
    """Alerts are left to whoever comes later."""

    async def commit(self, snapshot: Snapshot, decision: Decision) -> None:
        """Write all but the alerts."""
        await super().commit(snapshot, replace(decision, alerts=()))


class _OwnsEveryWindow(SimulatedLedgerStore):
    """Each instance takes itself for the only user of every window."""

    async def read(
        self, tenant_id: str, period: Period, pool_identifiers: Collection[str], *, open_at: datetime | None
    ) -> Snapshot:
        """Hide who else uses the windows."""
        snapshot = await super().read(tenant_id, period, pool_identifiers, open_at=open_at)
        mine = self.client.name
        windows = {name: replace(w, owner=mine, shared=False) for name, w in snapshot.rows.windows.items()}
        return Snapshot(replace(snapshot.rows, windows=windows), snapshot.etags)


class _LongerWindows(SimulatedLedgerStore):
    """A window is extended by more than was charged."""

    async def commit(self, snapshot: Snapshot, decision: Decision) -> None:
        """Give a second away."""
        windows = {n: replace(w, paid_until=w.paid_until + timedelta(seconds=1)) for n, w in decision.windows.items()}
        await super().commit(snapshot, replace(decision, windows=windows))


class _StaleRows(SimulatedLedgerStore):
    """Decides on the period row that it saw first, under the ETag of today's."""

    def __init__(self, client: SimulatedTableClient | None = None) -> None:
        super().__init__(client)
        self.first: dict[tuple[str, Period], PeriodRow] = {}

    async def read(
        self, tenant_id: str, period: Period, pool_identifiers: Collection[str], *, open_at: datetime | None
    ) -> Snapshot:
        """Read the windows only."""
        snapshot = await super().read(tenant_id, period, pool_identifiers, open_at=open_at)
        row = self.first.setdefault((tenant_id, period), snapshot.rows.period_row)
        return Snapshot(replace(snapshot.rows, period_row=row), snapshot.etags)


class _ChecksThenCharges(Meter):
    """Looks at the balance first, and charges in a transaction that does not."""

    async def admit(self, tenant_id: str, request: Admit) -> Admission | QuotaExceeded | TooManySessions:
        """Check the quota, then charge without one."""
        quota = request.quota.increments_per_period
        now = self._clock()
        if quota is not None:
            row = await self._commits._store.period_row(tenant_id, Period.of(now))
            if row.balance + self._terms.granularity.to_open() > quota:
                return await super().admit(tenant_id, request)
        unlimited = Quota(sessions=request.quota.sessions)
        return await super().admit(tenant_id, replace(request, quota=unlimited))


class _ForwardsFirst(Meter):
    """Charges while the call is under way already."""

    async def admit(self, tenant_id: str, request: Admit) -> Admission | QuotaExceeded | TooManySessions:
        """Admit every call at once."""
        now = self._clock()
        self._coverage.enter(request.pool_identifier, now)
        until = now + self._terms.granularity.length(self._terms.granularity.to_open())
        return Admission(
            tenant_id=tenant_id,
            pool_identifier=request.pool_identifier,
            opened_at=now,
            paid_until=until,
            needs_until=until,
            charges=(),
        )

    async def settle(self, admission: Admission, outcome: Outcome) -> int:
        """Charge a call that ran."""
        if outcome is Outcome.RAN:
            request = Admit(
                pool_identifier=admission.pool_identifier,
                session_name="late",
                operation="late",
                request_id="late",
                quota=Quota(),
            )
            await self._commits.submit(admission.tenant_id, [request])
        return await super().settle(admission, outcome)


class _BelievesAnEndedWindow(Meter):
    """Goes on using a window that it has ended itself."""

    async def end(self, tenant_id: str, ending: Ending | None, **call: Any) -> int:
        """End the window, and remember it as it was."""
        session = None if ending is None else ending.session
        before = None if session is None else (session.opened_at, session.paid_until)
        given_back = await super().end(tenant_id, ending, **call)
        if session is not None and before is not None:
            session.opened_at, session.paid_until = before
        return given_back


class _OverlooksCallsMadeMeanwhile(Meter):
    """Ends a window though a call has used the session since the pool was asked to end it."""

    async def end(self, tenant_id: str, ending: Ending | None, **call: Any) -> int:
        """End the window that there is now."""
        now = None if ending is None else self.ending(ending.pool_identifier)
        return await super().end(tenant_id, now, **call)


class _ReversesAtOnce(Meter):
    """Takes a charge back though other calls rely on it."""

    async def settle(self, admission: Admission, outcome: Outcome) -> int:
        """Reverse whatever did not run."""
        if outcome is Outcome.RAN or not admission.charges:
            return await super().settle(admission, outcome)
        answers = await self._commits.submit(admission.tenant_id, [Reverse(charge=c) for c in admission.charges])
        await super().settle(replace(admission, charges=()), outcome)
        return sum(answer.increments for answer in answers if isinstance(answer, TakenBack))


class _ReversesAll(Meter):
    """Takes back what ran as well."""

    async def settle(self, admission: Admission, outcome: Outcome) -> int:
        """Take every call for one that did not run."""
        return await super().settle(admission, Outcome.DID_NOT_RUN)


class _ReversesNothing(Meter):
    """Keeps the charges of calls that did not run."""

    async def settle(self, admission: Admission, outcome: Outcome) -> int:
        """Take every call for one that ran."""
        return await super().settle(admission, Outcome.RAN)


class _RemembersRefusals(Meter):
    """Refuses from memory what was refused before."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.refused: dict[str, QuotaExceeded] = {}

    async def admit(self, tenant_id: str, request: Admit) -> Admission | QuotaExceeded | TooManySessions:
        """Look into the memory first."""
        if tenant_id in self.refused:
            return self.refused[tenant_id]
        answer = await super().admit(tenant_id, request)
        if isinstance(answer, QuotaExceeded):
            self.refused[tenant_id] = answer
        return answer


class _AsksStorageEachTime(Meter):
    """Reads the ledger before every call, paid or not."""

    async def admit(self, tenant_id: str, request: Admit) -> Admission | QuotaExceeded | TooManySessions:
        """Look at the balance first."""
        await self._commits._store.period_row(tenant_id, Period.of(self._clock()))
        return await super().admit(tenant_id, request)


class _LetsStorageErrorsThrough(Gateway):
    """Takes trouble with the ledger for a surprise."""

    async def handle(self, request: GatewayRequest) -> GatewayResponse:
        """Let the cause of a refusal through."""
        try:
            return await super().handle(request)
        except GatewayError as error:
            if isinstance(error.__cause__, LedgerUnavailable):
                raise error.__cause__ from None
            raise


VARIANTS: Mapping[str, tuple[str, Parts]] = MappingProxyType(
    {
        "check, then charge": ("never over", Parts(meter=_ChecksThenCharges)),
        "commits are not recognised": ("never twice", Parts(store=_NothingIsRecognised)),
        "forward before the charge": ("never lost", Parts(meter=_ForwardsFirst)),
        "a window longer than its charges": ("never lost", Parts(store=_LongerWindows)),
        "coverage believed after the end": ("never lost", Parts(meter=_BelievesAnEndedWindow)),
        "an end overlooks calls made meanwhile": ("covered", Parts(meter=_OverlooksCallsMadeMeanwhile)),
        "no touch of other instances' windows": ("covered", Parts(store=_NothingIsTouched)),
        "shared windows are taken back": ("covered", Parts(store=_OwnsEveryWindow)),
        "reversal while others rely on it": ("covered", Parts(meter=_ReversesAtOnce)),
        "reversal of what ran": ("covered", Parts(meter=_ReversesAll)),
        "no reversal": ("never unfairly refused", Parts(meter=_ReversesNothing)),
        "commits are not fenced": ("never unfairly refused", Parts(store=_NothingIsFenced)),
        "refusal from memory": ("never unfairly refused", Parts(meter=_RemembersRefusals)),
        "no ETags": ("balance is the sum of entries", Parts(table=_WithoutETags)),
        "no transactions": ("balance is the sum of entries", Parts(table=_WithoutTransactions)),
        "stale rows": ("balance is the sum of entries", Parts(store=_StaleRows)),
        "alerts are forgotten": ("every crossing is alerted", Parts(store=_ForgetsAlerts)),
        "storage for every call": ("storage down", Parts(meter=_AsksStorageEachTime)),
        "storage errors are surprises": ("always answered", Parts(gateway=_LetsStorageErrorsThrough)),
    }
)
"""By name: the promise that is broken, and the broken product."""
