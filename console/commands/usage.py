"""`tollgate usage …` and `tollgate adjust`: what tenants have used, and the operator's correction of it."""

from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from console.backends import WRONG_USAGE, CommandError
from console.commands.documents import write_csv
from console.commands.months import Month, last_months
from console.commands.reach import Reach, path_of, query_of, register
from console.commands.show import Column, Json, show_one, show_rows
from console.commands.tenants import TenantId
from console.commands.terms import UNLIMITED

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
_TODAY = (
    Column("minutes today", "minutes_today.used"),
    Column("quota today", "minutes_today.quota", UNLIMITED),
    Column("remaining today", "minutes_today.remaining", UNLIMITED),
)
_DAYS = (
    Column("day", "date"),
    Column("minutes", "minutes", is_number=True),
    Column("sessions", "sessions", is_number=True),
)
_LINES = (
    Column("day", "date"),
    Column("for", "kind"),
    Column("corrects", "corrects"),
    *_DAYS[1:],
    Column("rate/hour", "rate_per_session_hour", is_number=True),
    Column("cost", "cost", is_number=True),
)
_ENTRIES = (
    Column("sequence", "sequence", is_number=True),
    Column("at", "at", instant=True),
    Column("why", "words"),
    Column("session", "session"),
    Column("minutes", "minutes", is_number=True),
    Column("pays until", "until", instant=True),
    Column("operation", "operation"),
)
_ADJUSTMENT = (
    Column("sequence", "sequence"),
    Column("at", "at", instant=True),
    Column("minutes", "minutes"),
    Column("corrects", "corrects"),
    Column("reason", "reason"),
)
_WHY = {
    "opened": "session opened",
    "extended": "paid for longer",
    "did_not_run": "call did not run",
    "ended_early": "session ended early",
    "adjusted": "adjusted",
}
PAGE_SIZE, CSV_PAGE_SIZE = 200, 1000

CsvFile = Annotated[str | None, typer.Option("--csv", metavar="FILE|-", help="Write it as CSV; - is standard output.")]


@register(app, "show", example="tollgate usage show acme --period 2026-11")
async def show_usage(reach: Reach, tenant: TenantId, *, period: Month = None, csv: CsvFile = None) -> None:
    """Show a tenant's statement for one month; line by line, if prices changed or something was adjusted."""
    path = path_of("tenants", tenant, "usage")
    if csv is not None:
        await write_csv(reach, path, {"period": period}, csv)
        return
    answer = await reach.get(path, query_of(period=period))
    reach.show(answer, lambda: _show_statement(answer))


@register(app, "entries", example="tollgate usage entries acme --latest 20")
async def show_entries(
    reach: Reach,
    tenant: TenantId,
    *,
    period: Month = None,
    after: Annotated[int | None, typer.Option(min=0, help="Start after the entry with this sequence number.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=1000, help=f"Show at most so many: {PAGE_SIZE}, if left out; as CSV all.")
    ] = None,
    latest: Annotated[int | None, typer.Option(min=1, max=1000, help="Show so many of the newest.")] = None,
    csv: CsvFile = None,
) -> None:
    """Show a tenant's ledger entries of one month, in their order, with the reason of each."""
    if latest is not None and (after is not None or limit is not None):
        raise CommandError("--latest goes without --after and --limit", exit_status=WRONG_USAGE)
    path = path_of("tenants", tenant, "usage", "entries")
    if csv is not None:
        every = latest is None and limit is None
        query = {"period": period, "after": after, "latest": latest, "limit": CSV_PAGE_SIZE if every else limit}
        await write_csv(reach, path, query, csv, every=every)
        return
    answer = await reach.get(path, query_of(period=period, after=after, limit=limit, latest=latest))
    reach.show(answer, lambda: show_rows([_row(entry) for entry in answer["entries"]], _ENTRIES))
    if answer["next"] is not None and latest is None:
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
        corrects: Annotated[
            str | None,
            typer.Option(metavar="YYYY-MM", help="The earlier month that this makes good.", autocompletion=last_months),
        ] = None,
    ) -> None:
        """Correct what a tenant has used. It is booked in the current month, whichever month it corrects."""
        body = {"minutes": _minutes(minutes), "reason": reason, "corrects": corrects}
        entry = await reach.send("POST", path_of("tenants", tenant, "adjustments"), body)
        reach.show(entry, lambda: show_one(entry, _ADJUSTMENT))


def _show_statement(statement: Json) -> None:
    show_one(statement, (*_STATEMENT, *(_TODAY if "minutes_today" in statement else ())))
    lines = statement["lines"]
    if len(statement["cost"]["rates"]) > 1 or any(line["kind"] == "adjustment" for line in lines):
        show_rows(lines, _LINES)
    elif statement["days"]:
        show_rows(statement["days"], _DAYS)


def _row(entry: Json) -> Json:
    """Add the reason of an entry in words."""
    corrected = f" for {entry['corrects']}" if entry["corrects"] is not None else ""
    reason = f": {entry['reason']}" if entry["reason"] is not None else ""
    return {**entry, "words": f"{_WHY.get(entry['why'], entry['why'])}{corrected}{reason}"}


def _minutes(text: str) -> int | float:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise CommandError("MINUTES is a number, such as 30 or -30", exit_status=WRONG_USAGE)
    return int(value) if value == value.to_integral_value() else float(value)
