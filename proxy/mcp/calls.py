"""The calls that MCP tools make: ordinary ones, on the pool's own paths, with the caller's own key.

There is no second way to a pool. What a tool asks for goes through `Gateway.handle` as any client's call does: the
same proof of the key, the same rates, quotas and charges, the same names in the pool.

Rules of this file: it builds requests from parts that it encodes itself, and decides nothing.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote

from proxy.answering import Handler
from proxy.errors import ErrorCode, GatewayError
from proxy.headers import REQUEST_ID
from proxy.messages import GatewayRequest, GatewayResponse
from proxy.pools import Pool
from proxy.tenants import Principal

API_VERSION = "2025-02-02-preview"  # the newest with which every kind of pool is documented

# A program's mistake, which its user has to mend. All other refusals are told to the model, which sees no statuses.
FOR_THE_CLIENT = frozenset({ErrorCode.INVALID_API_KEY, ErrorCode.SCOPE_NOT_ALLOWED, ErrorCode.TENANT_SUSPENDED})

SHARED_SESSION = "mcp"

_PASSED_ON = ("traceparent", "tracestate", "x-ms-client-request-id")


class PoolCaller:
    """Makes a caller's further calls on one pool."""

    def __init__(self, *, gateway: Handler, request: GatewayRequest, key: str, pool: str) -> None:
        self._gateway = gateway
        self._request = request
        self._key = key
        self._prefix = f"/pools/{pool}"
        self._numbers = itertools.count(1)

    async def send(
        self, method: str, path: str, *, session: str, folder: str = "", body: bytes = b"", content_type: str = ""
    ) -> GatewayResponse:
        """Make one call on a session; `folder` goes into the query where there is one.

        Returns:
            The answer, or the refusal as the response that it would be; with the call's own request id.

        Raises:
            GatewayError: the refusals that are `FOR_THE_CLIENT`.
        """
        query = f"api-version={API_VERSION}&identifier={quote(session, safe='')}"
        if folder:
            query += f"&path={quote(folder, safe='')}"
        headers = {name: value for name, value in self._request.headers.items() if name in _PASSED_ON}
        headers |= {"authorization": f"Bearer {self._key}", "content-length": str(len(body))}
        if content_type:
            headers["content-type"] = content_type
        call = GatewayRequest(
            id=f"{self._request.id}-{next(self._numbers)}",
            method=method,
            origin=self._request.origin,
            path=self._prefix + path,
            query=query,
            headers=headers,
            body=body,
        )
        try:
            response = await self._gateway(call)
        except GatewayError as refusal:
            if refusal.code in FOR_THE_CLIENT:
                raise
            response = refusal.response()
        return replace(response, headers={**response.headers, REQUEST_ID: call.id})


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One HTTP request to the MCP server, once it is known who asks, and for which pool.

    Attributes:
        mint: makes a name that nobody can guess, of characters that may stand in a header.
    """

    request: GatewayRequest
    principal: Principal
    pool: Pool
    caller: PoolCaller
    mint: Callable[[], str]


def client_session(request: GatewayRequest) -> str | None:
    """Find the session id that a client was given when it began; None for a client that has none."""
    return request.headers.get("mcp-session-id", "").strip() or None


def session_of(request: GatewayRequest) -> str:
    """Name the session of calls that name none: the client's own, or one that all without an id share."""
    client = client_session(request)
    return SHARED_SESSION if client is None else f"{SHARED_SESSION}-{client}"
