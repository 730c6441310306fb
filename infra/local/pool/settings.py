"""The pool's settings, from the environment; the only reader of it in this package."""

import os
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from infra.local.pool.errors import StartError

_OURS = "TOLLGATE_"
_PREFIX = f"{_OURS}LOCAL_POOL_"
_REPOSITORY = Path(__file__).resolve().parents[3]


class PoolSettings(BaseSettings):
    """Limits of the pool and of its sessions.

    Attributes:
        kind: what the sessions run.
        name: what the pool calls itself.
        container: command line of the program that is a session's container, in a pool of the kind `custom`.
        cooldown_seconds: how long a session outlives its last data request.
        max_sessions: sessions at one time; a call for one more is answered 429.
        warm_sessions: kernels kept started ahead of demand; containers are started when they are needed.
        memory_bytes: address space of each process of a session; for JavaScript, the heap.
        processes: processes of a session, as far as the system lets an ordinary program limit them.
        execution_seconds: longest execution, and the default of `timeoutInSeconds`.
        upload_bytes: largest file that can be uploaded.
        file_bytes: largest file that code in a session can write.
        python: interpreter of the sessions; it must have ipykernel. None: the repository's own, see `runtimes`.
        node: the Node.js of the sessions. None: the one on the path.
        token: bearer that every call must carry; None lets everyone in.
        sandbox: how sessions are confined; `auto` takes the strongest that works here.
        accepted_status: HTTP status of a synchronous `POST /executions`; the versions of the API disagree.
        operation_location: whether `Operation-Location` carries a path or a whole URL; both have been seen.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True)

    kind: Literal["python", "node", "shell", "custom"] = "python"
    name: str = "local-pool"
    container: str | None = None
    cooldown_seconds: float = Field(default=300, gt=0, validation_alias=AliasChoices("TOLLGATE_POOL_COOLDOWN_SECONDS"))
    max_sessions: int = Field(default=100, ge=1)
    warm_sessions: int = Field(default=3, ge=0)
    memory_bytes: int = Field(default=2 * 1024**3, ge=512 * 1024**2)
    processes: int = Field(default=128, ge=16)
    execution_seconds: float = Field(default=220, gt=0)
    upload_bytes: int = Field(default=128 * 1024**2, ge=1)
    file_bytes: int = Field(default=256 * 1024**2, ge=1024**2)
    python: Path | None = None
    node: Path | None = None
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
        name = field if field.startswith(_OURS) else f"{_PREFIX}{field.upper()}"
        raise StartError(f"{name}={os.environ.get(name, '')!r}: {first['msg']}") from None


def container_environment() -> dict[str, str]:
    """Return what a container inherits: the operator's own environment, and none of Tollgate's settings and secrets."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


def own_interpreter() -> Path:
    """Return where the set-up puts the interpreter of the sessions."""
    return _REPOSITORY / ".tools" / "session-python" / "bin" / "python"
