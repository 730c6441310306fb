"""The session pools of a deployment: their kinds, their names, and on which of several endpoints a session lives.

Rules of this file: pure. A pool is what a tenant is given by name; it may stand on several Azure session pools of the
same kind, so that a deployment is not limited to one pool's maximum of sessions.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from proxy.tenants import POOL_NAME


class PoolKind(StrEnum):
    """What a pool's sessions run; the names of Azure's container types are in the settings' documentation."""

    PYTHON = "python"
    NODE = "node"
    SHELL = "shell"
    CUSTOM = "custom"  # a container of the operator's own, which any path reaches


@dataclass(frozen=True, slots=True)
class Pool:
    """One pool.

    Attributes:
        endpoints: pool management endpoints, without a trailing slash; one or more.
        max_sessions: how many sessions it can hold, on all its endpoints; None: nobody has said.
    """

    name: str
    kind: PoolKind
    endpoints: tuple[str, ...]
    max_sessions: int | None = None

    def __post_init__(self) -> None:
        """Refuse a pool that could not be addressed."""
        if POOL_NAME.fullmatch(self.name) is None:
            raise ValueError("a pool's name has 1 to 40 lower-case letters, digits and inner hyphens")
        if not self.endpoints:
            raise ValueError("a pool has an endpoint")

    def endpoint_of(self, pool_identifier: str) -> str:
        """Choose where a session lives, by rendezvous hashing: adding an endpoint moves only what goes to it."""
        if len(self.endpoints) == 1:
            return self.endpoints[0]
        return max(self.endpoints, key=lambda url: hashlib.sha256(f"{url}\0{pool_identifier}".encode()).digest())
