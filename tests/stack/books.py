"""A tenant's ledger as its API shows it, held against what the pool saw."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.stack.crowd import Arrival
from tests.stack.tenants import Operator, TenantClient

PAGE = 1_000
SIGNS = {"charge": 1, "adjustment": 1, "reversal": -1}

type Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Books:
    """A tenant's current period.

    Attributes:
        paid: by session, the time that is paid for and was not taken back.
        problems: what does not add up in the ledger itself.
    """

    increment: timedelta
    balance: int
    quota: int | None
    entries: list[dict[str, Any]]
    paid: dict[str, list[Span]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, operator: Operator, tenant_id: str, tenant: TenantClient) -> "Books":
        """Read and check everything; only for a tenant without calls in flight is it all from one instant."""
        verification = operator.call("GET", f"/tenants/{tenant_id}/verification").json()
        statement = tenant.usage()
        increment, minutes = statement["increment_seconds"], statement["minutes"]
        entries: list[dict[str, Any]] = []
        while len(entries) % PAGE == 0:
            page = tenant.call("GET", "/usage/entries", params={"after": len(entries), "limit": PAGE}).json()["entries"]
            if not page:
                break
            entries += page
        quota = None if minutes["quota"] is None else round(minutes["quota"] * 60 / increment)
        books = cls(timedelta(seconds=increment), round(minutes["billed"] * 60 / increment), quota, entries)
        books._add_up()
        if not verification["ok"]:
            books.problems.append(f"verification found {verification['findings']}")
        return books

    def _add_up(self) -> None:
        balance = 0
        for position, entry in enumerate(self.entries, start=1):
            if entry["sequence"] != position:
                self.problems.append(f"entry {entry['sequence']} stands in place {position}")
            balance += SIGNS[entry["kind"]] * entry["increments"]
            if self.quota is not None and balance > self.quota:
                self.problems.append(f"the balance is {balance} after entry {position}; the quota is {self.quota}")
            span = (datetime.fromisoformat(entry["from"]), datetime.fromisoformat(entry["until"]))
            spans = self.paid.setdefault(entry["session"], [])
            if entry["kind"] == "reversal":
                spans[:] = [piece for paid in spans for piece in _without(paid, span)]
            elif any(begin < span[1] and span[0] < until for begin, until in spans):
                self.problems.append(f"entry {position} pays for time of {entry['session']} that was paid already")
            else:
                spans.append(span)
        if balance != self.balance:
            self.problems.append(f"the balance is {self.balance}; the entries add up to {balance}")

    def unpaid(self, arrivals: Iterable[Arrival]) -> list[Arrival]:
        """Return the calls that reached the pool at an instant that nobody has paid for."""
        return [a for a in arrivals if not any(begin <= a.at < until for begin, until in self.paid.get(a.session, []))]

    def unused(self, arrivals: Iterable[Arrival]) -> list[tuple[str, Span]]:
        """Return the paid time in which the pool held no session for any call; the tail is an increment here."""
        calls: dict[str, list[datetime]] = {}
        for arrival in arrivals:
            calls.setdefault(arrival.session, []).append(arrival.at)
        return [
            (session, (begin, until))
            for session, spans in self.paid.items()
            for begin, until in spans
            if not any(at < until and begin < at + self.increment for at in calls.get(session, []))
        ]


def _without(paid: Span, taken: Span) -> list[Span]:
    """Take a span away from a paid one: what is left of it before and after."""
    pieces = [(paid[0], min(paid[1], taken[0])), (max(paid[0], taken[1]), paid[1])]
    return [(begin, until) for begin, until in pieces if begin < until]
