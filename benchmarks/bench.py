"""One run, straight down: count what single calls take of the storage, measure in rounds, serve without a pause, burst.

Every covered call of the run is counted by the taps, so the claim about warm calls is about all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from benchmarks.contention import Contention, Effort, contend
from benchmarks.deployment import Deployment, cpu_seconds
from benchmarks.figures import Round, Sample, Steady, StorageFigures, Tally, Way, WayFigures, compare, tally
from benchmarks.tap import StorageTap
from benchmarks.workers import Order
from proxy.table_tenants import KEYS_TABLE, TENANTS_TABLE

ROUNDS = 5
ROUNDS_SHARE = 0.8  # of the time; the rest goes to serving without a pause
WARM_UP_SECONDS_MAX = 0.5
SESSIONS = 10  # over which single calls are counted
DIRECTORY_TABLES = frozenset({KEYS_TABLE, TENANTS_TABLE})

type Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long to measure, at how many connections; storage counts, warming up and bursts come on top."""

    seconds: float
    connections: Sequence[int]

    @property
    def sample_seconds(self) -> float:
        """How long one way is measured in one round."""
        return self.seconds * ROUNDS_SHARE / (ROUNDS * len(Way) * len(self.connections))

    @property
    def steady_seconds(self) -> float:
        """How long Tollgate serves without a pause at one number of connections."""
        return self.seconds * (1 - ROUNDS_SHARE) / len(self.connections)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What a run found: the ways by number of connections, the storage operations, and bursts of new sessions."""

    plan: Plan
    ways: dict[int, dict[Way, WayFigures]]
    storage: StorageFigures
    contention: Sequence[Contention]


async def run(deployment: Deployment, plan: Plan, tell: Tell) -> Results:
    """Measure a deployment that nobody has called yet; `tell` hears how far it is.

    Raises:
        LocalError: a call failed, or a process ended.
    """
    tell("counting the storage operations of single calls")
    cold_instance, first_call, extension = await _count_single_calls(deployment)

    taps = (deployment.host_tap, deployment.gateway_tap)
    marks = [len(tap.operations) for tap in taps]
    tell("warming up")
    warm_up_seconds = min(plan.sample_seconds, WARM_UP_SECONDS_MAX)
    warm_up = await _round(deployment, plan.connections, warm_up_seconds)
    rounds = []
    for number in range(1, ROUNDS + 1):
        tell(f"round {number} of {ROUNDS}")
        rounds.append(await _round(deployment, plan.connections, plan.sample_seconds))
    steady = []
    for connections in plan.connections:
        tell(f"serving without a pause, calls at a time: {connections}")
        steady.append(await _serve_steadily(deployment, connections, plan.steady_seconds))

    covered = [sample for round_ in (warm_up, *rounds) for ways in round_.values() for sample in _metered(ways)]
    storage = StorageFigures(
        cold_instance=cold_instance,
        first_call=first_call,
        extension=extension,
        warm_calls=sum(sample.calls for sample in covered) + sum(phase.calls for phase in steady),
        warm_operations=sum(_own_operations(tap, mark) for tap, mark in zip(taps, marks, strict=True)),
        steady=steady,
    )
    ways = {connections: compare([round_[connections] for round_ in rounds]) for connections in plan.connections}
    contention = await contend(deployment.storage, Effort.of(plan.seconds), tell)
    return Results(plan=plan, ways=ways, storage=storage, contention=contention)


async def _count_single_calls(deployment: Deployment) -> tuple[Tally, Tally, Tally]:
    """Count a new instance's first call, first calls of sessions, and extensions; leaves the warm sessions covered.

    A second call soon after the first is an extension, as the first pays for one increment from its own instant on.
    """
    await _call_once(deployment, Way.END_TO_END, _warm_session(Way.END_TO_END))  # makes the ledger's table
    mark = len(deployment.gateway_tap.operations)
    await _call_once(deployment, Way.IN_PROCESS, _warm_session(Way.IN_PROCESS))
    cold_instance = tally(deployment.gateway_tap.operations[mark:], DIRECTORY_TABLES)

    tallies = []
    for _ in ("first call", "extension"):
        mark = len(deployment.host_tap.operations)
        for number in range(SESSIONS):
            await _call_once(deployment, Way.END_TO_END, f"session-{number}")
        tallies.append(tally(deployment.host_tap.operations[mark:], DIRECTORY_TABLES, calls=SESSIONS))

    await _call_once(deployment, Way.END_TO_END, _warm_session(Way.END_TO_END))
    await _call_once(deployment, Way.IN_PROCESS, _warm_session(Way.IN_PROCESS))
    for _ in ("first call", "extension"):
        await _call_once(deployment, Way.WITH_TELEMETRY, _warm_session(Way.WITH_TELEMETRY))
    return cold_instance, tallies[0], tallies[1]


async def _round(deployment: Deployment, connections: Sequence[int], seconds: float) -> dict[int, Round]:
    return {number: {way: await _measure(deployment, way, number, seconds) for way in Way} for number in connections}


async def _serve_steadily(deployment: Deployment, connections: int, seconds: float) -> Steady:
    mark = len(deployment.host_tap.operations)
    sample = await _measure(deployment, Way.END_TO_END, connections, seconds)
    seen = tally(deployment.host_tap.operations[mark:], DIRECTORY_TABLES)
    return Steady(
        connections=connections, calls=sample.calls, seconds=sample.seconds, directory_reads=int(seen.directory_reads)
    )


async def _measure(deployment: Deployment, way: Way, connections: int, seconds: float) -> Sample:
    before = cpu_seconds(deployment.pids[way])
    sample = await _order(deployment, way, _warm_session(way), connections, seconds)
    after = cpu_seconds(deployment.pids[way])
    if before is None or after is None:
        return sample
    return replace(sample, cpu_ms_per_call=(after - before) / sample.calls * 1000)


async def _call_once(deployment: Deployment, way: Way, session: str) -> None:
    await _order(deployment, way, session, connections=1, seconds=0)


async def _order(deployment: Deployment, way: Way, session: str, connections: int, seconds: float) -> Sample:
    workers = {
        Way.CLIENT_ALONE: deployment.gateway,
        Way.IN_PROCESS: deployment.gateway,
        Way.WITH_TELEMETRY: deployment.telling_gateway,
    }
    worker = workers.get(way, deployment.load)
    order = Order(
        url=deployment.urls.get(way, ""),
        key=deployment.key,
        session=session,
        connections=connections,
        seconds=seconds,
    )
    return await worker.measure(order)


def _warm_session(way: Way) -> str:
    """Name a session of the way's own: one that two instances use would be shared, and touched."""
    return f"warm-{way}"


def _metered(ways: Round) -> Sequence[Sample]:
    return [ways[Way.IN_PROCESS], ways[Way.WITH_TELEMETRY], ways[Way.END_TO_END]]


def _own_operations(tap: StorageTap, mark: int) -> int:
    seen = tally(tap.operations[mark:], DIRECTORY_TABLES)
    return int(seen.reads + seen.writes)
