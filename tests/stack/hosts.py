"""Several functions hosts on one storage and one pool: processes that start, serve and are killed."""

import contextlib
import itertools
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.running import LEDGER_SECRET, NAMESPACE_SECRET, ROOT, Running, running_module
from tests.stack.books import Books
from tests.stack.tenants import Operator, TenantClient

OPEN_FILES = 4_096  # a thousand calls at once, on either side of a host

_numbers = itertools.count(1)


@dataclass
class Hosts:
    """Hosts with the same settings, by number; a host that is started again has a new address.

    Attributes:
        operator_key: opens the operator API of every host.
    """

    folder: Path
    environment: Mapping[str, str]
    operator_key: str
    ending: contextlib.ExitStack
    running: dict[int, Running] = field(default_factory=dict)

    @property
    def urls(self) -> list[str]:
        """The addresses of the hosts that run."""
        return [host.ready["url"] for host in self.running.values()]

    @property
    def operator(self) -> Operator:
        """The operator, at a host that runs."""
        return Operator({"url": self.urls[0], "operator_key": self.operator_key})

    def start(self, number: int) -> None:
        """Start a host, and wait until it serves."""
        options = ["--port", "0"]
        host = running_module("infra.local.host", self.folder / str(number), *options, environment=self.environment)
        self.running[number] = self.ending.enter_context(host)

    def kill(self, number: int) -> str:
        """Kill a host with SIGKILL; returns the address that it had."""
        host = self.running.pop(number)
        host.process.kill()
        host.process.wait()
        url: str = host.ready["url"]
        return url

    def tenant(self, **limits: Any) -> tuple[str, TenantClient]:
        """Make a tenant; returns its id and its client."""
        tenant_id = f"crowd-{os.getpid()}-{next(_numbers)}"
        return tenant_id, self.operator.tenant(tenant_id, **limits)

    def books(self, tenant_id: str, tenant: TenantClient) -> Books:
        """Read a tenant's ledger, at a host that runs."""
        return Books.read(self.operator, tenant_id, replace(tenant, url=self.urls[0]))

    def everywhere(self, tenant: TenantClient) -> list[TenantClient]:
        """Return the tenant's client for each of the hosts that run."""
        return [replace(tenant, url=url) for url in self.urls]


@contextlib.contextmanager
def running_hosts(
    folder: Path,
    *,
    storage: str,
    pool: str,
    count: int,
    increment_seconds: int = 300,
    settings: Mapping[str, str] = MappingProxyType({}),
    platform: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Hosts]:
    """Start so many hosts side by side, numbered from 0.

    `settings` are further ones, without their prefix; `platform` is environment that is not Tollgate's own.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))  # the hosts inherit it
    environment = {
        **os.environ,
        "TOLLGATE_INCREMENT_SECONDS": str(increment_seconds),
        "TOLLGATE_POOL_COOLDOWN_SECONDS": str(increment_seconds),
        "TOLLGATE_POOL_ENDPOINTS": pool,
        "TOLLGATE_POOL_AUTH": "none",
        "TOLLGATE_STORAGE": storage,
        "TOLLGATE_NAMESPACE_SECRET": NAMESPACE_SECRET,
        "TOLLGATE_LEDGER_SECRET": LEDGER_SECRET,
        **{f"TOLLGATE_{name}": value for name, value in settings.items()},
        **platform,
    }
    create = ["keys", "create", "--operator", "--label", "tests", "--direct", "--json"]
    made = subprocess.run(
        [sys.executable, "-m", "console", *create], cwd=ROOT, env=environment, capture_output=True, check=True
    )
    with contextlib.ExitStack() as ending:
        hosts = Hosts(folder, environment, json.loads(made.stdout)["key"], ending)
        with ThreadPoolExecutor(count) as threads:
            list(threads.map(hosts.start, range(count)))
        yield hosts
