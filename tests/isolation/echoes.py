"""What a session pool knows and should not tell, in the forms in which front ends, gateways and containers write it.

Rules of this file: pure.
"""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlsplit

from tests.isolation.places import HIDDEN_NAMES, TENANTS, TOKEN, identifier


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the pool takes it.

    Attributes:
        identifier: of the session, as it stands in the query first; empty if it does not.
        operation: None if the pool knows no such thing.
    """

    method: str
    url: str
    endpoint: str
    pool: str
    operation: str | None
    identifier: str


@lru_cache(maxsize=16)
def addresses(endpoint: str) -> tuple[str, ...]:
    """Write a pool's address in several forms.

    Absolute, with the scheme that is spoken behind the front end, with the port written out, without a scheme, in
    capitals, in the small letters of a resource id, percent-encoded; the host alone, the path alone.
    """
    parts = urlsplit(endpoint)
    forms = (
        endpoint,
        f"http://{parts.netloc}{parts.path}",
        f"https://{parts.hostname}:443{parts.path}",
        f"//{parts.netloc}{parts.path}/files",
        f"wss://{parts.netloc}",
        parts.netloc,
        (parts.hostname or "").upper(),
        f"{parts.scheme}://{parts.netloc}{parts.path.lower()}/executions",
        quote(endpoint, safe=""),
    )
    return (*forms, parts.path, f"{parts.path.lower()}/files?skip=1") if parts.path else forms


def links(asked: Asked) -> tuple[str, ...]:
    """Write links to an execution or a next page: absolute, relative, with other hosts, and broken."""
    query = f"api-version=2025-02-02-preview&identifier={asked.identifier}"
    host = urlsplit(asked.endpoint).netloc
    return (
        f"{asked.endpoint}/executions/op-1?{query}",
        f"/executions/op-1?{query}",
        f"http://10.1.2.3:6000/executions/op-1?{query}",
        f"{asked.endpoint.lower()}/files?skip=5&{query}",
        f"https://{host.upper()}/files?skip=5&Identifier={asked.identifier}",
        f"{asked.endpoint}/files?skip=5&session={asked.identifier}&from={quote(asked.endpoint, safe='')}",
        f"{asked.endpoint}/sessions/{asked.identifier}/executions/op-1",
        asked.url,
        "http://[fe80::1",
        "?skip=5",
        "",
        f"//{host}/files#{asked.identifier}",
    )


OWN_TOKEN = (TOKEN, f"Bearer {TOKEN}")
STRANGERS = tuple(identifier(tenant, "default", name) for tenant in TENANTS for name in HIDDEN_NAMES)
"""What the pool calls sessions whose names nobody has learnt."""
SECRETS = (*OWN_TOKEN, *STRANGERS, *(stranger.upper() for stranger in STRANGERS))
