"""`tollgate verify`: is the ledger as Tollgate wrote it?"""

from itertools import batched
from pathlib import Path
from typing import Annotated

import typer

from console.backends import REFUSED, WRONG_USAGE, CommandError
from console.commands.heads import Heads, read_heads
from console.commands.months import last_months
from console.commands.progress import working
from console.commands.reach import Reach, path_of, query_of, register
from console.commands.show import Column, Json, show_rows
from metering.heads import HEADS_MAX
from metering.periods import Period
from metering.row_keys import entry_key
from proxy.errors import ErrorCode

_FINDINGS = (Column("tenant", "tenant"), Column("kind", "kind"), Column("row", "row"), Column("what", "what"))


def add_verify(root: typer.Typer) -> None:
    """Add the command `verify` to the root."""

    @register(root, "verify", example="tollgate verify --tenant acme --period 2026-11")
    async def verify(
        reach: Reach,
        *,
        tenant: Annotated[str | None, typer.Option(help="One tenant's ledger only.")] = None,
        period: Annotated[
            str | None, typer.Option(metavar="YYYY-MM", help="One month only.", autocompletion=last_months)
        ] = None,
        heads: Annotated[
            Path | None,
            typer.Option(
                metavar="FILE",
                help="Head hashes that went out with the telemetry, which must still be there: CSV or JSON with "
                "tenant, period, sequence and hash, or the log lines.",
            ),
        ] = None,
    ) -> None:
        """Recompute hash chain, sums and windows of the ledger from its entries; status 1 if anything is wrong.

        All tenants and all months, if nothing else is asked for. Nothing is changed, and the ledger may be in use.
        """
        known = {} if heads is None else _asked_for(read_heads(heads), tenant, period)
        listed = [{"id": tenant}] if tenant is not None else (await reach.get(path_of("tenants")))["tenants"]
        tenant_ids = sorted({each["id"] for each in listed} | known.keys())
        answers = await _verify(reach, tenant_ids, query_of(period=period), known)
        if heads is not None and not reach.json:
            reach.note(f"{sum(map(len, known.values()))} head hashes of {len(known)} tenants compared")
        ok = all(answer["ok"] for answer in answers)
        reach.show({"ok": ok, "tenants": answers}, lambda: _show(answers))
        if not ok:
            wrong = sum(not answer["ok"] for answer in answers)
            raise CommandError(f"the ledger of {wrong} of {len(answers)} tenants is not in order", exit_status=REFUSED)


def _asked_for(heads: Heads, tenant: str | None, period: str | None) -> Heads:
    """Choose the heads of the tenant and the month asked for. Raises CommandError if there are none."""
    chosen = {
        tenant_id: [head for head in those if period in {None, head["period"]}]
        for tenant_id, those in heads.items()
        if tenant in {None, tenant_id}
    }
    chosen = {tenant_id: those for tenant_id, those in chosen.items() if those}
    if not chosen:
        raise CommandError("the file has no head hashes of that tenant and month", exit_status=WRONG_USAGE)
    return chosen


async def _verify(reach: Reach, tenant_ids: list[str], query: str, heads: Heads) -> list[Json]:
    """Verify one ledger after the other. Without a terminal there is a line for each, for whoever reads the log."""
    answers: list[Json] = []
    with working("Verifying", total=len(tenant_ids)) as progress:
        for tenant_id in tenant_ids:
            progress.say(f"{len(answers)} of {len(tenant_ids)}: {tenant_id}", len(answers))
            answers.append(await _verified(reach, tenant_id, query, heads.get(tenant_id, [])))
            if not (reach.json or progress.is_shown):
                reach.note(_told(answers[-1]))
    if progress.is_shown and not reach.json:
        entries = sum(answer["entries"] for answer in answers)
        wrong = sum(not answer["ok"] for answer in answers)
        reach.note(f"{entries} entries of {len(answers)} tenants: {f'{wrong} not in order' if wrong else 'in order'}")
    return answers


async def _verified(reach: Reach, tenant_id: str, query: str, heads: list[Json]) -> Json:
    """Verify a ledger, once for every so many heads; what all of these verifications find is told once."""
    path = path_of("tenants", tenant_id, "verification")
    if not heads:
        return await reach.get(path, query)
    try:
        first, *others = [
            await reach.send("POST", path, {"heads": list(batch)}, query=query)
            for batch in batched(heads, HEADS_MAX, strict=False)
        ]
    except CommandError as error:
        if error.code != ErrorCode.RESOURCE_NOT_FOUND:
            raise
        return _gone(tenant_id, heads)
    more = [finding for answer in others for finding in answer["findings"] if finding["kind"] == "head"]
    findings = [*first["findings"], *(finding for finding in more if finding not in first["findings"])]
    return {**first, "findings": findings, "ok": not findings}


def _gone(tenant_id: str, heads: list[Json]) -> Json:
    """Say of a tenant that sent out heads, and that nobody knows, what a verification would."""
    newest = max(heads, key=lambda head: (head["period"], head["sequence"]))
    row = entry_key(Period.parse(newest["period"]), newest["sequence"])
    what = "is gone with its whole tenant, though its hash went out"
    findings = [{"kind": "head", "row": row, "what": what}]
    return {"tenant": tenant_id, "entries": 0, "findings": findings, "findings_beyond": 0, "ok": False}


def _told(answer: Json) -> str:
    found = len(answer["findings"]) + answer["findings_beyond"]
    return f"{answer['tenant']}: {answer['entries']} entries, {found or 'no'} finding{'s' * (found != 1)}"


def _show(answers: list[Json]) -> None:
    rows = [{"tenant": answer["tenant"], **finding} for answer in answers for finding in answer["findings"]]
    if rows:
        show_rows(rows, _FINDINGS)
