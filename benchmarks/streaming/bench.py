"""One run, straight down: upload in chunks, watch the memory grow, measure in rounds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks import wire
from benchmarks.figures import Sample
from benchmarks.streaming.apps import Way
from benchmarks.streaming.calls import Caller, Target, upload
from benchmarks.streaming.deployment import Deployment
from benchmarks.streaming.figures import Growth, Round, WayFigures, compare
from benchmarks.workers import closed_loop

ROUNDS = 15
MEMORY_SHARE = 0.2  # of the time
MEMORY_CONNECTIONS = 16
WARM_UP_SECONDS = 2.0
PIECE_BYTES = 64 * 1024
PIECES = 320
BODIES: Mapping[str, bytes] = {"execution": wire.BODY, "upload": bytes(1024 * 1024)}

type Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long to measure, at how many connections; starting and warming up come on top."""

    seconds: float
    connections: Sequence[int]

    @property
    def sample_seconds(self) -> float:
        """How long one way is measured in one round, for each kind of call and number of connections."""
        return self.seconds * (1 - MEMORY_SHARE) / (ROUNDS * len(Way) * len(BODIES) * len(self.connections))

    @property
    def memory_seconds(self) -> float:
        """How long the memory of one way is watched."""
        return self.seconds * MEMORY_SHARE / len(Way)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunks:
    """How many bytes of an upload reached the app, if it came with a length and if it came in chunks."""

    sent: int
    with_length: int
    in_chunks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What a run found: uploads in chunks and growth by way, figures by kind of call, connections and way."""

    plan: Plan
    chunks: Mapping[Way, Chunks]
    growth: Mapping[Way, Growth]
    ways: Mapping[str, Mapping[int, Mapping[Way, WayFigures]]]


async def run(deployment: Deployment, plan: Plan, tell: Tell) -> Results:
    """Measure a deployment that nobody has called yet; `tell` hears how far it is.

    Raises:
        CallFailed: a call was not answered with 200.
    """
    tell("warming up")
    begun = {way: await _measure(deployment, way, wire.BODY, MEMORY_CONNECTIONS, WARM_UP_SECONDS) for way in Way}
    tell("watching memory")  # before the uploads, whose freed memory would hide what small calls leave behind
    growth = {way: await _watch_memory(deployment, way, begun[way].calls, plan.memory_seconds) for way in Way}
    tell("uploading in chunks")
    chunks = {
        Way.CLASSIC: await _upload(deployment.local_host),
        Way.STREAMING: await _upload(deployment.targets[Way.STREAMING]),
    }
    rounds = []
    for number in range(ROUNDS):
        tell(f"round {number + 1} of {ROUNDS}")
        rounds.append(await _round(deployment, plan, list(Way) if number % 2 else list(reversed(Way))))
    ways = {
        kind: {
            connections: compare([round_[kind, connections] for round_ in rounds]) for connections in plan.connections
        }
        for kind in BODIES
    }
    return Results(plan=plan, chunks=chunks, growth=growth, ways=ways)


async def _round(deployment: Deployment, plan: Plan, order: Sequence[Way]) -> Mapping[tuple[str, int], Round]:
    return {
        (kind, connections): {
            way: await _measure(deployment, way, body, connections, plan.sample_seconds) for way in order
        }
        for kind, body in BODIES.items()
        for connections in plan.connections
    }


async def _measure(deployment: Deployment, way: Way, body: bytes, connections: int, seconds: float) -> Sample:
    callers = [await Caller.open(deployment.targets[way], body) for _ in range(connections)]
    try:
        before = deployment.cpu_seconds(way)
        sample = await closed_loop([caller.call for caller in callers], seconds)
        taken = deployment.cpu_seconds(way) - before
    finally:
        for caller in callers:
            caller.close()
    return replace(sample, cpu_ms_per_call=taken / sample.calls * 1000)


async def _watch_memory(deployment: Deployment, way: Way, served: int, seconds: float) -> Growth:
    before = deployment.resident_bytes(way)
    sample = await _measure(deployment, way, wire.BODY, MEMORY_CONNECTIONS, seconds)
    grown = deployment.resident_bytes(way) - before
    kept = None
    if way in {Way.STREAMING, Way.STREAMING_HTTPTOOLS}:
        kept = int((await upload(deployment.targets[way], wire.BODY))["kept"]) - 1  # less the call that asks
    return Growth(calls=sample.calls, grown_bytes=grown, served=served + sample.calls, kept=kept)


async def _upload(target: Target) -> Chunks:
    pieces = [bytes(PIECE_BYTES)] * PIECES
    whole = b"".join(pieces)
    with_length = await upload(target, whole)
    in_chunks = await upload(target, iter(pieces))
    return Chunks(sent=len(whole), with_length=int(with_length["received"]), in_chunks=int(in_chunks["received"]))
