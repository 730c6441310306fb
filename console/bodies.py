"""What the bodies and queries of the console's APIs may say.

Rules of this file: strict models, nothing extra; a refusal names the field and never repeats what stood in it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any
from urllib.parse import parse_qsl

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from metering.periods import Period
from proxy.errors import ErrorCode, GatewayError
from proxy.tenants import POOL_NAME, TENANT_SCOPES, Scope

BODY_BYTES_MAX = 65_536
PAGE_DEFAULT = 200
PAGE_MAX = 1000
POOLS_MAX = 50
SEQUENCE_MAX = 9_999_999_999  # what the ledger's row keys hold

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def _number(value: Any) -> Any:
    """Take JSON numbers only: text would be money's form."""
    if isinstance(value, str):
        raise ValueError("must be a number")  # noqa: TRY004 -- pydantic reports a ValueError with its field
    return Decimal(str(value)) if type(value) in {int, float} else value


def _instant(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if _RFC3339.fullmatch(value) is None:
        raise ValueError("must be an RFC 3339 instant with an offset, such as 2027-01-31T12:00:00Z")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except OverflowError:
        raise ValueError("must be an instant of the years 1 to 9999 in UTC") from None


def _pool_name(name: str) -> str:
    if POOL_NAME.fullmatch(name) is None:
        raise ValueError("a pool's name has 1 to 40 lower-case letters, digits and inner hyphens")
    return name


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise ValueError("must name each pool once")
    return names


type Line = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
type Minutes = Annotated[Decimal, BeforeValidator(_number), Field(ge=0, le=1_000_000_000, decimal_places=6)]
# Bounded so that sums of increments stay far within the 32 bits of a table's integer column.
type Correction = Annotated[Decimal, BeforeValidator(_number), Field(ge=-10_000_000, le=10_000_000, decimal_places=6)]
type Instant = Annotated[AwareDatetime, BeforeValidator(_instant)]
type PoolName = Annotated[str, AfterValidator(_pool_name)]
type PoolNames = Annotated[tuple[PoolName, ...], Field(min_length=1, max_length=POOLS_MAX), AfterValidator(_each_once)]


class Body(BaseModel):
    """A JSON object with these members and no other."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class TenantBody(Body):
    """The whole of a tenant: what is left out is null; without pools it reaches the default one.

    Nothing here knows which pools there are: a name that no pool has is refused when the tenant calls.
    """

    name: Line | None = None
    minutes_per_month: Minutes | None
    minutes_per_day: Minutes | None = None
    max_concurrent_sessions: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    calls_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    rate_per_session_hour: Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=6)] | None = None
    pools: PoolNames | None = None
    suspended: bool = False


class OperatorKeyBody(Body):
    """A new key of an operator."""

    label: Line = ""
    expires_at: Instant | None = None


class TenantKeyBody(OperatorKeyBody):
    """A new key of a tenant."""

    scopes: Annotated[frozenset[Scope], Field(min_length=1)] = TENANT_SCOPES


class ExpiryBody(Body):
    """When a key ends; null: never."""

    expires_at: Instant | None


class AdjustmentBody(Body):
    """A correction, in whole increments, signed."""

    minutes: Correction
    reason: Annotated[Line, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Which entries; `period` is None for the current one."""

    period: Period | None
    after: int
    limit: int


def read_body[B: Body](model: type[B], body: bytes) -> B:
    """Read a JSON body.

    Raises:
        GatewayError: VALIDATION_FAILED, REQUEST_TOO_LARGE.
    """
    if len(body) > BODY_BYTES_MAX:
        raise GatewayError(ErrorCode.REQUEST_TOO_LARGE, f"This body may have at most {BODY_BYTES_MAX} bytes.")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        field = ".".join(map(str, first["loc"]))
        raise invalid(f"{field or 'body'}: {first['msg'].removeprefix('Value error, ')}", field or "body") from None


def read_usage_query(query: str) -> UsageQuery:
    """Read `period`, `after` and `limit`; other parameters are not ours.

    Raises:
        GatewayError: VALIDATION_FAILED.
    """
    values = dict(parse_qsl(query, keep_blank_values=True))
    try:
        period = Period.parse(values["period"]) if "period" in values else None
    except ValueError as error:
        raise invalid(f"period: {error}", "period") from None
    return UsageQuery(
        period=period,
        after=_count(values, "after", default=0, least=0, most=SEQUENCE_MAX - PAGE_MAX),
        limit=_count(values, "limit", default=PAGE_DEFAULT, least=1, most=PAGE_MAX),
    )


def invalid(message: str, target: str) -> GatewayError:
    """Make the refusal of a request that says something wrong in the field `target`."""
    return GatewayError(ErrorCode.VALIDATION_FAILED, message, target=target)


def _count(values: Mapping[str, str], name: str, *, default: int, least: int, most: int) -> int:
    text = values.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and least <= int(text) <= most):
        raise invalid(f"{name}: must be a whole number from {least} to {most}", name)
    return int(text)
