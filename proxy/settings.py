"""The settings: the only place that reads the environment (prefix `TOLLGATE_`)."""

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSetting

from proxy.pools import Pool, PoolKind
from proxy.tenants import DEFAULT_POOL, POOL_NAME
from proxy.webhook_urls import check_webhook_url

SECRET_BYTES_MIN = 32


class PoolAuth(StrEnum):
    """How Tollgate proves itself to the pool."""

    ENTRA = "entra"
    NONE = "none"  # the stand-in on a laptop


class SettingsError(Exception):
    """The settings cannot work; the text says, a line each, which of them and why. It holds no value."""


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value().encode()) < SECRET_BYTES_MIN:
        raise ValueError(f"a secret has at least {SECRET_BYTES_MIN} bytes")
    return secret


def _pool_name(name: str) -> str:
    if POOL_NAME.fullmatch(name) is None or name == DEFAULT_POOL:
        raise ValueError(f"name pools with lower-case letters, digits and inner hyphens; not '{DEFAULT_POOL}'")
    return name


def _chain_keys(secrets: SecretStr) -> SecretStr:
    parse_ledger_secret(secrets)
    return secrets


def parse_ledger_secret(secrets: SecretStr) -> tuple[str, dict[str, bytes]]:
    """Read `id:secret[,id:secret…]`: the id of the current key, which comes first, and all keys by id.

    Raises:
        ValueError: if an id is missing or repeated, or a secret is too short.
    """
    keys: dict[str, bytes] = {}
    for part in secrets.get_secret_value().split(","):
        key_id, colon, secret = part.strip().partition(":")
        if not colon or not key_id or key_id in keys or len(secret.encode()) < SECRET_BYTES_MIN:
            raise ValueError(f"write <key id>:<secret of at least {SECRET_BYTES_MIN} bytes>, the current key first")
        keys[key_id] = secret.encode()
    return next(iter(keys)), keys


class PoolSetting(BaseModel):
    """A pool besides the default one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: PoolKind
    endpoints: tuple[AnyHttpUrl, ...] = Field(min_length=1)
    max_sessions: int | None = Field(default=None, ge=1)


class LedgerSettings(BaseSettings):
    """What the ledger and the tenants' directory need; enough for repair without a pool."""

    model_config = SettingsConfigDict(env_prefix="TOLLGATE_", frozen=True, env_ignore_empty=True)

    increment_seconds: int = Field(default=300, ge=1)
    pool_cooldown_seconds: int = Field(default=300, ge=1)
    billed_tail_seconds: int | None = Field(default=None, ge=0)
    storage: SecretStr
    ledger_secret: Annotated[SecretStr, AfterValidator(_chain_keys)]
    rate_per_session_hour: Decimal = Field(default=Decimal("0.03"), ge=0)
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    pool_rate_per_session_hour: Decimal = Field(default=Decimal("0.03"), ge=0)
    pool_billing_increment_seconds: int = Field(default=3600, ge=1)
    issuer: str = Field(default="Tollgate", min_length=1, max_length=200)
    alert_webhook: Annotated[str, AfterValidator(check_webhook_url)] | None = None

    @property
    def tail_seconds(self) -> int:
        """How long after a call its session must be paid: the billed tail, or else the pool's cooldown."""
        return self.pool_cooldown_seconds if self.billed_tail_seconds is None else self.billed_tail_seconds


class Settings(LedgerSettings):
    """What the gateway needs; see the table in the README. Read once, at start."""

    pool_endpoints: Annotated[tuple[AnyHttpUrl, ...], NoDecode, BeforeValidator(_split)] = Field(min_length=1)
    pool_kind: PoolKind = PoolKind.PYTHON
    pool_max_sessions: int | None = Field(default=None, ge=1)
    pools: dict[Annotated[str, AfterValidator(_pool_name)], PoolSetting] = Field(default_factory=dict)
    pool_auth: PoolAuth = PoolAuth.ENTRA
    pool_timeout_seconds: float = Field(default=225, gt=0, lt=230)  # the platform cuts a call off at 230 s
    namespace_secret: Annotated[SecretStr, AfterValidator(_long_enough)]
    max_body_bytes: int = Field(default=104_857_600, ge=1)
    max_answer_bytes: int = Field(default=134_217_728, ge=1024)  # the largest file that the pool takes

    @property
    def all_pools(self) -> tuple[Pool, ...]:
        """The default pool and the others, by name."""

        def pool(name: str, kind: PoolKind, endpoints: tuple[AnyHttpUrl, ...], max_sessions: int | None) -> Pool:
            return Pool(name, kind, tuple(str(endpoint).rstrip("/") for endpoint in endpoints), max_sessions)

        return (
            pool(DEFAULT_POOL, self.pool_kind, self.pool_endpoints, self.pool_max_sessions),
            *(pool(name, p.kind, p.endpoints, p.max_sessions) for name, p in sorted(self.pools.items())),
        )


def read_settings[S: LedgerSettings](kind: type[S]) -> S:
    """Read the environment.

    Raises:
        SettingsError: if something is missing or cannot work.
    """
    try:
        return kind()
    except UnreadableSetting:
        raise SettingsError(
            'TOLLGATE_POOLS: write JSON: {"<name>": {"kind": "<kind>", "endpoints": ["<url>"]}}'
        ) from None
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False, include_context=False)
        raise SettingsError("\n".join(f"{_where(problem['loc'])}: {problem['msg']}" for problem in problems)) from None


def _where(location: tuple[int | str, ...]) -> str:
    """Name a setting, and what in it is wrong where it has parts."""
    name, *parts = map(str, location)
    return f"TOLLGATE_{name.upper()}" + (f" ({'.'.join(parts)})" if parts else "")
