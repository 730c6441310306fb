"""What a seed says: how large the world is, what its tenants may use, what goes wrong, and who calls when.

Most worlds are small, since small ones fail in the fewest steps; some have fifty instances or a thousand callers.
Everything that has a weight here is a choice among what happens in production, from calm to hopeless.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.simulation.network import Faults
from tests.simulation.pool import PoolFaults

CALM = Faults()
_STORAGE_FAULTS = (
    (0.40, CALM),
    (0.20, Faults(slow=0.02, lost_answer=0.02, late=0.02, doubled=0.05, echoed=0.02, throttled=0.03, doubtful=0.01)),
    (
        0.15,
        Faults(
            slow=0.1, lost_request=0.1, lost_answer=0.1, late=0.1, doubled=0.1, echoed=0.1, throttled=0.1, doubtful=0.05
        ),
    ),
    (0.10, Faults(lost_answer=0.3, doubtful=0.1)),
    (0.10, Faults(late=0.3, doubled=0.2)),
    (0.05, Faults(throttled=0.5)),
)
_POOL_FAULTS = (
    (0.35, PoolFaults()),
    (0.30, PoolFaults(unconnected=0.05, busy=0.1, unauthorized=0.02, invalid=0.05, failed=0.02, lost=0.05)),
    (0.15, PoolFaults(busy=0.6)),
    (0.10, PoolFaults(unconnected=0.5, lost=0.2)),
    (0.10, PoolFaults(unconnected=0.1, busy=0.2, unauthorized=0.2, invalid=0.2, failed=0.1, lost=0.1)),
)
_TIMES = (  # increment, tail, cooldown: seconds
    (0.60, (300, 300, 300)),
    (0.10, (300, 0, 300)),
    (0.05, (300, 600, 600)),
    (0.10, (60, 300, 300)),
    (0.05, (900, 300, 300)),
    (0.05, (300, 100, 100)),
    (0.05, (7, 20, 20)),
)
_SIZES = (  # calls, instances: at most
    (0.700, (12, 4)),
    (0.220, (40, 8)),
    (0.065, (120, 20)),
    (0.013, (300, 50)),
    (0.002, (1_000, 50)),
)
_HORIZONS = ((0.25, 0.01), (0.15, 3.0), (0.15, 30.0), (0.25, 700.0), (0.20, 3_000.0))
_SKEWS = ((0.60, 0.0), (0.10, 5.0), (0.10, 60.0), (0.20, 300.0))
_VERBS = ((0.70, "execute"), (0.15, "files"), (0.12, "end"), (0.03, "look"))
_STARTS = (
    (0.85, datetime(2026, 11, 23, 9, tzinfo=UTC)),
    (0.08, datetime(2026, 11, 23, 23, 55, tzinfo=UTC)),
    (0.07, datetime(2026, 11, 30, 23, 55, tzinfo=UTC)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a tenant may use; None is without limit. Increments, but for `sessions`."""

    month: int | None
    day: int | None
    sessions: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """One call: when, whose, by which instance; `patience` is after how many seconds its caller hangs up, if ever."""

    at: float
    instance: int
    tenant: str
    session: str
    verb: str
    patience: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One world. `skews` has the seconds by which each instance's clock is wrong."""

    seed: int
    start_at: datetime
    increment_seconds: int
    tail_seconds: int
    cooldown_seconds: int
    skews: Sequence[float]
    limits: dict[str, Limits]
    faults: Faults
    outages: Sequence[tuple[float, float]]
    delay_seconds: float
    page_size: int
    pool_faults: PoolFaults
    pool_sessions_max: int
    kills: Sequence[tuple[float, int]]
    calls: Sequence[PlannedCall]

    @property
    def is_calm(self) -> bool:
        """Whether the table always answers."""
        return self.faults == CALM and not self.outages

    @property
    def skew_seconds(self) -> float:
        """The largest error of a clock."""
        return max(map(abs, self.skews))


def draw_plan(seed: int) -> Plan:
    """Draw the world of a seed."""
    chance = random.Random(seed)
    calls_max, instances_max = _weighted(chance, _SIZES)
    calls_count, instances = chance.randint(max(1, calls_max // 4), calls_max), chance.randint(1, instances_max)
    increment, tail, cooldown = _weighted(chance, _TIMES)
    horizon, skew = _weighted(chance, _HORIZONS), _weighted(chance, _SKEWS)
    tenants = [f"tenant-{n}" for n in range(chance.choice((1, 1, 1, 2, 3)))]
    return Plan(
        seed=seed,
        start_at=_weighted(chance, _STARTS),
        increment_seconds=increment,
        tail_seconds=tail,
        cooldown_seconds=cooldown,
        skews=[chance.uniform(-skew, skew) for _ in range(instances)],
        limits={tenant: _draw_limits(chance, calls_count) for tenant in tenants},
        faults=_weighted(chance, _STORAGE_FAULTS),
        outages=_draw_outages(chance, horizon),
        delay_seconds=chance.choice((0.0005, 0.005, 0.05)),
        page_size=chance.choice((2, 10, 1_000)),
        pool_faults=_weighted(chance, _POOL_FAULTS),
        pool_sessions_max=chance.choice((2, 600, 600)),
        kills=_draw_kills(chance, horizon, instances),
        calls=_draw_calls(chance, calls_count, instances, tenants, horizon),
    )


def _draw_limits(chance: random.Random, calls: int) -> Limits:
    def limit(share: float, largest: int) -> int | None:
        return chance.randint(1, max(1, largest)) if chance.random() < share else None

    return Limits(month=limit(0.6, calls), day=limit(0.2, calls), sessions=limit(0.3, 5))


def _draw_outages(chance: random.Random, horizon: float) -> list[tuple[float, float]]:
    if chance.random() > 0.2:
        return []
    start = chance.uniform(-5, horizon)
    return [(start, start + chance.choice((2.0, 20.0, 60.0)))]


def _draw_kills(chance: random.Random, horizon: float, instances: int) -> list[tuple[float, int]]:
    if chance.random() > 0.2:
        return []
    return [(chance.uniform(0, horizon + 1), chance.randrange(instances)) for _ in range(chance.randint(1, 3))]


def _draw_calls(
    chance: random.Random, count: int, instances: int, tenants: Sequence[str], horizon: float
) -> list[PlannedCall]:
    sessions = chance.choice((1, 1, 2, 3, max(1, count // 2), count))
    loyal, hasty = chance.random(), chance.choice((0.0, 0.0, 0.0, 0.2))
    calls = []
    for _ in range(count):
        session = chance.randrange(sessions)
        calls.append(
            PlannedCall(
                at=chance.uniform(0, horizon),
                instance=session % instances if chance.random() < loyal else chance.randrange(instances),
                tenant=chance.choice(tenants),
                session=f"s{session}",
                verb=_weighted(chance, _VERBS),
                patience=chance.choice((0.002, 0.02, 0.5, 5.0)) if chance.random() < hasty else None,
            )
        )
    return calls


def _weighted[T](chance: random.Random, choices: Sequence[tuple[float, T]]) -> T:
    drawn = chance.random()
    for weight, choice in choices:
        drawn -= weight
        if drawn < 0:
            return choice
    return choices[-1][1]
