"""The promises, by name, and the look at an episode for the first that it breaks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType

from tests.isolation.hearing import own_place, own_session, own_token
from tests.isolation.telling import free_at_the_door, no_inner_words, only_own_sessions, sound
from tests.isolation.world import Episode, World

type Promise = Callable[[World, Episode], Iterator[str]]

PROMISES: MappingProxyType[str, Promise] = MappingProxyType(
    {
        "own session": own_session,
        "own place": own_place,
        "own token": own_token,
        "no inner words": no_inner_words,
        "only own sessions": only_own_sessions,
        "sound": sound,
        "free at the door": free_at_the_door,
    }
)


@dataclass(frozen=True, slots=True)
class Breach:
    """A broken promise, and how."""

    promise: str
    how: str


def check(world: World, episode: Episode) -> Breach | None:
    """Find the first promise that an episode breaks, and remember which sessions it named."""
    for promise, broken in PROMISES.items():
        for how in broken(world, episode):
            return Breach(promise, how)
    meaning = episode.meaning
    if episode.heard and meaning is not None and meaning.name is not None:
        world.names[meaning.tenant, meaning.pool].add(meaning.name)
        world.held[meaning.identifier or ""] = (meaning.tenant, meaning.pool, meaning.name)
    return None
