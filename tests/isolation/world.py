"""The product's gateway, with its own client for the pool, on the talkative pool; everything in memory.

A `Product` says of which classes it is built and which functions it uses, so that broken ones can be put in.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import httpx
import yarl

from metering.periods import Period
from proxy.answering import Handler, answer
from proxy.gateway import Gateway
from proxy.messages import GatewayRequest, GatewayResponse
from proxy.pool import SessionPoolClient
from proxy.pool_sessions import PoolSessions
from proxy.pools import Pool, PoolKind
from proxy.session_lists import SessionLists
from proxy.tenants import Tenant
from tests.isolation.calls import Case, Meaning, meaning_of, operation_of
from tests.isolation.echoes import Asked
from tests.isolation.places import ENDPOINTS, KEYS, KINDS, ORIGIN, POOLS_OF, SECRET, TENANTS, TOKEN
from tests.isolation.pool import reply
from tests.isolation.readings import exact_path
from tests.support.building import FakeClock, granularity, meter, telemetry
from tests.support.gates import KeyRing
from tests.support.memory_store import MemoryLedgerStore

BODY_BYTES_MAX = 400_000
_POOLS = tuple(Pool(name, PoolKind(KINDS[name]), endpoints) for name, endpoints in ENDPOINTS.items())
_BY_ENDPOINT = {endpoint: name for name, endpoints in ENDPOINTS.items() for endpoint in endpoints}


@dataclass(frozen=True, slots=True)
class Product:
    """What the gateway is built of.

    Attributes:
        replaced: other functions, by the dotted names of those whose place they take.
    """

    gateway: type[Gateway] = Gateway
    lists: type[SessionLists] = SessionLists
    replaced: Mapping[str, Callable[..., Any]] = field(default_factory=dict)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the functions in place, for as long as calls are made."""
        with ExitStack() as stack:
            for name, function in self.replaced.items():
                stack.enter_context(patch(name, function))
            yield


@dataclass(frozen=True, slots=True)
class Heard:
    """A request as the pool hears it, and its answer.

    Attributes:
        targets: path and query, as the client was told and as its transport writes them.
        pool: which one; None if it is none that there is.
    """

    method: str
    url: str
    origin: str
    endpoint: str
    pool: str | None
    targets: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    body: bytes
    status: int | None = None
    answered: bytes | None = None


@dataclass(frozen=True, slots=True)
class Episode:
    """A call, what it meant, what the pool heard of it, what came back, and what it cost whom, in increments."""

    case: Case
    meaning: Meaning | None
    heard: tuple[Heard, ...]
    response: GatewayResponse
    cost: Mapping[str, int]


class Tokens:
    """Gives the gateway's token."""

    async def token(self) -> str | None:
        """See `TokenSource.token`."""
        return TOKEN

    def forget(self) -> None:
        """See `TokenSource.forget`."""


@dataclass
class World:
    """One gateway, its ledger and its pools; remembers which names each tenant has used in which pool."""

    product: Product = field(default_factory=Product)
    names: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    held: dict[str, tuple[str, str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Build the gateway."""
        self._clock = FakeClock()
        self._store = MemoryLedgerStore()
        self._heard: list[Heard] = []
        self._chance = Random(0)
        client = SessionPoolClient(
            tokens=Tokens(), timeout_seconds=60, answer_bytes_max=1_000_000, transport=httpx.MockTransport(self._hear)
        )
        sessions = PoolSessions(pool=client, endpoints=tuple(_BY_ENDPOINT))
        self._gateway: Handler = self.product.gateway(
            authenticator=KeyRing(
                {KEYS[tenant]: Tenant(id=tenant, name=tenant, pools=POOLS_OF[tenant]) for tenant in TENANTS}
            ),
            meter=meter(self._store, self._clock, of=granularity()),
            pool=client,
            pools=_POOLS,
            sessions=self.product.lists(ledger=self._store, pool_sessions=sessions, namespace_secret=SECRET),
            namespace_secret=SECRET,
            granularity=granularity(),
            clock=self._clock,
            body_bytes_max=BODY_BYTES_MAX,
            telemetry=telemetry(),
        ).handle

    async def run(self, case: Case) -> Episode:
        """Make one call."""
        self._heard = []
        self._chance = Random(case.reply)
        before = self._charged()
        response = await answer(self._gateway, _request(case))
        after = self._charged()
        cost = {tenant: after[tenant] - before[tenant] for tenant in TENANTS}
        return Episode(case, meaning_of(case), tuple(self._heard), response, cost)

    def _charged(self) -> dict[str, int]:
        key = f"period:{Period.of(self._clock())}"
        rows = {tenant: self._store.rows.get((tenant, key)) for tenant in TENANTS}
        return {tenant: 0 if row is None else row[0].balance for tenant, row in rows.items()}

    def _hear(self, request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        endpoint = next((known for known in _BY_ENDPOINT if url.startswith(known)), "")
        pool = _BY_ENDPOINT.get(endpoint)
        told = request.url.raw_path.decode()
        try:
            written = yarl.URL(url).raw_path_qs
        except ValueError:
            written = told
        heard = Heard(
            method=request.method,
            url=url,
            origin=f"{request.url.scheme}://{request.url.netloc.decode()}",
            endpoint=endpoint,
            pool=pool,
            targets=(told,) if told == written else (told, written),
            headers=tuple(request.headers.multi_items()),
            body=request.content,
        )
        self._heard.append(heard)
        response = reply(self._asked(heard), self._chance, self.held)
        stream: Any = response.stream
        self._heard[-1] = replace(heard, status=response.status_code, answered=b"".join(stream))
        return response

    def _asked(self, heard: Heard) -> Asked:
        path = exact_path(heard.targets[-1])[len(urlsplit(heard.endpoint).path) :].strip("/")
        kind = KINDS[heard.pool] if heard.pool is not None else ""
        parameters = heard.targets[-1].partition("?")[2].split("&")
        named = [value for name, _, value in (part.partition("=") for part in parameters) if name == "identifier"]
        return Asked(
            method=heard.method,
            url=heard.url,
            endpoint=heard.endpoint,
            pool=heard.pool or "",
            operation=operation_of(heard.method, path, kind, lenient=True),
            identifier=named[0] if named else "",
        )


def _request(case: Case) -> GatewayRequest:
    headers = {
        "authorization": f"Bearer {KEYS[case.tenant]}",
        "content-length": str(len(case.body)),
        "host": "gate.example",
    }
    return GatewayRequest(
        id="req-1",
        method=case.method,
        origin=ORIGIN,
        path=case.path,
        query=case.query,
        headers=headers | dict(case.headers),
        body=case.body,
    )
