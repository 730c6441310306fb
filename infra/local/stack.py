"""The parts as one: started in order, watched, stopped in the opposite order.

The host stops first, so that nothing is admitted that a pool would no longer hear of, and the storage last, so that
everything the host wrote is saved.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from infra.local.accounts import DEMO, Accounts, first_operator_key
from infra.local.claims import free_port
from infra.local.pools import DEFAULT, PoolChoice, gateway_settings, stand_ins
from infra.local.processes import Child, LocalError, until_ready
from infra.local.state import State
from infra.local.storage import connection_string
from infra.local.tls import Tls

START_SECONDS = 60
STOP_SECONDS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the person who starts the stack chose.

    Attributes:
        billed_tail_seconds: the cooldown where it is None.
        pools: besides the default one.
        pool_endpoints: stand-ins that the default pool consists of.
        tls: None for plain http.
    """

    port: int
    data_dir: Path
    increment_seconds: int
    cooldown_seconds: int
    billed_tail_seconds: int | None
    pools: Sequence[PoolChoice] = ()
    pool_endpoints: int = 1
    tls: Tls | None = None


def part_environment(
    options: Options, state: State, storage_port: int, pool_port: int, inherited: Mapping[str, str]
) -> dict[str, str]:
    """Put together what every part and the command line are told: the stack's settings over what is inherited.

    It makes a deployment with one pool; `pools.gateway_settings` has what is different with several.
    """
    settings = {
        "TOLLGATE_INCREMENT_SECONDS": str(options.increment_seconds),
        "TOLLGATE_POOL_COOLDOWN_SECONDS": str(options.cooldown_seconds),
        "TOLLGATE_POOL_ENDPOINTS": f"http://127.0.0.1:{pool_port}",
        "TOLLGATE_POOL_AUTH": "none",
        "TOLLGATE_STORAGE": connection_string(storage_port),
        "TOLLGATE_NAMESPACE_SECRET": state.namespace_secret,
        "TOLLGATE_LEDGER_SECRET": state.ledger_secret,
        "PYTHONUNBUFFERED": "1",
    }
    if options.billed_tail_seconds is not None:
        settings["TOLLGATE_BILLED_TAIL_SECONDS"] = str(options.billed_tail_seconds)
    return {**inherited, **settings}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the stack, launched but perhaps not ready yet; `module` is the program that it is."""

    module: str
    child: Child
    ready_file: Path

    async def ready(self) -> dict[str, Any]:
        """Wait for what the part says of itself.

        Raises:
            LocalError: It ended instead, or takes too long.
        """
        return await until_ready(self.child, self.ready_file, START_SECONDS)


@dataclass(slots=True)
class Stack:
    """The running parts, in the order in which they were started."""

    options: Options
    state: State
    parts: list[Part] = field(default_factory=list)
    environment: Mapping[str, str] = field(default_factory=dict)

    async def start(self) -> dict[str, Any]:
        """Start all parts and make what a first use needs; returns the content of the stack's ready file.

        Raises:
            LocalError: A part did not come up, or the kept keys do not fit the data.
        """
        # Told their ports, all can start at once, which halves the time.
        options, data_dir = self.options, self.options.data_dir
        planned, storage_port = stand_ins(options.pools, options.pool_endpoints), free_port()
        self.environment = {
            **part_environment(options, self.state, storage_port, planned[0].port, os.environ),
            **gateway_settings(planned),
        }
        storage_part = await self._launch("storage", "storage", storage_port, "--data-dir", str(data_dir / "storage"))
        pool_parts = [
            await self._launch(
                one.part,
                "pool",
                one.port,
                *("--data-dir", str(data_dir / "pool" / one.part)),
                environment=one.environment(self.environment),
            )
            for one in planned
        ]
        host_part = await self._launch("host", "host", options.port, *(options.tls.options if options.tls else ()))
        storage = await storage_part.ready()
        if self.state.operator_key is None:
            self.state = replace(self.state, operator_key=await first_operator_key(self.environment))
            self.state.save(data_dir)
        pools, host = [await part.ready() for part in pool_parts], await host_part.ready()
        endpoints: dict[str, list[str]] = {}
        for one in planned:
            endpoints.setdefault(one.pool.name, []).append(one.url)
        accounts = Accounts(host["url"], data_dir, options.tls)
        self.state = await asyncio.to_thread(accounts.ensure_demo, self.state, list(endpoints))
        return {
            "url": host["url"],
            "operator_key": self.state.operator_key,
            "tenants": [{"id": DEMO, "key": self.state.demo_key}],
            "pool_url": planned[0].url,
            "pools": {name: urls[0] for name, urls in endpoints.items()},
            "pool_endpoints": endpoints[DEFAULT],
            "storage": storage["connection_string"],
            "pids": {
                "host": host["pid"],
                **{one.part: pool["pid"] for one, pool in zip(planned, pools, strict=True)},
                "storage": storage["pid"],
            },
        }

    async def _launch(
        self, name: str, module: str, port: int, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> Part:
        logs = self.options.data_dir / "logs"
        ready_file = logs / f"{name}.ready"
        ready_file.unlink(missing_ok=True)
        command = [sys.executable, "-m", f"infra.local.{module}", "--port", str(port), *arguments]
        command += ["--ready-file", str(ready_file)]
        environment = self.environment if environment is None else environment
        child = await Child.start(name, command, environment=environment, log=logs / f"{name}.log")
        part = Part(module, child, ready_file)
        self.parts.append(part)
        return part

    async def failed(self) -> None:
        """Wait until a part ends by itself.

        Raises:
            LocalError: Always, then: which part it was and the end of its log.
        """
        endings = {asyncio.ensure_future(part.child.process.wait()): part.child for part in self.parts}
        try:
            done, _ = await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for ending in endings:
                ending.cancel()
        raise LocalError(endings[done.pop()].failure())

    async def stop(self) -> None:
        """Stop what runs: host, pools, storage."""
        for module in ("host", "pool", "storage"):
            together = [part.child.stop(STOP_SECONDS) for part in self.parts if part.module == module]
            await asyncio.gather(*together)

    def kill(self) -> None:
        """End all parts at once; the storage may lose its last seconds."""
        for part in self.parts:
            part.child.kill()
