"""The options that say what a tenant may use and what it pays, and what they mean to the operator API.

Rules of this file: pure. What a value may be is for the API to say; here is only how people write it.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any

import typer

from console.backends import REFUSED, WRONG_USAGE, CommandError
from console.commands.show import Json

UNLIMITED, DEFAULT, NONE, REMOVE = "unlimited", "default", "none", "remove"

Name = Annotated[str | None, typer.Option(help="What people call it.")]
MinutesPerMonth = Annotated[
    str | None, typer.Option(metavar="N|unlimited", help="Session minutes in a UTC month; a new tenant needs it.")
]
MinutesPerDay = Annotated[str | None, typer.Option(metavar="N|unlimited", help="Session minutes in a UTC day.")]
MaxConcurrentSessions = Annotated[
    str | None, typer.Option(metavar="N|unlimited", help="Sessions paid for at the same time.")
]
CallsPerMinute = Annotated[
    str | None, typer.Option(metavar="N|unlimited", help="Calls that one instance of Tollgate takes in a minute.")
]
RatePerSessionHour = Annotated[
    str | None, typer.Option(metavar="PRICE|default", help="Price of one session for one hour; default: that of all.")
]
RateFrom = Annotated[
    str | None,
    typer.Option(
        metavar="YYYY-MM-DD",
        help="The day (UTC) from which that rate applies; another one of that day is replaced, and "
        f"--rate-per-session-hour {REMOVE} takes it away. Without it, the rate is the one before all dated ones.",
    ),
]
Pools = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,…",
        help="Pools that it may use; the first is the one it reaches without naming one. A name that no pool has "
        "is accepted here, and answered 404 PoolNotFound when the tenant calls.",
    ),
]
WebhookUrl = Annotated[str | None, typer.Option(metavar="URL|none", help="Where its alerts are sent, https://…")]
AlertPercents = Annotated[
    str | None, typer.Option(metavar="N,…|default|none", help="Parts of the monthly quota that it is told of.")
]


def read(**given: str | None) -> Json:
    """Read what was given, by the names of the API. Raises CommandError for what is no number and should be."""
    return {field: _READERS[field](field, text) for field, text in given.items() if text is not None}


def with_rate(rates: list[Json], day: str, price: str) -> list[Json]:
    """Put a dated rate among the others, or take it away. Raises CommandError if there is none to be taken away."""
    others = [rate for rate in rates if rate["from"] != day]
    if price != REMOVE:
        return [*others, {"from": day, "rate_per_session_hour": None if price == DEFAULT else price}]
    if len(others) == len(rates):
        raise CommandError(f"there is no rate from {day} to remove", exit_status=REFUSED)
    return others


def _text(_: str, text: str) -> str:
    return text


def _unless(word: str) -> Callable[[str, str], str | None]:
    return lambda _, text: None if text == word else text


def _names(_: str, text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _limit(field: str, text: str) -> int | float | None:
    if text == UNLIMITED:
        return None
    if re.fullmatch(r"\d{1,12}(\.\d{1,6})?", text, re.ASCII) is None:
        raise CommandError(f"{_option(field)} takes a number, or '{UNLIMITED}'", exit_status=WRONG_USAGE)
    return float(text) if "." in text else int(text)


def _percents(field: str, text: str) -> list[int] | None:
    if text in {DEFAULT, NONE}:
        return None if text == DEFAULT else []
    parts = _names(field, text)
    if any(re.fullmatch(r"\d{1,3}", part, re.ASCII) is None for part in parts):
        words = f"{_option(field)} takes whole numbers, such as 50,75, or '{DEFAULT}', or '{NONE}'"
        raise CommandError(words, exit_status=WRONG_USAGE)
    return [int(part) for part in parts]


def _option(field: str) -> str:
    return "--" + field.replace("_", "-")


_READERS: Mapping[str, Callable[[str, str], Any]] = MappingProxyType(
    {
        "name": _text,
        "minutes_per_month": _limit,
        "minutes_per_day": _limit,
        "max_concurrent_sessions": _limit,
        "calls_per_minute": _limit,
        "rate_per_session_hour": _unless(DEFAULT),
        "pools": _names,
        "webhook_url": _unless(NONE),
        "alert_percents": _percents,
    }
)
