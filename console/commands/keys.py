"""`tollgate keys …`: the API keys of tenants and of operators."""

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

import typer

from console.backends import REFUSED, WRONG_USAGE, CommandError
from console.commands.reach import Reach, path_of, register
from console.commands.show import Column, Json, show_one, show_rows
from console.views import instant
from metering.clock import utc_now
from proxy.tenants import Scope

app = typer.Typer(help="The API keys of tenants and of operators.")

_COLUMNS = (
    Column("id", "id"),
    Column("tenant", "tenant", "operator"),
    Column("label", "label"),
    Column("scopes", "scopes"),
    Column("created", "created_at", instant=True),
    Column("expires", "expires_at", "never", instant=True),
)
_REVOKED = Column("revoked", "revoked_at", "no", instant=True)

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class KeyScope(StrEnum):
    """What a tenant's key may allow."""

    EXECUTE = Scope.EXECUTE
    FILES = Scope.FILES
    USAGE = Scope.USAGE


Owner = Annotated[str | None, typer.Option("--tenant", metavar="TENANT", help="Whose key: this tenant's.")]
Operator = Annotated[bool, typer.Option("--operator", help="Whose key: an operator's.")]
KeyId = Annotated[str, typer.Argument(metavar="KEY_ID", help="The 12 characters after tg_.")]


@register(app, "create", example="tollgate keys create --tenant acme --label ci --scope execute --scope files")
async def create(
    reach: Reach,
    *,
    tenant: Owner = None,
    operator: Operator = False,
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    scope: Annotated[
        list[KeyScope] | None, typer.Option(help="What it allows; repeat it. All three, if left out.")
    ] = None,
    expires_at: Annotated[
        str | None,
        typer.Option(metavar="INSTANT", help="When it ends, such as 2027-01-31T12:00:00Z; never, if left out."),
    ] = None,
) -> None:
    """Create a key. Its text is printed once, here, and kept nowhere."""
    if operator and scope:
        raise CommandError("an operator's key has no other scope: leave out --scope", exit_status=WRONG_USAGE)
    body: Json = {"label": label, "expires_at": expires_at}
    if scope:
        body["scopes"] = [one.value for one in scope]
    key = await reach.send("POST", _path(tenant=tenant, operator=operator), body)
    reach.show(key, lambda: _show_new(reach, key))


@register(app, "list", example="tollgate keys list --tenant acme")
async def list_keys(reach: Reach, *, tenant: Owner = None, operator: Operator = False) -> None:
    """List keys, also revoked and expired ones."""
    answer = await reach.get(_path(tenant=tenant, operator=operator))
    reach.show(answer, lambda: show_rows(answer["keys"], (*_COLUMNS, _REVOKED)))


@register(app, "show", example="tollgate keys show 0aB3dE6gH9jK --tenant acme")
async def show_key(reach: Reach, key_id: KeyId, *, tenant: Owner = None, operator: Operator = False) -> None:
    """Show one key."""
    _show(reach, await reach.get(_path(key_id, tenant=tenant, operator=operator)))


@register(app, "revoke", example="tollgate keys revoke 0aB3dE6gH9jK --tenant acme")
async def revoke(reach: Reach, key_id: KeyId, *, tenant: Owner = None, operator: Operator = False) -> None:
    """Revoke a key for good; it is refused everywhere within 5 seconds."""
    _show(reach, await reach.send("DELETE", _path(key_id, tenant=tenant, operator=operator)))


@register(app, "rotate", example="tollgate keys rotate 0aB3dE6gH9jK --tenant acme --overlap 2d")
async def rotate(
    reach: Reach,
    key_id: KeyId,
    *,
    tenant: Owner = None,
    operator: Operator = False,
    overlap: Annotated[str, typer.Option(metavar="30m|1h|2d|0s", help="How long both keys work.")] = "1h",
) -> None:
    """Replace a key: a new one with the same label and scopes, and the old one ends after the overlap."""
    both_work = _duration(overlap)
    old_path = _path(key_id, tenant=tenant, operator=operator)
    old = await reach.get(old_path)
    if old["revoked_at"] is not None:
        raise CommandError("that key is revoked: create a new one instead", exit_status=REFUSED)
    body: Json = {"label": old["label"]}
    if not operator:
        body["scopes"] = old["scopes"]
    new = await reach.send("POST", _path(tenant=tenant, operator=operator), body)
    try:
        old = await _end(reach, old_path, old, both_work)
    finally:  # whatever becomes of the old key, the new one is shown: it cannot be shown again
        rotated = {"new": new, "old": old}
        reach.show(rotated, lambda: _show_new(reach, rotated["new"]))
    if not reach.json:
        reach.note(f"The old key {old['id']} ends {'now' if old['revoked_at'] else 'at ' + old['expires_at']}.")


async def _end(reach: Reach, path: str, key: Json, both_work: timedelta) -> Json:
    """End a key after so long, unless it ends sooner by itself."""
    if not both_work:
        return await reach.send("DELETE", path)
    ends_at = utc_now() + both_work
    if key["expires_at"] is not None and datetime.fromisoformat(key["expires_at"]) <= ends_at:
        return key
    return await reach.send("PATCH", path, {"expires_at": instant(ends_at)})


def _path(*key: str, tenant: str | None, operator: bool) -> str:
    if (tenant is None) is not operator:
        raise CommandError("say whose key: --tenant TENANT or --operator", exit_status=WRONG_USAGE)
    return path_of("keys", *key) if tenant is None else path_of("tenants", tenant, "keys", *key)


def _show(reach: Reach, key: Json) -> None:
    reach.show(key, lambda: show_one(key, (*_COLUMNS, _REVOKED)))


def _show_new(reach: Reach, key: Json) -> None:
    show_one(key, (Column("key", "key"), *_COLUMNS))
    reach.note("Keep the key now: it is not shown again.")


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,6})([smhd])", text, re.ASCII)
    if match is None:
        raise CommandError("--overlap is a number with s, m, h or d, such as 30m", exit_status=WRONG_USAGE)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
