"""`tollgate sessions …`: what tenants have open now, and its end."""

from typing import Annotated

import typer

from console.commands.reach import Reach, path_of, query_of, register
from console.commands.show import Column, show_one, show_rows
from console.commands.tenants import TenantId

app = typer.Typer(help="The sessions that tenants have open.")

_SESSIONS = (
    Column("session", "session"),
    Column("pool", "pool", "unknown"),
    Column("opened", "opened_at", instant=True),
    Column("paid until", "paid_until", instant=True),
    Column("minutes", "minutes", is_number=True),
    Column("would return", "would_return_minutes", is_number=True),
)
_ENDED = (Column("session", "session"), Column("pool", "pool"), Column("minutes given back", "reversed_minutes"))


@register(app, "list", example="tollgate sessions list acme")
async def list_sessions(reach: Reach, tenant: TenantId) -> None:
    """List a tenant's open sessions, the oldest first, with the minutes that ending each now would give back."""
    answer = await reach.get(path_of("tenants", tenant, "sessions"))
    reach.show(answer, lambda: show_rows(answer["sessions"], _SESSIONS))


@register(app, "end", example="tollgate sessions end acme mysession1234 --pool shell")
async def end(
    reach: Reach,
    tenant: TenantId,
    session: Annotated[str, typer.Argument(metavar="SESSION", help="The tenant's own name for it.")],
    *,
    pool: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its pool; the tenant's first one, if left out.")
    ] = None,
) -> None:
    """End a tenant's session, with its files and variables, and give back the minutes that have not begun."""
    query = query_of(session=session, pool=pool)
    answer = await reach.send("DELETE", path_of("tenants", tenant, "sessions"), query=query)
    reach.show(answer, lambda: show_one(answer, _ENDED))
