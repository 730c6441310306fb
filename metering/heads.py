"""Compares entries with head hashes that went out with the telemetry, where whoever writes the storage cannot reach.

Rules of this file: pure.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from metering.entries import Entry
from metering.periods import Period
from metering.row_keys import entry_key

HEADS_MAX = 500  # of one call


@dataclass(frozen=True, slots=True)
class Head:
    """An entry's hash as it went out, when the entry was the newest of its period."""

    period: Period
    sequence: int
    hash: str


class Heads:
    """The heads of one tenant that no entry has met yet.

    An entry may have several: a chain that was cut off and grew again has sent out two of them, and one is not its own.
    """

    def __init__(self, heads: Iterable[Head], *, only: Period | None) -> None:
        self._waiting: dict[str, set[str]] = {}
        for head in heads:
            if only in {None, head.period}:
                self._waiting.setdefault(entry_key(head.period, head.sequence), set()).add(head.hash)

    def meet(self, key: str, entry: Entry) -> bool:
        """Say whether an entry is what went out; one of which nothing went out is."""
        return self._waiting.pop(key, {entry.hash}) == {entry.hash}

    def skip(self, key: str) -> None:
        """Forget the heads of a row that is there and cannot be read."""
        self._waiting.pop(key, None)

    def gone(self) -> Iterator[str]:
        """Hand out, in order, the keys of entries that went out and were not met."""
        yield from sorted(self._waiting)
