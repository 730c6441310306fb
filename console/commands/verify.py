"""`tollgate verify`: is the ledger as Tollgate wrote it?"""

from typing import Annotated
from urllib.parse import urlencode

import typer

from console.backends import REFUSED, CommandError
from console.commands.reach import Reach, path_of, register
from console.commands.show import Column, Json, show_rows

_FINDINGS = (Column("tenant", "tenant"), Column("kind", "kind"), Column("row", "row"), Column("what", "what"))


def add_verify(root: typer.Typer) -> None:
    """Add the command `verify` to the root."""

    @register(root, "verify", example="tollgate verify --tenant acme --period 2026-11")
    async def verify(
        reach: Reach,
        *,
        tenant: Annotated[str | None, typer.Option(help="One tenant's ledger only.")] = None,
        period: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="One month only.")] = None,
    ) -> None:
        """Recompute hash chain, sums and windows of the ledger from its entries; status 1 if anything is wrong.

        All tenants and all months, if nothing else is asked for. Nothing is changed, and the ledger may be in use.
        """
        listed = [{"id": tenant}] if tenant is not None else (await reach.get(path_of("tenants")))["tenants"]
        query = "" if period is None else urlencode({"period": period})
        answers: list[Json] = []
        for each in listed:
            answers.append(await reach.get(path_of("tenants", each["id"], "verification"), query))
            if not reach.json:
                reach.note(_progress(answers[-1]))
        ok = all(answer["ok"] for answer in answers)
        reach.show({"ok": ok, "tenants": answers}, lambda: _show(answers))
        if not ok:
            wrong = sum(not answer["ok"] for answer in answers)
            raise CommandError(f"the ledger of {wrong} of {len(answers)} tenants is not in order", exit_status=REFUSED)


def _progress(answer: Json) -> str:
    found = len(answer["findings"]) + answer["findings_beyond"]
    return f"{answer['tenant']}: {answer['entries']} entries, {found or 'no'} finding{'s' * (found != 1)}"


def _show(answers: list[Json]) -> None:
    rows = [{"tenant": answer["tenant"], **finding} for answer in answers for finding in answer["findings"]]
    if rows:
        show_rows(rows, _FINDINGS)
