"""`tollgate tenants …`: who may use the pool, and how much of it."""

from typing import Annotated

import typer

from console.backends import WRONG_USAGE, CommandError
from console.commands import terms
from console.commands.reach import Reach, path_of, register
from console.commands.show import Column, Json, show_one, show_rows
from console.commands.terms import DEFAULT, NONE, UNLIMITED
from proxy.errors import ErrorCode

app = typer.Typer(help="Who may use the pool, and how much of it.")

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
    name: terms.Name = None,
    minutes_per_month: terms.MinutesPerMonth = None,
    minutes_per_day: terms.MinutesPerDay = None,
    max_concurrent_sessions: terms.MaxConcurrentSessions = None,
    calls_per_minute: terms.CallsPerMinute = None,
    rate_per_session_hour: terms.RatePerSessionHour = None,
    rate_from: terms.RateFrom = None,
    pools: terms.Pools = None,
    webhook_url: terms.WebhookUrl = None,
    alert_percents: terms.AlertPercents = None,
) -> None:
    """Create a tenant, or change what is given and keep the rest."""
    if rate_from is not None and rate_per_session_hour is None:
        raise CommandError("--rate-from goes with --rate-per-session-hour", exit_status=WRONG_USAGE)
    changes = terms.read(
        name=name,
        minutes_per_month=minutes_per_month,
        minutes_per_day=minutes_per_day,
        max_concurrent_sessions=max_concurrent_sessions,
        calls_per_minute=calls_per_minute,
        rate_per_session_hour=rate_per_session_hour if rate_from is None else None,
        pools=pools,
        webhook_url=webhook_url,
        alert_percents=alert_percents,
    )
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
        changes = {**changes, "rates": terms.with_rate(before.get("rates") or [], *dated_rate)}
    _show(reach, await reach.send("PUT", path, {**kept, **changes}))


def _show(reach: Reach, tenant: Json) -> None:
    reach.show(tenant, lambda: show_one(tenant, (*_COLUMNS, *_MORE_COLUMNS)))
