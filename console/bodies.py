"""What the bodies and queries of the console's APIs may say.

Rules of this file: strict models, nothing extra; a refusal names the field and never repeats what stood in it.
"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
)

from metering.alerts import PERCENTS_MAX
from metering.heads import HEADS_MAX, Head
from metering.periods import Period
from metering.rates import RateChange
from proxy.errors import ErrorCode, GatewayError
from proxy.tenants import DEFAULT_POOL, POOL_NAME, TENANT_SCOPES, Scope, Tenant
from proxy.webhook_urls import check_webhook_url

BODY_BYTES_MAX = 65_536
RATES_MAX = 100
POOLS_MAX = 50
SEQUENCE_MAX = 9_999_999_999  # what the ledger's row keys hold

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
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


def _month(value: Any) -> Period:
    if not isinstance(value, str):
        raise ValueError("must be text, such as 2026-11")  # noqa: TRY004 -- pydantic reports a ValueError with its field
    return Period.parse(value)


def _day(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if _DAY.fullmatch(value) is None:
        raise ValueError("must be a day, such as 2026-12-01")
    return date.fromisoformat(value)


def _rate(value: Any) -> Any:
    """Take text and JSON numbers; in another form a price would not be what was meant."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,7}(\.\d{1,6})?", value, re.ASCII) is None:
        raise ValueError("must be a price from 0 to 1000000 with up to six decimal places, such as 0.025")
    return Decimal(str(value)) if type(value) in {int, float, str} else value


def _percents(values: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(values)))


type Line = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
type Minutes = Annotated[Decimal, BeforeValidator(_number), Field(ge=0, le=1_000_000_000, decimal_places=6)]
# Bounded so that sums of increments stay far within the 32 bits of a table's integer column.
type Correction = Annotated[Decimal, BeforeValidator(_number), Field(ge=-10_000_000, le=10_000_000, decimal_places=6)]
type Instant = Annotated[AwareDatetime, BeforeValidator(_instant)]
type Month = Annotated[Period, PlainValidator(_month, json_schema_input_type=str)]
type Day = Annotated[date, BeforeValidator(_day)]
type Rate = Annotated[Decimal, BeforeValidator(_rate), Field(ge=0, le=1_000_000, decimal_places=6)]
type WebhookUrl = Annotated[str, AfterValidator(check_webhook_url)]
type Percents = Annotated[
    tuple[Annotated[int, Field(ge=1, le=100)], ...], Field(max_length=PERCENTS_MAX), AfterValidator(_percents)
]
type PoolName = Annotated[str, AfterValidator(_pool_name)]
type PoolNames = Annotated[tuple[PoolName, ...], Field(min_length=1, max_length=POOLS_MAX), AfterValidator(_each_once)]


class Body(BaseModel):
    """A JSON object with these members and no other."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class RateBody(Body):
    """From this day on a session hour has this price; null: the deployment's own."""

    from_day: Annotated[Day, Field(alias="from")]
    rate_per_session_hour: Rate | None


def _in_order(rates: tuple[RateBody, ...]) -> tuple[RateBody, ...]:
    ordered = tuple(sorted(rates, key=lambda rate: rate.from_day))
    if len({rate.from_day for rate in ordered}) != len(ordered):
        raise ValueError("must name each day once")
    return ordered


type RateBodies = Annotated[tuple[RateBody, ...], Field(max_length=RATES_MAX), AfterValidator(_in_order)]


class TenantBody(Body):
    """The whole of a tenant: what is left out is null; without pools it reaches the default one.

    Nothing here knows which pools there are: a name that no pool has is refused when the tenant calls.
    """

    name: Line | None = None
    minutes_per_month: Minutes | None
    minutes_per_day: Minutes | None = None
    max_concurrent_sessions: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    calls_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    rate_per_session_hour: Rate | None = None
    rates: RateBodies | None = None
    pools: PoolNames | None = None
    suspended: bool = False
    webhook_url: WebhookUrl | None = None
    alert_percents: Percents | None = None
    created_at: Instant | None = None  # is shown with the others, so it may come back; it says nothing

    def tenant(self, tenant_id: str) -> Tenant:
        """Make the tenant; one without a name is called by its id.

        Raises:
            ValueError: if no tenant can have this id.
        """
        return Tenant(
            id=tenant_id,
            name=self.name or tenant_id,
            minutes_per_month=self.minutes_per_month,
            minutes_per_day=self.minutes_per_day,
            max_concurrent_sessions=self.max_concurrent_sessions,
            calls_per_minute=self.calls_per_minute,
            rate_per_session_hour=self.rate_per_session_hour,
            rate_changes=tuple(RateChange(rate.from_day, rate.rate_per_session_hour) for rate in self.rates or ()),
            pools=self.pools or (DEFAULT_POOL,),
            suspended=self.suspended,
            webhook_url=self.webhook_url,
            alert_percents=self.alert_percents,
        )


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
    """A correction, in whole increments, signed.

    It is booked now; `period` may say so, and no other. `corrects` is an earlier period that is made good.
    """

    minutes: Correction
    reason: Annotated[Line, Field(min_length=1)]
    corrects: Month | None = None
    period: Month | None = None


class HeadBody(Body):
    """A head hash that went out with the telemetry."""

    period: Month
    sequence: Annotated[int, Field(ge=1, le=SEQUENCE_MAX)]
    hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @property
    def head(self) -> Head:
        """The head as the ledger's verification takes it."""
        return Head(self.period, self.sequence, self.hash)


class HeadsBody(Body):
    """Head hashes of a tenant's ledger, to verify it against."""

    heads: Annotated[tuple[HeadBody, ...], Field(max_length=HEADS_MAX)]


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


def invalid(message: str, target: str) -> GatewayError:
    """Make the refusal of a request that says something wrong in the field `target`."""
    return GatewayError(ErrorCode.VALIDATION_FAILED, message, target=target)
