"""Who may call: the tenant, the API key and its format, and the principal that a proven key makes.

Rules of this file: pure. Key text is `tg_<12 characters: id>_<32 random><6: CRC32 of all before it>`, every character
base62: the checksum lets junk be refused without I/O and lets secret scanners verify a find offline. Only the SHA-256
of the text is ever kept; 190 random bits need no slow hash.
"""

import hashlib
import hmac
import re
import string
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Self

from metering.alerts import PERCENTS_DEFAULT
from metering.increments import Granularity
from metering.rates import RateChange, Rates
from metering.requests import Quota
from proxy.errors import ErrorCode, GatewayError

# It stands in pool identifiers, which have at most 128 characters, before a hyphen and 64 characters of hash.
TENANT_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")

DEFAULT_POOL = "default"
POOL_NAME = TENANT_ID  # the same rule, for the same reason: it stands in paths

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_KEY_ID_LENGTH, _RANDOM_LENGTH, _CHECKSUM_LENGTH = 12, 32, 6
KEY_ID = re.compile(rf"[0-9A-Za-z]{{{_KEY_ID_LENGTH}}}")
_KEY = re.compile(rf"tg_([0-9A-Za-z]{{{_KEY_ID_LENGTH}}})_[0-9A-Za-z]{{{_RANDOM_LENGTH + _CHECKSUM_LENGTH}}}")

type Choose = Callable[[str], str]
"""Picks one character of a text as `secrets.choice` does: unpredictably."""


class Scope(StrEnum):
    """What an API key allows."""

    EXECUTE = "execute"
    FILES = "files"
    USAGE = "usage"
    OPERATOR = "operator"


