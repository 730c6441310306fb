"""The pool's settings, from the environment; the only reader of it in this package."""

import os
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from infra.local.pool.errors import StartError

_PREFIX = "TOLLGATE_LOCAL_POOL_"
_REPOSITORY = Path(__file__).resolve().parents[3]


class PoolSettings(BaseSettings):
    """Limits of the pool and of its sessions.

    Attributes:
        cooldown_seconds: how long a session outlives its last data request.
        max_sessions: sessions at one time; a call for one more is answered 429.
        warm_sessions: kernels kept started ahead of demand.
        memory_bytes: address space of each process of a session.
        processes: processes of a session, as far as the system lets an ordinary program limit them.
        execution_seconds: longest execution, and the default of `timeoutInSeconds`.
        upload_bytes: largest file that can be uploaded.
        file_bytes: largest file that code in a session can write.
        python: interpreter of the sessions; it must have ipykernel. None: the repository's own, see `interpreter`.
        token: bearer that every call must carry; None lets everyone in.
        sandbox: how sessions are confined; `auto` takes the strongest that works here.
        accepted_status: HTTP status of a synchronous `POST /executions`; the versions of the API disagree.
        operation_location: whether `Operation-Location` carries a path or a whole URL; both have been seen.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True)

    cooldown_seconds: float = Field(default=300, gt=0, validation_alias=AliasChoices("TOLLGATE_POOL_COOLDOWN_SECONDS"))
    max_sessions: int = Field(default=100, ge=1)
    warm_sessions: int = Field(default=3, ge=0)
    memory_bytes: int = Field(default=2 * 1024**3, ge=512 * 1024**2)
    processes: int = Field(default=128, ge=16)
    execution_seconds: float = Field(default=220, gt=0)
    upload_bytes: int = Field(default=128 * 1024**2, ge=1)
    file_bytes: int = Field(default=256 * 1024**2, ge=1024**2)
    python: Path | None = None
    token: str | None = None
    sandbox: Literal["auto", "bubblewrap", "unshare", "none"] = "auto"
    accepted_status: Literal["200", "202"] = "200"
    operation_location: Literal["relative", "absolute"] = "relative"


def load_settings() -> PoolSettings:
    """Read the settings.

    Raises:
        StartError: a variable has a value that cannot be used; the message names the first one.
    """
    try:
        return PoolSettings()
    except ValidationError as refusal:
        first = refusal.errors()[0]
        field = str(first["loc"][0])
        name = field if field.startswith("TOLLGATE_") else f"{_PREFIX}{field.upper()}"
        raise StartError(f"{name}={os.environ.get(name, '')!r}: {first['msg']}") from None


def own_interpreter() -> Path:
    """Return where the set-up puts the interpreter of the sessions."""
    return _REPOSITORY / ".tools" / "session-python" / "bin" / "python"
