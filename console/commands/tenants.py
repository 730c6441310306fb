"""`tollgate tenants …`: who may use the pool, and how much of it."""

import re
from typing import Annotated

import typer

from console.backends import WRONG_USAGE, CommandError
from console.commands.reach import Reach, path_of, register
from console.commands.show import Column, Json, show_one, show_rows
from proxy.errors import ErrorCode

app = typer.Typer(help="Who may use the pool, and how much of it.")

UNLIMITED, DEFAULT_RATE = "unlimited", "default"

_COLUMNS = (
    Column("id", "id"),
    Column("name", "name"),
    Column("minutes/month", "minutes_per_month", UNLIMITED),
    Column("minutes/day", "minutes_per_day", UNLIMITED),
    Column("sessions", "max_concurrent_sessions", UNLIMITED),
    Column("calls/minute", "calls_per_minute", UNLIMITED),
    Column("rate/hour", "rate_per_session_hour", DEFAULT_RATE),
    Column("suspended", "suspended"),
    Column("pools", "pools"),
)
# Side by side they have to fit a terminal of 80 characters.
_SHORT = {"minutes/month": "min/month", "minutes/day": "min/day", "calls/minute": "calls/min", "rate/hour": "rate/h"}
_LIST_COLUMNS = tuple(Column(_SHORT.get(column.title, column.title), column.path) for column in _COLUMNS)

TenantId = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's id.")]


@register(app, "list", example="tollgate tenants list --json")
async def list_tenants(reach: Reach) -> None:
    """List all tenants."""
    answer = await reach.get(path_of("tenants"))
    reach.show(answer, lambda: show_rows(answer["tenants"], _LIST_COLUMNS))


@register(app, "show", example="tollgate tenants show acme")
async def show_tenant(reach: Reach, tenant: TenantId) -> None:
    """Show one tenant."""
    _show(reach, await reach.get(path_of("tenants", tenant)))


@register(app, "set", example="tollgate tenants set acme --minutes-per-month 6000 --max-concurrent-sessions 20")
async def set_tenant(
    reach: Reach,
    tenant: TenantId,
    *,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    minutes_per_month: Annotated[
        str | None, typer.Option(metavar="N|unlimited", help="Session minutes in a UTC month; a new tenant needs it.")
    ] = None,
    minutes_per_day: Annotated[
        str | None, typer.Option(metavar="N|unlimited", help="Session minutes in a UTC day.")
    ] = None,
    max_concurrent_sessions: Annotated[
        str | None, typer.Option(metavar="N|unlimited", help="Sessions paid for at the same time.")
    ] = None,
    calls_per_minute: Annotated[
        str | None, typer.Option(metavar="N|unlimited", help="Calls that one instance of Tollgate takes in a minute.")
    ] = None,
    rate_per_session_hour: Annotated[
        str | None, typer.Option(metavar="PRICE|default", help="Price of one session for one hour.")
    ] = None,
    pools: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…",
            help="Pools that it may use; the first is the one it reaches without naming one. A name that no pool has "
            "is accepted here, and answered 404 PoolNotFound when the tenant calls.",
        ),
    ] = None,
) -> None:
    """Create a tenant, or change what is given and keep the rest."""
    changes: Json = {}
    if name is not None:
        changes["name"] = name
    for field, text in (
        ("minutes_per_month", minutes_per_month),
        ("minutes_per_day", minutes_per_day),
        ("max_concurrent_sessions", max_concurrent_sessions),
        ("calls_per_minute", calls_per_minute),
    ):
        if text is not None:
            changes[field] = None if text == UNLIMITED else _number(field, text)
    if rate_per_session_hour is not None:
        changes["rate_per_session_hour"] = None if rate_per_session_hour == DEFAULT_RATE else rate_per_session_hour
    if pools is not None:
        changes["pools"] = [pool.strip() for pool in pools.split(",")]
    await _change(reach, tenant, changes)


@register(app, "suspend", example="tollgate tenants suspend acme")
async def suspend(reach: Reach, tenant: TenantId) -> None:
    """Refuse all calls of a tenant but those that read its usage, within 5 seconds."""
    await _change(reach, tenant, {"suspended": True})


@register(app, "resume", example="tollgate tenants resume acme")
async def resume(reach: Reach, tenant: TenantId) -> None:
    """Accept a suspended tenant's calls again."""
    await _change(reach, tenant, {"suspended": False})


async def _change(reach: Reach, tenant: str, changes: Json) -> None:
    path = path_of("tenants", tenant)
    try:
        before = await reach.get(path)
    except CommandError as error:
        if error.code != ErrorCode.RESOURCE_NOT_FOUND or "suspended" in changes:
            raise
        if "minutes_per_month" not in changes:
            raise CommandError(
                f"there is no tenant '{tenant}' yet; to create it, give --minutes-per-month (a number, or unlimited)",
                exit_status=WRONG_USAGE,
            ) from None
        before = {}
    kept = {field: value for field, value in before.items() if field != "id"}
    _show(reach, await reach.send("PUT", path, {**kept, **changes}))


def _show(reach: Reach, tenant: Json) -> None:
    reach.show(tenant, lambda: show_one(tenant, _COLUMNS))


def _number(field: str, text: str) -> int | float:
    if re.fullmatch(r"\d{1,12}(\.\d{1,6})?", text, re.ASCII) is None:
        option = "--" + field.replace("_", "-")
        raise CommandError(f"{option} takes a number, or '{UNLIMITED}'", exit_status=WRONG_USAGE)
    return float(text) if "." in text else int(text)
