"""Runs batches of drawn calls, counts what became of them, and stops at the first broken promise."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from tests.isolation.attacks import attack
from tests.isolation.calls import Case
from tests.isolation.drawing import draw_valid
from tests.isolation.forms import Dice
from tests.isolation.promises import Breach, check
from tests.isolation.shrinking import shrink
from tests.isolation.world import Episode, Product, World

BATCH = 250  # calls on one gateway, whose ledger stays small that way


@dataclass(frozen=True, slots=True)
class Failure:
    """A broken promise, and the call that broke it."""

    breach: Breach
    episode: Episode

    def __str__(self) -> str:
        """Show the call as a test could make it, what the pool heard and what came back."""
        heard = "\n".join(
            f"  {h.method} {h.url}\n    {dict(h.headers)}\n    {h.body!r}\n    -> {h.status} {h.answered!r}"
            for h in self.episode.heard
        )
        response = self.episode.response
        return (
            f"{self.breach.promise}: {self.breach.how}\n{self.episode.case}\nthe pool heard:\n{heard}\n"
            f"the answer: {response.status} {dict(response.headers)} {response.body!r}"
        )


@dataclass
class Tally:
    """What became of the calls."""

    cases: int = 0
    forwarded: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)

    def count(self, episode: Episode) -> None:
        """Count a call."""
        self.cases += 1
        self.statuses[episode.response.status] += 1
        if episode.heard and episode.meaning is not None:
            self.forwarded[episode.meaning.operation] += 1


async def run_batch(product: Product, chance: Random, pieces: Sequence[str], tally: Tally) -> Failure | None:
    """Make one batch of calls; the first that breaks a promise is made again, as short as it can be."""
    dice = Dice(chance, pieces)
    with product.in_place():
        world = World(product)
        for _ in range(BATCH):
            draft = draw_valid(dice)
            attack(dice, draft)
            episode = await world.run(draft.finish(chance.getrandbits(32)))
            breach = check(world, episode)
            if breach is not None:
                return await _shortest(product, Failure(breach, episode))
            tally.count(episode)
    return None


async def _shortest(product: Product, failure: Failure) -> Failure:
    case: Case = await shrink(product, failure.episode.case, failure.breach.promise)
    world = World(product)
    episode = await world.run(case)
    breach = check(world, episode)
    return failure if breach is None else Failure(breach, episode)
