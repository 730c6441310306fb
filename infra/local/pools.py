"""The session pools of a stack: what `--pool` and `--pool-endpoints` ask for, and what the parts are told of it.

Every pool is a stand-in, a process of its own. The pool `default` may stand on several, as a pool in Azure may; the
gateway then spreads its sessions over them.
"""

import argparse
import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.local.claims import free_ports

DEFAULT = "default"
KINDS = ("python", "node", "shell")
CUSTOM = "custom"

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_PREFIX = "TOLLGATE_LOCAL_POOL_"
_FURTHER_WARM_SESSIONS = "1"  # of all but the first: a laptop has so much memory


@dataclass(frozen=True, slots=True)
class PoolChoice:
    """A pool; `container` is the command line of the program that stands in for a container of one's own."""

    name: str
    kind: str
    container: str = ""


@dataclass(frozen=True, slots=True)
class StandIn:
    """A process that stands in for an endpoint of a pool; `part` is what the stack calls the process."""

    part: str
    pool: PoolChoice
    port: int

    @property
    def url(self) -> str:
        """The pool management endpoint."""
        return f"http://127.0.0.1:{self.port}"

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Put together what the process is told: which pool it is, over what is inherited."""
        settings = {
            f"{_PREFIX}NAME": self.pool.name,
            f"{_PREFIX}KIND": self.pool.kind,
            f"{_PREFIX}CONTAINER": self.pool.container,
        }
        further = {} if self.part == "pool" else {f"{_PREFIX}WARM_SESSIONS": _FURTHER_WARM_SESSIONS}
        return {**further, **inherited, **settings}


def pool_choice(text: str) -> PoolChoice:
    """Read NAME=KIND from the command line.

    Raises:
        argparse.ArgumentTypeError: It is no pool that could be started besides the default one.
    """
    name, equals, kind = text.partition("=")
    kind, colon, container = kind.partition(":")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text} names no kind; write NAME=KIND, such as shell=shell")
    if _NAME.fullmatch(name) is None:
        raise argparse.ArgumentTypeError(
            f"{name!r} is no name of a pool; it has 1 to 40 lower-case letters, digits and inner hyphens"
        )
    if name == DEFAULT:
        raise argparse.ArgumentTypeError(f"the pool {DEFAULT} is always there, with Python; choose another name")
    if kind == CUSTOM and _is_command(container):
        return PoolChoice(name, kind, container)
    if kind in KINDS and not colon:
        return PoolChoice(name, kind)
    raise argparse.ArgumentTypeError(
        f"{text.partition('=')[2]!r} is no kind of pool; take {', '.join(KINDS)} or "
        f"{CUSTOM}:<command line of the container program>"
    )


def stand_ins(pools: Sequence[PoolChoice], default_endpoints: int) -> list[StandIn]:
    """Plan the processes, each with a free port: so many for the default pool, then one for each other pool.

    Raises:
        LocalError: There are not so many free ports.
    """
    default = PoolChoice(DEFAULT, KINDS[0])
    # No name of a pool has a dot in it: `pool.2` can only be the default pool's second stand-in.
    named = [("pool" if number == 1 else f"pool.{number}", default) for number in range(1, default_endpoints + 1)]
    named += [(f"pool-{pool.name}", pool) for pool in pools]
    return [StandIn(part, pool, port) for (part, pool), port in zip(named, free_ports(len(named)), strict=True)]


def gateway_settings(planned: Sequence[StandIn]) -> dict[str, str]:
    """Tell the gateway which pools there are."""
    further = {
        one.pool.name: {"kind": one.pool.kind, "endpoints": [one.url]} for one in planned if one.pool.name != DEFAULT
    }
    return {
        "TOLLGATE_POOL_ENDPOINTS": ",".join(one.url for one in planned if one.pool.name == DEFAULT),
        "TOLLGATE_POOL_KIND": KINDS[0],
        "TOLLGATE_POOLS": json.dumps(further),
    }


def _is_command(text: str) -> bool:
    try:
        return bool(shlex.split(text))
    except ValueError:  # a quotation that does not end
        return False
