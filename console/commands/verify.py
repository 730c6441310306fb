"""`tollgate verify`: is the ledger as Tollgate wrote it?"""

from typing import Annotated

import typer

from console.backends import REFUSED, CommandError
from console.commands.months import last_months
from console.commands.progress import working
from console.commands.reach import Reach, path_of, query_of, register
from console.commands.show import Column, Json, show_rows

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
    ) -> None:
        """Recompute hash chain, sums and windows of the ledger from its entries; status 1 if anything is wrong.

        All tenants and all months, if nothing else is asked for. Nothing is changed, and the ledger may be in use.
        """
        listed = [{"id": tenant}] if tenant is not None else (await reach.get(path_of("tenants")))["tenants"]
        answers = await _verify(reach, [each["id"] for each in listed], query_of(period=period))
        ok = all(answer["ok"] for answer in answers)
        reach.show({"ok": ok, "tenants": answers}, lambda: _show(answers))
        if not ok:
            wrong = sum(not answer["ok"] for answer in answers)
            raise CommandError(f"the ledger of {wrong} of {len(answers)} tenants is not in order", exit_status=REFUSED)


async def _verify(reach: Reach, tenant_ids: list[str], query: str) -> list[Json]:
    """Verify one ledger after the other. Without a terminal there is a line for each, for whoever reads the log."""
    answers: list[Json] = []
    with working("Verifying", total=len(tenant_ids)) as progress:
        for tenant_id in tenant_ids:
            progress.say(f"{len(answers)} of {len(tenant_ids)}: {tenant_id}", len(answers))
            answers.append(await reach.get(path_of("tenants", tenant_id, "verification"), query))
            if not (reach.json or progress.is_shown):
                reach.note(_told(answers[-1]))
    if progress.is_shown and not reach.json:
        entries = sum(answer["entries"] for answer in answers)
        wrong = sum(not answer["ok"] for answer in answers)
        reach.note(f"{entries} entries of {len(answers)} tenants: {f'{wrong} not in order' if wrong else 'in order'}")
    return answers


def _told(answer: Json) -> str:
    found = len(answer["findings"]) + answer["findings_beyond"]
    return f"{answer['tenant']}: {answer['entries']} entries, {found or 'no'} finding{'s' * (found != 1)}"


def _show(answers: list[Json]) -> None:
    rows = [{"tenant": answer["tenant"], **finding} for answer in answers for finding in answer["findings"]]
    if rows:
        show_rows(rows, _FINDINGS)