TENANT_SCOPES = frozenset({Scope.EXECUTE, Scope.FILES, Scope.USAGE})
OPERATOR_SCOPES = frozenset({Scope.OPERATOR})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """Who is isolated, metered and billed; None is without limit, or for the rate: the gateway's own rate.

    Attributes:
        minutes_per_month: quota of session minutes in a UTC month; what does not fill an increment is not granted.
        minutes_per_day: the same for a UTC day.
        max_concurrent_sessions: sessions that may be paid for at one instant, at least 1.
        calls_per_minute: calls that one instance of the gateway takes in a minute; a protection, no part of the bill.
        rate_per_session_hour: price of one session for one hour, in the gateway's currency, before the first change.
        rate_changes: the days from which another price holds, in order, each once.
        pools: names of the session pools that it may use; the first is the one it reaches without naming a pool.
        suspended: may read its usage, and do nothing else.
        webhook_url: where its alerts go; None: nowhere.
        alert_percents: thresholds of its quota; None: the usual ones.
        created_at: None for a tenant that is not kept yet, or was made before this was noted.
    """

    id: str
    name: str
    minutes_per_month: Decimal | None = None
    minutes_per_day: Decimal | None = None
    max_concurrent_sessions: int | None = None
    calls_per_minute: int | None = None
    rate_per_session_hour: Decimal | None = None
    rate_changes: tuple[RateChange, ...] = ()
    pools: tuple[str, ...] = (DEFAULT_POOL,)
    suspended: bool = False
    webhook_url: str | None = None
    alert_percents: tuple[int, ...] | None = None
    created_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse a tenant that could be neither isolated nor metered, or reaches no pool."""
        if TENANT_ID.fullmatch(self.id) is None:
            raise ValueError("a tenant id has 1 to 40 lower-case letters, digits and inner hyphens")
        if not self.pools or len(set(self.pools)) != len(self.pools):
            raise ValueError("a tenant has one pool or more, each named once")

    def quota(self, granularity: Granularity) -> Quota:
        """Express the limits in increments."""
        month, day = self.minutes_per_month, self.minutes_per_day
        return Quota(
            increments_per_period=None if month is None else granularity.within(month),
            increments_per_day=None if day is None else granularity.within(day),
            sessions=self.max_concurrent_sessions,
            alert_percents=PERCENTS_DEFAULT if self.alert_percents is None else self.alert_percents,
        )

    def rates(self, usual: Decimal) -> Rates:
        """Say what a session hour costs the tenant on each day, where `usual` is what it costs everybody."""
        own = self.rate_per_session_hour
        changes = ((c.from_day, usual if c.per_session_hour is None else c.per_session_hour) for c in self.rate_changes)
        return Rates(usual if own is None else own, tuple(changes))


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """A well-formed key, not yet proven. Its text never stands in a repr, and so in no log."""

    id: str
    text: str = field(repr=False)

    @property
    def sha256(self) -> str:
        """The hash of the text, hex: all that is ever kept of it."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What is kept of a key.

    Attributes:
        tenant_id: None for an operator's key, which carries the scope `operator` alone; a tenant's key never does.
        expires_at: first instant at which it is no longer accepted; None: it does not expire.
    """

    id: str
    tenant_id: str | None
    label: str
    scopes: frozenset[Scope]
    sha256: str = field(repr=False)
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse a key that would mix what an operator and a tenant may do."""
        if not self.scopes or not self.scopes <= (OPERATOR_SCOPES if self.tenant_id is None else TENANT_SCOPES):
            raise ValueError("a tenant's key has scopes among execute, files and usage; an operator's has operator")

    def is_valid(self, at: datetime) -> bool:
        """Say whether the key is accepted at this instant: neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def is_proven_by(self, presented: ParsedKey) -> bool:
        """Say, in constant time, whether this is the presented key."""
        return hmac.compare_digest(self.sha256, presented.sha256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is calling, once the key is proven; `tenant` is None for an operator, and for an operator only."""

    key_id: str
    tenant: Tenant | None
    scopes: frozenset[Scope]

    @classmethod
    def of(cls, key: ApiKey, tenant: Tenant | None) -> Self:
        """Make the principal of a proven key and its tenant."""
        assert key.tenant_id == (tenant and tenant.id), "a key speaks for its own tenant"
        return cls(key_id=key.id, tenant=tenant, scopes=key.scopes)

    def calling_tenant(self) -> Tenant:
        """Return the tenant that calls the pool.

        Raises:
            GatewayError: SCOPE_NOT_ALLOWED, for an operator.
        """
        if self.tenant is None:
            raise GatewayError(ErrorCode.SCOPE_NOT_ALLOWED, "An operator's key does not reach sessions.")
        return self.tenant

    def require(self, scope: Scope) -> None:
        """Pass if the key carries the scope; for any scope but `operator`, `tenant` is then not None.

        Raises:
            GatewayError: SCOPE_NOT_ALLOWED; or TENANT_SUSPENDED, unless the scope is `usage`.
        """
        if scope not in self.scopes:
            raise GatewayError(
                ErrorCode.SCOPE_NOT_ALLOWED, f"The API key does not carry the scope '{scope.value}' of this call."
            )
        if self.tenant is not None and self.tenant.suspended and scope is not Scope.USAGE:
            raise GatewayError(ErrorCode.TENANT_SUSPENDED)


def mint_key(choose: Choose) -> ParsedKey:
    """Make a new key; `choose` is `secrets.choice` outside of tests."""
    key_id = "".join(choose(_BASE62) for _ in range(_KEY_ID_LENGTH))
    body = f"tg_{key_id}_" + "".join(choose(_BASE62) for _ in range(_RANDOM_LENGTH))
    return ParsedKey(key_id, body + _checksum(body))


def parse_key(text: str) -> ParsedKey | None:
    """Read a presented key; None for anything that was never minted, but for one in four billion forgeries."""
    match = _KEY.fullmatch(text)
    if match is None or _checksum(text[:-_CHECKSUM_LENGTH]) != text[-_CHECKSUM_LENGTH:]:
        return None
    return ParsedKey(match[1], text)


def credential_from(headers: Mapping[str, str], *, header: str = "x-api-key") -> str | None:
    """Find the presented key: `Authorization: Bearer <key>`, or the header; None if there is none, or two that differ.

    Header names are in lower case. An `Authorization` of another scheme is no credential of Tollgate's.
    """
    scheme, _, bearer = headers.get("authorization", "").strip().partition(" ")
    presented = {bearer.strip() if scheme.lower() == "bearer" else "", headers.get(header, "").strip()} - {""}
    return presented.pop() if len(presented) == 1 else None


def _checksum(body: str) -> str:
    """Write the CRC32 in base62: 6 characters hold it, since 62**6 > 2**32."""
    rest, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        rest, digit = divmod(rest, 62)
        digits = _BASE62[digit] + digits
    return digits
