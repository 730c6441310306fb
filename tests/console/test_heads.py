"""`verify --heads`: the files that it reads, and what it finds, both ways."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from azure.data.tables import UpdateMode

from console.backends import CommandError
from console.commands.heads import read_heads
from metering.clock import utc_now
from metering.heads import HEADS_MAX
from metering.periods import Period
from metering.row_keys import entry_key, period_key, window_key
from metering.table_store import TABLE_NAME
from proxy.storage import open_tables
from tests.console.serving import fresh_id, open_parts
from tests.console.terminals import Terminal
from tests.support.building import admit

A, B = "a" * 64, "b" * 64
HEAD_A, HEAD_B = {"period": "2026-11", "sequence": 42, "hash": A}, {"period": "2026-12", "sequence": 1, "hash": B}
READ = {"acme": [HEAD_A, HEAD_B]}

CSV = f"tenant,period,sequence,hash\nacme,2026-11,42,{A}\nacme,2026-12,1,{B}\n"
EXPORTED = (
    '\ufeff"hash","Tenant","TimeGenerated","sequence",period\r\n'
    f'"{A}","acme","x","42",2026-11\r\n"{B}","acme","y","1.0",2026-12\r\n'
)
ARRAY = json.dumps([{"tenant": "acme", **HEAD_A, "TableName": "x"}, {"tenant": "acme", **HEAD_B, "sequence": "1"}])
LINES = "\n".join(json.dumps({"tenant": "acme", **head}) for head in (HEAD_A, HEAD_B, HEAD_A)) + "\n\n"
LOGGED = (
    f"2026-11-23 09:00:00 [Information] ledger_head tenant=acme period=2026-11 sequence=42 hash={A}\n"
    f'something else\n"[x] ledger_head tenant=acme period=2026-12 sequence=1 hash={B}"\n'
)


@pytest.mark.parametrize("text", [CSV, EXPORTED, ARRAY, LINES, LOGGED])
def test_heads_are_read_out_of_what_is_exported_and_out_of_log_lines(text: str, tmp_path: Path) -> None:
    file = tmp_path / "heads"
    file.write_bytes(text.encode())

    assert read_heads(file) == READ


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no head hashes"),
        ("tenant,period,sequence,hash\n", "holds no head hashes"),
        ("[]", "holds no head hashes"),
        ("[1]", "row 1: tenant, period, sequence, hash is missing"),
        ("[{", "is neither CSV nor JSON"),
        ('{"tenant": 1', "is neither CSV nor JSON"),
        (f"tenant,period,hash\nacme,2026-11,{A}\n", "line 2: sequence is missing"),
        (CSV + "acme,2026-13,0,abc\n", "line 4: period, sequence, hash cannot be one"),
        (CSV + "acme,2026-11\n", "line 4: sequence, hash cannot be one"),
        (LOGGED.replace("sequence=42", "sequence=x"), "line 1: sequence cannot be one"),
        (LOGGED.replace("tenant=acme", "tenant=Ac/me", 1), "line 1: tenant cannot be one"),
        (LOGGED + "ledger_head tenant=acme period=2026-11 sequence=4", "line 4: is cut off"),
    ],
)
def test_what_is_no_head_is_refused_with_its_place_and_not_left_out(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "heads"
    file.write_text(text)

    with pytest.raises(CommandError, match=words) as caught:
        read_heads(file)

    assert caught.value.exit_status == 2
    assert str(file) in str(caught.value)


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandError, match="/nowhere cannot be read"):
        read_heads(Path("/nowhere"))


@pytest.fixture
async def cut_ledger(azurite: str, tmp_path: Path) -> AsyncIterator[tuple[str, Path]]:
    """Make a ledger of four entries, and cut off the newest two with a fitting period row; yields all their heads."""
    tenant = fresh_id()
    period = Period.of(utc_now())
    async with open_parts(azurite, utc_now) as parts, open_tables(azurite) as service:
        table = service.get_table_client(TABLE_NAME)
        for name in ("s1", "s2"):
            await parts.meter.admit(tenant, admit(name))
        before: dict[str, Any] = dict(await table.get_entity(tenant, period_key(period)))
        for name in ("s3", "s4"):
            await parts.meter.admit(tenant, admit(name))
        entries = await parts.store.entries(tenant, period, after=0, limit=10)
        lines = [f"ledger_head tenant={tenant} period={period} sequence={e.sequence} hash={e.hash}" for e in entries]
        file = tmp_path / "heads.log"
        file.write_text("\n".join(lines))
        for entry in entries[2:]:
            assert entry.pool_identifier is not None
            await table.delete_entity(tenant, entry_key(period, entry.sequence))
            await table.delete_entity(tenant, window_key(entry.pool_identifier))
        await table.update_entity(before, UpdateMode.REPLACE)
        yield tenant, file


@pytest.mark.azurite
async def test_entries_that_were_cut_off_without_a_trace_are_found_by_their_heads(
    terminal: Terminal, cut_ledger: tuple[str, Path]
) -> None:
    tenant, file = cut_ledger
    period = Period.of(utc_now())

    def run(*arguments: str) -> Any:
        return terminal.run("verify", "--tenant", tenant, *arguments)

    await asyncio.to_thread(terminal.done, "tenants", "set", tenant, "--minutes-per-month", "600")
    plain = await asyncio.to_thread(run, "--json")
    found = await asyncio.to_thread(run, "--heads", str(file), "--json")
    told = await asyncio.to_thread(run, "--heads", str(file), "--period", str(period))

    assert plain.json["ok"]
    assert found.status == told.status == 1
    what = "is gone, though its hash went out"
    assert found.json["tenants"][0]["findings"] == [
        {"kind": "head", "row": entry_key(period, sequence), "what": what} for sequence in (3, 4)
    ]
    assert told.output.count(what) == 2
    assert "4 head hashes of 1 tenants compared" in told.errors


@pytest.mark.azurite
def test_heads_of_a_tenant_that_nobody_knows_are_found_to_be_gone(terminal: Terminal, tmp_path: Path) -> None:
    ghost, file = fresh_id(), tmp_path / "heads.csv"
    file.write_text(f"tenant,period,sequence,hash\n{ghost},2026-11,9,{A}\n{ghost},2026-11,10,{A}\n")

    ended = terminal.run("verify", "--tenant", ghost, "--heads", str(file), "--json")

    [answer] = ended.json["tenants"]
    assert (ended.status, answer["ok"]) == (1, False)
    assert [(finding["kind"], finding["row"]) for finding in answer["findings"]] == [
        ("head", "entry:2026-11:0000000010")
    ]


@pytest.mark.azurite
def test_heads_beyond_what_one_call_takes_are_compared_as_well(
    terminal: Terminal, new_tenant: str, tmp_path: Path
) -> None:
    file = tmp_path / "heads.csv"
    rows = [f"{new_tenant},2026-11,{sequence},{A}\n" for sequence in range(1, HEADS_MAX + 3)]
    file.write_text("tenant,period,sequence,hash\n" + "".join(rows))

    ended = terminal.run("verify", "--tenant", new_tenant, "--heads", str(file), "--json")

    assert len(ended.json["tenants"][0]["findings"]) == HEADS_MAX + 2


@pytest.mark.azurite
@pytest.mark.parametrize("arguments", [("--tenant", "another"), ("--period", "2026-10")])
def test_heads_none_of_which_is_asked_for_prove_nothing(
    direct: Terminal, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    file = tmp_path / "heads.csv"
    file.write_text(CSV)

    ended = direct.run("verify", "--heads", str(file), *arguments)

    assert (ended.status, ended.complaint) == (2, "the file has no head hashes of that tenant and month")
