"""`tollgate usage …` and `tollgate adjust`: what tenants have used, and the operator's correction of it."""

from decimal import Decimal, InvalidOperation
from typing import Annotated
from urllib.parse import urlencode

import typer

from console.backends import WRONG_USAGE, CommandError
from console.commands.reach import Reach, path_of, register
from console.commands.show import Column, Json, show_one, show_rows
from console.commands.tenants import UNLIMITED, TenantId

app = typer.Typer(help="What tenants have used.")

_STATEMENT = (
    Column("tenant", "tenant"),
    Column("period", "period"),
    Column("minutes charged", "minutes.charged"),
    Column("reversed", "minutes.reversed"),
    Column("adjusted", "minutes.adjusted"),
    Column("billed", "minutes.billed"),
    Column("quota", "minutes.quota", UNLIMITED),
    Column("remaining", "minutes.remaining", UNLIMITED),
    Column("sessions opened", "sessions_opened"),
    Column("cost", "cost.amount"),
    Column("currency", "cost.currency"),
    Column("closed", "closed"),
    Column("complete until", "complete_until", instant=True),
)
_DAYS = (Column("day", "date"), Column("minutes", "minutes"), Column("sessions", "sessions"))
_ENTRIES = (
    Column("sequence", "sequence"),
    Column("kind", "kind"),
    Column("at", "at", instant=True),
    Column("session", "session"),
    Column("minutes", "minutes"),
    Column("pays until", "until", instant=True),
    Column("operation", "operation"),
)

Month = Annotated[str | None, typer.Option("--period", metavar="YYYY-MM", help="The current month, if left out.")]


@register(app, "show", example="tollgate usage show acme --period 2026-11")
async def show_usage(reach: Reach, tenant: TenantId, *, period: Month = None) -> None:
    """Show a tenant's statement for one month."""
    answer = await reach.get(path_of("tenants", tenant, "usage"), _query(period=period))
    reach.show(answer, lambda: _show_statement(answer))


@register(app, "entries", example="tollgate usage entries acme --period 2026-11 --json")
async def show_entries(
    reach: Reach,
    tenant: TenantId,
    *,
    period: Month = None,
    after: Annotated[int, typer.Option(min=0, help="Start after the entry with this sequence number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Show at most so many.")] = 200,
) -> None:
    """Show a tenant's ledger entries of one month, in their order."""
    query = _query(period=period, after=str(after), limit=str(limit))
    answer = await reach.get(path_of("tenants", tenant, "usage", "entries"), query)
    reach.show(answer, lambda: show_rows(answer["entries"], _ENTRIES))
    if answer["next"] is not None:
        reach.note(f"There are more: --after {answer['entries'][-1]['sequence']}")


def add_adjust(root: typer.Typer) -> None:
    """Add the command `adjust` to the root."""

    @register(root, "adjust", example='tollgate adjust acme -30 --reason "outage on 3 November"', takes_negative=True)
    async def adjust(
        reach: Reach,
        tenant: TenantId,
        minutes: Annotated[str, typer.Argument(metavar="MINUTES", help="Whole increments; negative gives back.")],
        *,
        reason: Annotated[str, typer.Option(help="Stands in the ledger.")],
    ) -> None:
        """Correct what a tenant has used in the current month."""
        body = {"minutes": _minutes(minutes), "reason": reason}
        entry = await reach.send("POST", path_of("tenants", tenant, "adjustments"), body)
        reach.show(entry, lambda: show_one(entry, (*_ENTRIES[:3], _ENTRIES[4], Column("reason", "reason"))))


def _show_statement(statement: Json) -> None:
    show_one(statement, _STATEMENT)
    if statement["days"]:
        show_rows(statement["days"], _DAYS)


def _query(**values: str | None) -> str:
    return urlencode({name: value for name, value in values.items() if value is not None})


def _minutes(text: str) -> int | float:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise CommandError("MINUTES is a number, such as 30 or -30", exit_status=WRONG_USAGE)
    return int(value) if value == value.to_integral_value() else float(value)
