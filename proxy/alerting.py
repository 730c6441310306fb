"""Delivers alerts: finds those that somebody has still to hear of, sends them, and writes down what became of it.

At least once: a row says that an alert was heard only after it was. Whoever is killed in between, or is not alone,
makes a receiver hear of an alert twice, under the same id. Several instances may do it at once.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from metering.alert_store import POOLS, AlertStore, StoredAlert
from metering.alerts import Alert, Target
from metering.clock import Clock
from metering.increments import Granularity
from metering.store import LedgerUnavailable
from proxy.directory import Directory
from proxy.errors import GatewayError
from proxy.telemetry import Telemetry
from proxy.webhook_sender import WebhookSender
from proxy.webhooks import event

FIRST_DELAY = timedelta(minutes=1)
DELAY_MAX = timedelta(hours=1)
JITTER = 0.2  # of a delay: so that what failed together is not tried again together
GIVEN_UP_AFTER = timedelta(days=7)

AT_ONCE = 16  # partitions in work, and so messages under way
RUN_SECONDS = 45.0  # after which no message is begun: with the last answers a run takes about a minute

_logger = logging.getLogger(__name__)

type Urls = Mapping[Target, str]


def after_attempt(
    alert: Alert, *, heard: Collection[Target], failed: Mapping[Target, str], now: datetime, chance: float
) -> Alert:
    """Say what becomes of an alert when those for whom there is a URL were sent it.

    Whoever neither heard nor failed has no URL, and need not hear. Failures delay the next attempt, by a minute at
    first and twice as long each time, up to an hour, less up to a fifth by `chance` (from 0 to 1). After a week they
    are the last.

    Args:
        alert: as it was before.
        heard: who said so.
        failed: who did not, and why.
        now: after the attempt.
        chance: of this delay.
    """
    if not failed:
        return replace(alert, waiting_for=frozenset(), delivered_at=now if heard else None, problem=None)
    problem = "; ".join(f"{target.value}: {why}" for target, why in sorted(failed.items()))
    tried = replace(alert, attempts=alert.attempts + 1, problem=problem)
    if now - alert.at >= GIVEN_UP_AFTER:
        return replace(tried, waiting_for=frozenset())
    return replace(
        tried, waiting_for=frozenset(failed), next_attempt_at=now + _delay(alert.attempts) * (1 - JITTER * chance)
    )


def _delay(failures: int) -> timedelta:
    doublings = min(failures, 6)  # more would be longer than the longest
    return min(FIRST_DELAY * (1 << doublings), DELAY_MAX)


@dataclass(frozen=True, slots=True)
class DeliveryCount:
    """What a run did.

    Attributes:
        delivered: alerts that all who were to hear of them have heard of now.
        failed: alerts that somebody did not hear of, though asked to.
        waiting: alerts that somebody has still to hear of, in the partitions that the run came to; those that failed
            are among them.
    """

    delivered: int = 0
    failed: int = 0
    waiting: int = 0


@dataclass(slots=True)
class _Run:
    """A run under way.

    Attributes:
        until: on the stopwatch.
        deaf: URLs that did not hear of an alert in this run, and why: they are not asked again, and all that is due
            there shares the failure. So one that hangs costs its tenant's place a single timeout.
    """

    until: float
    deaf: dict[str, str] = field(default_factory=dict)
    storage_is_lost: bool = False
    delivered: int = 0
    failed: int = 0
    waiting: int = 0


class AlertDelivery:
    """Sends alerts to the webhooks of tenants and of the operator.

    A tenant's webhook hears of its own quota; the operator's hears of everything.
    """

    def __init__(
        self,
        *,
        alerts: AlertStore,
        directory: Directory,
        sender: WebhookSender,
        operator_url: str | None,
        granularity: Granularity,
        clock: Clock,
        telemetry: Telemetry,
        chance: random.Random | None = None,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._alerts = alerts
        self._directory = directory
        self._sender = sender
        self._operator_urls = {} if operator_url is None else {Target.OPERATOR: operator_url}
        self._granularity = granularity
        self._clock = clock
        self._telemetry = telemetry
        self._chance = chance or random.SystemRandom()
        self._elapsed = elapsed

    async def run(self) -> DeliveryCount:
        """Send what is due. Storage that cannot be reached is logged: the next run is due.

        Partitions come in an order by chance, so that a run that is cut off short neglects nobody for long.
        """
        run = _Run(until=self._elapsed() + RUN_SECONDS)
        try:
            places = [(tenant.id, self._urls(tenant.webhook_url)) async for tenant in self._directory.list_tenants()]
        except GatewayError:
            places, run.storage_is_lost = [], True
        else:
            places.append((POOLS, self._urls(None)))
            self._chance.shuffle(places)
        rest = iter(places)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(AT_ONCE, len(places))):
                group.create_task(self._work(rest, run))
        if run.storage_is_lost:
            _logger.warning("Alerts were not delivered: storage cannot be reached. The next run makes up for it.")
        return DeliveryCount(run.delivered, run.failed, run.waiting)

    def _urls(self, tenant_url: str | None) -> Urls:
        return self._operator_urls | ({} if tenant_url is None else {Target.TENANT: tenant_url})

    async def _work(self, rest: Iterator[tuple[str, Urls]], run: _Run) -> None:
        """Take one partition after the other, as the other tasks do."""
        for partition, urls in rest:
            if self._is_over(run):
                return
            try:
                await self._deliver_all(partition, urls, run)
            except LedgerUnavailable:
                run.storage_is_lost = True

    async def _deliver_all(self, partition: str, urls: Urls, run: _Run) -> None:
        """Deliver a partition's alerts one by one; those that failed less often first, then the older ones."""
        pending = await self._alerts.pending(partition)
        run.waiting += len(pending)
        now = self._clock()
        due = [stored for stored in pending if stored.alert.next_attempt_at <= now]
        due.sort(key=lambda stored: (stored.alert.attempts, stored.alert.next_attempt_at, stored.alert.percent))
        for stored in due:
            if self._is_over(run):
                return
            await self._deliver(partition, urls, stored, run)

    async def _deliver(self, partition: str, urls: Urls, stored: StoredAlert, run: _Run) -> None:
        before = stored.alert
        targets = [target for target in sorted(before.waiting_for) if target in urls]
        answers = await asyncio.gather(
            *(self._send(partition, target, urls[target], before, run) for target in targets)
        )
        problems = dict(zip(targets, answers, strict=True))
        after = after_attempt(
            before,
            heard={target for target, problem in problems.items() if problem is None},
            failed={target: problem for target, problem in problems.items() if problem is not None},
            now=self._clock(),
            chance=self._chance.random(),
        )
        if not await self._alerts.update(partition, stored, after):
            return  # another instance was here too
        run.delivered += after.delivered_at is not None
        run.failed += after.attempts > before.attempts
        run.waiting -= not after.is_pending
        if after.delivered_at is not None:
            self._telemetry.delivery("delivered")
        if after.attempts > before.attempts:
            self._telemetry.delivery("failed" if after.is_pending else "given_up")
            _logger.warning(
                "The alert %s was not heard (%s); %s.",
                after.id,
                after.problem,
                "it is tried again" if after.is_pending else "it is given up",
            )

    async def _send(self, partition: str, target: Target, url: str, alert: Alert, run: _Run) -> str | None:
        """Send an alert, unless the receiver is known to be deaf; return why it was not heard, or None."""
        if url not in run.deaf:
            problem = await self._sender.send(
                url,
                event(alert, self._granularity),
                message_id=alert.id,
                tenant_id=partition if target is Target.TENANT else None,
            )
            if problem is None:
                return None
            run.deaf[url] = problem
        return run.deaf[url]

    def _is_over(self, run: _Run) -> bool:
        return run.storage_is_lost or self._elapsed() >= run.until
