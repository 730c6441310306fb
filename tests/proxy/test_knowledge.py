"""How old an instance's knowledge may get, with a counter of seconds that the tests move."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from proxy import knowledge
from proxy.knowledge import Knowledge
from proxy.table_tenants import DirectoryUnavailable


@dataclass
class Storage:
    """Rows, the reads of them, and two faults: out of reach, and slow (reads wait for the gate)."""

    rows: dict[str, str] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)
    out_of_reach: bool = False
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.gate.set()

    async def read(self, name: str) -> str | None:
        self.reads.append(name)
        value = self.rows.get(name)
        await self.gate.wait()
        if self.out_of_reach:
            raise DirectoryUnavailable
        return value

    def elapsed(self) -> float:
        return self.seconds


@pytest.fixture
def storage() -> Storage:
    return Storage({"a": "1"})


@pytest.fixture
async def known(storage: Storage) -> AsyncIterator[Knowledge[str]]:
    remembered = Knowledge(storage.read, elapsed=storage.elapsed)
    yield remembered
    await remembered.aclose()


async def settle() -> None:
    """Let the tasks that wait for nothing else run."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_known_is_used_without_a_read(storage: Storage, known: Knowledge[str]) -> None:
    for storage.seconds in (0, 1, 2):
        assert await known.get("a") == "1"

    assert storage.reads == ["a"]


async def test_older_knowledge_is_used_while_it_is_refreshed_behind_the_call(
    storage: Storage, known: Knowledge[str]
) -> None:
    await known.get("a")
    storage.rows["a"] = "2"
    storage.seconds = 3
    storage.gate.clear()  # a call that waited would never come back

    assert await known.get("a") == "1"

    storage.gate.set()
    await settle()
    assert await known.get("a") == "2"
    assert storage.reads == ["a", "a"]


async def test_stale_knowledge_is_never_used_without_a_refresh(storage: Storage, known: Knowledge[str]) -> None:
    await known.get("a")
    storage.rows["a"] = "2"
    storage.seconds = 5.1

    assert await known.get("a") == "2"


async def test_knowledge_is_as_old_as_the_start_of_its_read(storage: Storage, known: Knowledge[str]) -> None:
    storage.gate.clear()
    first = asyncio.create_task(known.get("a"))
    await settle()
    storage.rows["a"] = "2"  # after the read has seen the row
    storage.seconds = 4
    storage.gate.set()
    assert await first == "1"
    storage.seconds = 5.1

    assert await known.get("a") == "2"


async def test_calls_that_need_the_same_row_share_one_read(storage: Storage, known: Knowledge[str]) -> None:
    assert await asyncio.gather(*(known.get("a") for _ in range(50))) == ["1"] * 50
    assert storage.reads == ["a"]


async def test_a_call_that_is_cancelled_takes_nothing_from_the_others(storage: Storage, known: Knowledge[str]) -> None:
    storage.gate.clear()
    first, second = (asyncio.create_task(known.get("a")) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    storage.gate.set()

    assert await second == "1"


async def test_absence_is_remembered_for_two_seconds(storage: Storage, known: Knowledge[str]) -> None:
    for storage.seconds in (0, 2):
        assert await known.get("b") is None
    assert storage.reads == ["b"]
    storage.rows["b"] = "new"
    storage.seconds = 2.1

    assert await known.get("b") == "new"


async def test_guessing_names_neither_grows_without_bound_nor_evicts_what_is_known(
    storage: Storage, known: Knowledge[str]
) -> None:
    await known.get("a")
    for guess in range(knowledge.ABSENT_MAX + 10):
        await known.get(f"guess-{guess}")

    assert len(known._absent) == knowledge.ABSENT_MAX
    assert await known.get("a") == "1"
    assert storage.reads.count("a") == 1


async def test_the_last_known_good_is_used_for_fifteen_minutes_without_storage(
    storage: Storage, known: Knowledge[str]
) -> None:
    await known.get("a")
    storage.out_of_reach = True
    for storage.seconds in range(3, 900, 3):
        assert await known.get("a") == "1"
        await settle()
    storage.seconds = 901

    with pytest.raises(DirectoryUnavailable):
        await known.get("a")


async def test_without_storage_calls_in_use_do_not_wait_for_it(storage: Storage, known: Knowledge[str]) -> None:
    await known.get("a")
    storage.out_of_reach = True
    storage.seconds = 100
    assert await known.get("a") == "1"  # finds out
    storage.gate.clear()

    for storage.seconds in (101, 103, 104.9):
        assert await known.get("a") == "1"
    storage.gate.set()


async def test_a_change_is_seen_as_soon_as_storage_is_back(storage: Storage, known: Knowledge[str]) -> None:
    await known.get("a")
    storage.out_of_reach = True
    storage.seconds = 100
    await known.get("a")
    storage.out_of_reach, storage.rows["a"] = False, "2"
    storage.seconds = 105.1

    assert await known.get("a") == "2"


async def test_what_was_never_known_is_not_answered_without_storage(storage: Storage, known: Knowledge[str]) -> None:
    assert await known.get("b") is None
    storage.out_of_reach = True
    storage.seconds = 3

    for name in ("b", "c"):  # absence is no last known good: the row may exist by now
        with pytest.raises(DirectoryUnavailable):
            await known.get(name)


async def test_what_is_forgotten_is_read_again_even_past_a_read_under_way(
    storage: Storage, known: Knowledge[str]
) -> None:
    await known.get("a")
    storage.seconds = 3
    storage.gate.clear()
    await known.get("a")  # starts a refresh, which sees the row as it was
    await settle()
    storage.rows["a"] = "2"
    known.forget("a")
    storage.gate.set()
    await settle()

    assert await known.get("a") == "2"


async def test_a_row_that_is_gone_is_absent(storage: Storage, known: Knowledge[str]) -> None:
    await known.get("a")
    del storage.rows["a"]
    storage.seconds = 6

    assert await known.get("a") is None
    assert known.peek("a") is None


async def test_the_least_recently_used_row_makes_room(storage: Storage, known: Knowledge[str]) -> None:
    storage.rows |= {str(n): "x" for n in range(knowledge.KNOWN_MAX)}
    await known.get("a")
    for n in range(knowledge.KNOWN_MAX - 1):
        await known.get(str(n))
    await known.get("a")
    await known.get(str(knowledge.KNOWN_MAX - 1))
    storage.reads.clear()

    await known.get("a")
    await known.get("0")
    assert storage.reads == ["0"]


async def test_closing_leaves_no_task_behind(storage: Storage) -> None:
    remembered = Knowledge(storage.read, elapsed=storage.elapsed)
    await remembered.get("a")
    storage.seconds = 3
    storage.gate.clear()
    await remembered.get("a")
    remembered.forget("a")
    before = asyncio.all_tasks()

    await remembered.aclose()

    assert len(before) == 2
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.slow
async def test_a_storage_that_hangs_counts_as_out_of_reach(storage: Storage, known: Knowledge[str]) -> None:
    await known.get("a")
    storage.seconds = 6
    storage.gate.clear()

    assert await known.get("a") == "1"  # after the time that an attempt has
