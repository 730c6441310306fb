"""The settings: the only place that reads the environment (prefix `TOLLGATE_`)."""

import os
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSetting

from proxy.pools import Pool, PoolKind
from proxy.setting_values import (
    check_endpoint,
    check_ledger_secret,
    check_secret,
    check_storage,
    misspelt,
    parse_ledger_secret,
    shows_tokens,
    unresolved,
)
from proxy.tenants import DEFAULT_POOL, POOL_NAME
from proxy.webhook_urls import check_webhook_url

PREFIX = "TOLLGATE_"


class PoolAuth(StrEnum):
    """How Tollgate proves itself to the pool."""

    ENTRA = "entra"
    NONE = "none"  # the stand-in on a laptop


class SettingsError(Exception):
    """The settings cannot work; the text says, a line each, which of them and why. It holds no value."""


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _pool_name(name: str) -> str:
    if POOL_NAME.fullmatch(name) is None or name == DEFAULT_POOL:
        raise ValueError(f"name pools with lower-case letters, digits and inner hyphens; not '{DEFAULT_POOL}'")
    return name


type Endpoint = Annotated[AnyHttpUrl, AfterValidator(check_endpoint)]
type Seconds = Annotated[int, Field(ge=1)]
type Rate = Annotated[Decimal, Field(ge=0)]
type Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class PoolSetting(BaseModel):
    """A pool besides the default one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: PoolKind
    endpoints: tuple[Endpoint, ...] = Field(min_length=1)
    max_sessions: int | None = Field(default=None, ge=1)


class StorageSettings(BaseSettings):
    """What the tenants' directory needs: enough to make the first operator's key."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, env_ignore_empty=True)

    storage: Annotated[SecretStr, AfterValidator(check_storage)]


class LedgerSettings(StorageSettings):
    """What the ledger and the tenants' directory need; enough for repair without a pool."""

    increment_seconds: Seconds = 300
    pool_cooldown_seconds: Seconds = 300
    billed_tail_seconds: int | None = Field(default=None, ge=0)
    ledger_secret: Annotated[SecretStr, AfterValidator(check_ledger_secret)]
    rate_per_session_hour: Rate = Decimal("0.03")
    currency: Currency = "USD"
    pool_rate_per_session_hour: Rate = Decimal("0.03")
    pool_billing_increment_seconds: Seconds = 3600
    issuer: str = Field(default="Tollgate", min_length=1, max_length=200)
    alert_webhook: Annotated[str, AfterValidator(check_webhook_url)] | None = None

    @property
    def tail_seconds(self) -> int:
        """How long after a call its session must be paid: the billed tail, or else the pool's cooldown."""
        return self.pool_cooldown_seconds if self.billed_tail_seconds is None else self.billed_tail_seconds


class DirectSettings(LedgerSettings):
    """What commands need that work on the ledger's storage themselves.

    What minutes and prices are made of has no default here: nobody would see that the app counts with something else.
    """

    increment_seconds: Seconds
    rate_per_session_hour: Rate
    currency: Currency
    pool_rate_per_session_hour: Rate
    pool_billing_increment_seconds: Seconds


class Settings(LedgerSettings):
    """What the gateway needs; see the table in the README. Read once, at start."""

    pool_endpoints: Annotated[tuple[Endpoint, ...], NoDecode, BeforeValidator(_split)] = Field(min_length=1)
    pool_kind: PoolKind = PoolKind.PYTHON
    pool_max_sessions: int | None = Field(default=None, ge=1)
    pools: dict[Annotated[str, AfterValidator(_pool_name)], PoolSetting] = Field(default_factory=dict)
    pool_auth: PoolAuth = PoolAuth.ENTRA
    pool_timeout_seconds: float = Field(default=225, gt=0, lt=230)  # the platform cuts a call off at 230 s
    namespace_secret: Annotated[SecretStr, AfterValidator(check_secret)]
    max_body_bytes: int = Field(default=104_857_600, ge=1)
    max_answer_bytes: int = Field(default=134_217_728, ge=1024)  # the largest file that the pool takes

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        secret = self.namespace_secret.get_secret_value().encode()
        if secret in parse_ledger_secret(self.ledger_secret)[1].values():
            raise ValueError(f"{PREFIX}NAMESPACE_SECRET: is the ledger's secret as well; take another one")
        if self.pool_auth is PoolAuth.ENTRA:
            named = {f"{PREFIX}POOL_ENDPOINTS": self.pool_endpoints}
            named |= {f"{PREFIX}POOLS ({name})": pool.endpoints for name, pool in self.pools.items()}
            for name, endpoints in named.items():
                if any(shows_tokens(endpoint) for endpoint in endpoints):
                    raise ValueError(f"{name}: http:// would show the pool's token to anybody on the way; use https://")
        return self

    @property
    def all_pools(self) -> tuple[Pool, ...]:
        """The default pool and the others, by name."""

        def pool(name: str, kind: PoolKind, endpoints: tuple[AnyHttpUrl, ...], max_sessions: int | None) -> Pool:
            return Pool(name, kind, tuple(str(endpoint).rstrip("/") for endpoint in endpoints), max_sessions)

        return (
            pool(DEFAULT_POOL, self.pool_kind, self.pool_endpoints, self.pool_max_sessions),
            *(pool(name, p.kind, p.endpoints, p.max_sessions) for name, p in sorted(self.pools.items())),
        )


def _names_of(kind: type[StorageSettings]) -> frozenset[str]:
    return frozenset(name.upper() for name in kind.model_fields)


_NAMES = _names_of(Settings)


def read_settings[S: StorageSettings](kind: type[S]) -> S:
    """Read the environment.

    Raises:
        SettingsError: if something is missing, misspelt or weak, contradicts something else, or cannot work.
    """
    given = {name.removeprefix(PREFIX): value for name, value in os.environ.items() if name.startswith(PREFIX)}
    problems = [
        *(f"{PREFIX}{name}: its Key Vault reference is not resolved" for name in unresolved(given, _names_of(kind))),
        *(
            f"{PREFIX}{name}: is no setting; did you mean {PREFIX}{meant}?"
            for name, meant in misspelt(given, _NAMES).items()
        ),
    ]
    if problems:
        raise SettingsError("\n".join(problems))
    try:
        return kind()
    except UnreadableSetting:
        raise SettingsError(
            'TOLLGATE_POOLS: write JSON: {"<name>": {"kind": "<kind>", "endpoints": ["<url>"]}}'
        ) from None
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False, include_context=False)
        raise SettingsError(
            "\n".join(_line(problem["type"], problem["loc"], problem["msg"]) for problem in found)
        ) from None


def _line(kind: str, location: tuple[int | str, ...], message: str) -> str:
    """Name a setting, what in it is wrong where it has parts, and why."""
    told = "is not set" if kind == "missing" else message.removeprefix("Value error, ")
    if not location:
        return told  # by `_fit_together`, which names the setting itself
    name, *parts = map(str, location)
    return f"{PREFIX}{name.upper()}{f' ({".".join(parts)})' if parts else ''}: {told}"
