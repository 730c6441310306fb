"""Alerts: a threshold was crossed, and somebody is to hear of it.

Rules of this file: pure. An alert about a quota is written in the same transaction as the entry that crosses the
threshold; it is made once for each period, limit and threshold, so its id says which crossing it is, and whoever hears
of it twice can tell. What became of its delivery stands in the alert's own row.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from metering.entries import Entry
from metering.periods import Period

type Crossing = tuple[int, int]
"""A threshold of a quota that was reached: the quota in increments, and the per cent of it."""

PERCENTS_DEFAULT = (50, 75, 90, 100)
PERCENTS_MAX = 10  # of one tenant: all may be crossed by one transaction, whose rows are limited


class Subject(StrEnum):
    """What an alert is about."""

    QUOTA = "quota"  # increments that a tenant has used of its quota of a period
    POOL = "pool"  # sessions that a pool holds, of those that it can hold


class Target(StrEnum):
    """Who is to hear of an alert."""

    TENANT = "tenant"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One crossing, and what became of its delivery.

    Attributes:
        id: unique in a deployment, and the same however often the alert is sent.
        tenant_id: whose quota; None for a pool.
        pool: which pool; None for a quota.
        percent: the threshold.
        limit: what it is a part of: increments of the quota, or sessions of the pool.
        used: what was reached: the balance in increments, or the sessions held.
        at: when it was crossed.
        period: the quota's; None for a pool.
        entry: `period/sequence` of the entry that crossed the threshold; None for a pool.
        waiting_for: who has not heard of it yet; empty: it is done with.
        attempts: deliveries that failed.
        next_attempt_at: not before this instant.
        delivered_at: when the last of those who were to hear of it heard; None: not yet, or nobody was to.
        problem: why the last attempt failed, in words that hold no secret: `operator: HTTP 500; tenant: …`.
    """

    id: str
    subject: Subject
    tenant_id: str | None = None
    pool: str | None = None
    percent: int
    limit: int
    used: int
    at: datetime
    period: Period | None = None
    entry: str | None = None
    waiting_for: frozenset[Target] = frozenset(Target)
    attempts: int = 0
    next_attempt_at: datetime
    delivered_at: datetime | None = None
    problem: str | None = None

    @property
    def is_pending(self) -> bool:
        """Whether somebody has still to hear of it."""
        return bool(self.waiting_for)


def crossed(*, used: int, limit: int, percents: Sequence[int]) -> Iterator[int]:
    """Name the thresholds, in per cent of the limit, that so much use has reached; none of a limit of nothing."""
    for percent in sorted(set(percents)) if limit else ():
        if used * 100 >= percent * limit:
            yield percent


def quota_alerts(
    entry: Entry, *, tenant_id: str, balance: int, limit: int, percents: Sequence[int], alerted: Collection[Crossing]
) -> Iterator[Alert]:
    """Make the alerts for the thresholds that the balance has reached with an entry and that have none yet."""
    for percent in crossed(used=balance, limit=limit, percents=percents):
        if (limit, percent) in alerted:
            continue
        yield Alert(
            id=quota_alert_id(tenant_id, entry.period, limit=limit, percent=percent),
            subject=Subject.QUOTA,
            tenant_id=tenant_id,
            percent=percent,
            limit=limit,
            used=balance,
            at=entry.at,
            period=entry.period,
            entry=f"{entry.period}/{entry.sequence}",
            next_attempt_at=entry.at,
        )


def quota_alert_id(tenant_id: str, period: Period, *, limit: int, percent: int) -> str:
    """Name the crossing of a threshold of a tenant's quota; a quota that is changed is another one."""
    return f"{tenant_id}:{period}:quota:{limit}:{percent:03}"
