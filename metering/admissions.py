"""What passes between the meter and whoever carries calls: values without behaviour of their own."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum

from metering.coverage import SessionMemory
from metering.periods import Period
from metering.requests import Charge


class Outcome(Enum):
    """What became of an admitted call at the pool."""

    RAN = "ran"  # answered, or no answer came: the charge stands
    DID_NOT_RUN = "did not run"  # never sent, or refused before a session was taken: the charge is taken back


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """A call that may go to the pool. Hand it to `Meter.settle` exactly once, whatever happens to the call.

    Attributes:
        needs_until: the pool may hold the session until then because of this call.
        charges: what this very call was charged; none if it was covered, and hardly ever more than one.
    """

    tenant_id: str
    pool_identifier: str
    opened_at: datetime
    paid_until: datetime
    needs_until: datetime
    charges: tuple[Charge, ...]

    @property
    def increments(self) -> int:
        """What the call was charged."""
        return sum(charge.increments for charge in self.charges)

    @property
    def opens_window(self) -> bool:
        """Whether nothing was paid for before this call: the pool may have ended the session since it was last used."""
        return any(charge.from_at == charge.opened_at for charge in self.charges)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A session that the pool is asked to end, as it stood then."""

    pool_identifier: str
    session: SessionMemory
    entered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a tenant stood when this instance last read its rows; others may have charged since.

    Attributes:
        open_until: paid_until of the windows that were open; None if nobody asked.
    """

    period: Period
    balance: int
    day: date
    day_increments: int
    open_until: tuple[datetime, ...] | None
