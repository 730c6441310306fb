"""`tollgate tenants …`: who may use the pool, and how much of it."""

import re
from typing import Annotated

import typer

from console.backends import REFUSED, WRONG_USAGE, CommandError
from console.commands.reach import Reach, path_of, register
from console.commands.show import Column, Json, show_one, show_rows
from proxy.errors import ErrorCode

app = typer.Typer(help="Who may use the pool, and how much of it.")

UNLIMITED, DEFAULT, NONE, REMOVE = "unlimited", "default", "none", "remove"

_READ_ONLY = frozenset({"id", "created_at"})  # what an answer has besides what can be set


def _dated_rates(rates: list[Json]) -> str:
    return ", ".join(f"{rate['rate_per_session_hour'] or DEFAULT} from {rate['from']}" for rate in rates) or NONE


def _percents(percents: list[int]) -> str:
    return f"{', '.join(map(str, percents))} %" if percents else NONE


_COLUMNS = (
    Column("id", "id"),
    Column("name", "name"),
    Column("minutes/month", "minutes_per_month", UNLIMITED),
    Column("minutes/day", "minutes_per_day", UNLIMITED),
    Column("sessions", "max_concurrent_sessions", UNLIMITED),
    Column("calls/minute", "calls_per_minute", UNLIMITED),
    Column("rate/hour", "rate_per_session_hour", DEFAULT),
    Column("suspended", "suspended"),
    Column("pools", "pools"),
)
_MORE_COLUMNS = (
    Column("later rates", "rates", words=_dated_rates),
    Column("alerts at", "alert_percents", DEFAULT, words=_percents),
    Column("webhook", "webhook_url", NONE),
    Column("created", "created_at", instant=True),
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
        str | None,
        typer.Option(metavar="PRICE|default", help="Price of one session for one hour; default: that of all."),
    ] = None,
    rate_from: Annotated[
        str | None,
        typer.Option(
            metavar="YYYY-MM-DD",
            help="The day (UTC) from which that rate applies; another one of that day is replaced, and "
            f"--rate-per-session-hour {REMOVE} takes it away. Without it, the rate is the one before all dated ones.",
        ),
    ] = None,
    pools: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…",
            help="Pools that it may use; the first is the one it reaches without naming one. A name that no pool has "
            "is accepted here, and answered 404 PoolNotFound when the tenant calls.",
        ),
    ] = None,
    webhook_url: Annotated[
        str | None, typer.Option(metavar="URL|none", help="Where its alerts are sent, https://…")
    ] = None,
    alert_percents: Annotated[
        str | None, typer.Option(metavar="N,…|default|none", help="Parts of the monthly quota that it is told of.")
    ] = None,
) -> None:
    """Create a tenant, or change what is given and keep the rest."""
    if rate_from is not None and rate_per_session_hour is None:
        raise CommandError("--rate-from goes with --rate-per-session-hour", exit_status=WRONG_USAGE)
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
    if rate_per_session_hour is not None and rate_from is None:
        changes["rate_per_session_hour"] = None if rate_per_session_hour == DEFAULT else rate_per_session_hour
    if pools is not None:
        changes["pools"] = [pool.strip() for pool in pools.split(",")]
    if webhook_url is not None:
        changes["webhook_url"] = None if webhook_url == NONE else webhook_url
    if alert_percents is not None:
        changes["alert_percents"] = _read_percents(alert_percents)
    dated = None if rate_from is None or rate_per_session_hour is None else (rate_from, rate_per_session_hour)
    await _change(reach, tenant, changes, dated)


@register(app, "suspend", example="tollgate tenants suspend acme")
async def suspend(reach: Reach, tenant: TenantId) -> None:
    """Refuse all calls of a tenant but those that read its usage, within 5 seconds."""
    await _change(reach, tenant, {"suspended": True})


@register(app, "resume", example="tollgate tenants resume acme")
async def resume(reach: Reach, tenant: TenantId) -> None:
    """Accept a suspended tenant's calls again."""
    await _change(reach, tenant, {"suspended": False})


async def _change(reach: Reach, tenant: str, changes: Json, dated_rate: tuple[str, str] | None = None) -> None:
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
    kept = {field: value for field, value in before.items() if field not in _READ_ONLY}
    if dated_rate is not None:
        changes = {**changes, "rates": _with_rate(before.get("rates") or [], *dated_rate)}
    _show(reach, await reach.send("PUT", path, {**kept, **changes}))


def _with_rate(rates: list[Json], day: str, price: str) -> list[Json]:
    """Put a dated rate among the others, or take it away."""
    others = [rate for rate in rates if rate["from"] != day]
    if price != REMOVE:
        return [*others, {"from": day, "rate_per_session_hour": None if price == DEFAULT else price}]
    if len(others) == len(rates):
        raise CommandError(f"there is no rate from {day} to remove", exit_status=REFUSED)
    return others


def _show(reach: Reach, tenant: Json) -> None:
    reach.show(tenant, lambda: show_one(tenant, (*_COLUMNS, *_MORE_COLUMNS)))


def _read_percents(text: str) -> list[int] | None:
    if text in {DEFAULT, NONE}:
        return None if text == DEFAULT else []
    parts = [part.strip() for part in text.split(",")]
    if any(re.fullmatch(r"\d{1,3}", part, re.ASCII) is None for part in parts):
        raise CommandError(
            f"--alert-percents takes whole numbers, such as 50,75, or '{DEFAULT}', or '{NONE}'", exit_status=WRONG_USAGE
        )
    return [int(part) for part in parts]


def _number(field: str, text: str) -> int | float:
    if re.fullmatch(r"\d{1,12}(\.\d{1,6})?", text, re.ASCII) is None:
        option = "--" + field.replace("_", "-")
        raise CommandError(f"{option} takes a number, or '{UNLIMITED}'", exit_status=WRONG_USAGE)
    return float(text) if "." in text else int(text)
