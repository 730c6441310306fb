"""What the ledger's shell tells of its work, for telemetry.

Whoever watches is called in between the ledger's steps, so it does no I/O and raises nothing.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from metering.ledger import Decision


class LedgerWatch(Protocol):
    """Is told how admissions and commits go."""

    def asking(self) -> AbstractContextManager[None]:
        """Stand around an admission that memory cannot answer: from the request to the answer, or to the failure."""
        ...

    def committed(self, tenant_id: str, decision: Decision) -> None:
        """Note a transaction that holds; each is told once, also one of which it was long in doubt."""
        ...

    def conflicted(self) -> None:
        """Note that somebody else wrote first."""
        ...

    def retried(self) -> None:
        """Note a further attempt, whatever the reason."""
        ...

    def gave_up(self) -> None:
        """Note that those who wait for a commit are told that it cannot be had now."""
        ...


class Unwatched:
    """Notes nothing."""

    def asking(self) -> AbstractContextManager[None]:
        """See `LedgerWatch.asking`."""
        return nullcontext()

    def committed(self, tenant_id: str, decision: Decision) -> None:
        """See `LedgerWatch.committed`."""

    def conflicted(self) -> None:
        """See `LedgerWatch.conflicted`."""

    def retried(self) -> None:
        """See `LedgerWatch.retried`."""

    def gave_up(self) -> None:
        """See `LedgerWatch.gave_up`."""
