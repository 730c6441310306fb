"""The copy of a ledger as the documentation has it: what it makes verifies, and puts a damaged row right."""

import asyncio
import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from azure.data.tables import TableServiceClient

from metering.table_store import TABLE_NAME, TableLedgerStore
from proxy.storage import open_tables
from tests.console.serving import LEDGER_SECRET
from tests.console.terminals import Terminal, on_storage
from tests.running import ROOT, running_storage
from tests.support.building import FakeClock, admit, meter

pytestmark = [pytest.mark.stack, pytest.mark.azurite]

[SCRIPT] = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/operations.md").read_text(), re.MULTILINE | re.DOTALL)
CHARGES = 120  # more than a transaction holds


@dataclass(frozen=True)
class Place:
    """A storage, and the command line on it."""

    storage: str

    @property
    def terminal(self) -> Terminal:
        return on_storage(self.storage, LEDGER_SECRET)

    def verify(self) -> tuple[int, int]:
        """Verify all that is there: the status, and how many entries were read."""
        ended = self.terminal.run("verify", "--json")
        return ended.status, sum(tenant["entries"] for tenant in ended.json["tenants"])


@dataclass(frozen=True)
class Copier:
    """The documented script."""

    path: Path

    def run(self, source: Place, target: Place, *only: str) -> None:
        command = [sys.executable, str(self.path), source.storage, target.storage, *only]
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60)


@pytest.fixture
def places(tmp_path: Path) -> Iterator[tuple[Place, Place]]:
    """Run two storages; in the first is a tenant whose sessions of a past day are over."""
    with contextlib.ExitStack() as running:
        first, second = (running.enter_context(running_storage(tmp_path / name)) for name in ("first", "second"))
        place = Place(first)
        place.terminal.done("tenants", "set", "acme", "--minutes-per-month", "10000")
        place.terminal.done("keys", "create", "--tenant", "acme", "--label", "kept")
        asyncio.run(_book(first))
        yield place, Place(second)


async def _book(storage: str) -> None:
    async with open_tables(storage) as service:
        instance = meter(TableLedgerStore(service), FakeClock())
        for number in range(CHARGES):
            await instance.admit("acme", admit(f"acme-{number:064}"))
        await instance.aclose()


@pytest.fixture
def copier(tmp_path: Path) -> Copier:
    """Save the script as the documentation says."""
    path = tmp_path / "copy_tables.py"
    path.write_text(SCRIPT)
    return Copier(path)


def test_the_copy_holds_all_and_verifies(places: tuple[Place, Place], copier: Copier) -> None:
    kept, copy = places

    copier.run(kept, copy)

    assert copy.verify() == kept.verify() == (0, CHARGES)
    assert copy.terminal.done("tenants", "list") == kept.terminal.done("tenants", "list")
    keys = ("keys", "list", "--tenant", "acme")
    assert copy.terminal.done(*keys) == kept.terminal.done(*keys)


def test_an_edited_entry_is_put_right_from_the_copy(places: tuple[Place, Place], copier: Copier) -> None:
    used, copy = places
    copier.run(used, copy)
    with TableServiceClient.from_connection_string(used.storage).get_table_client(TABLE_NAME) as table:
        entry = table.get_entity("acme", "entry:2026-11:0000000042")
        table.update_entity({**entry, "increments": 7})
    assert used.verify()[0] == 1

    copier.run(copy, used, "acme", "entry:2026-11:0000000042")

    assert used.verify() == (0, CHARGES)
