"""Lists what the session pools hold, all of it: whoever hands it on to a tenant picks out that tenant's own.

The pool lists under two paths, in two shapes (Container Apps documentation, "Custom container sessions", and REST
specification 2025-02-02-preview, read 2026-11): `POST /.management/listSessions` answers `value` with `expiresAt`,
`GET /listSessions` answers `sessions` with `expireAt`. A pool that refuses the first is asked for the second.

Listing takes no session and keeps none alive. Only the `skip` of a page's `nextLink` is used: the link itself may lack
the api-version, and names a host that nobody should follow with a token.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from metering.reconcile import PoolSession
from proxy.calls import PoolCall
from proxy.errors import ErrorCode, GatewayError
from proxy.operations import MANAGEMENT_VERSION, Effect
from proxy.pool import Answered, NoAnswer, SessionPool

_WAYS = (("POST", "/.management/listSessions"), ("GET", "/listSessions"))
_PAGES_MAX = 100  # a pool has at most 600 sessions, 300 a page


@dataclass(frozen=True, slots=True)
class HeldSession:
    """A session that a pool holds; `etag` tells its lives apart, where the pool gives it."""

    session: PoolSession
    etag: str | None


class PoolSessions:
    """Lists the sessions of one or more pools; `endpoints` are all of them."""

    def __init__(self, *, pool: SessionPool, endpoints: Sequence[str]) -> None:
        self._pool = pool
        self._endpoints = endpoints

    async def read(self) -> list[PoolSession]:
        """Read the sessions of all pools.

        Raises:
            GatewayError: POOL_UNAVAILABLE, POOL_TIMEOUT: a list that lacks some would be misread.
        """
        return [held.session for held in await self.held(self._endpoints)]

    async def held(self, endpoints: Iterable[str]) -> list[HeldSession]:
        """Read the sessions that these endpoints hold.

        Raises:
            GatewayError: as `read` does.
        """
        return [held for endpoint in endpoints for held in await self._read(endpoint)]

    async def _read(self, endpoint: str) -> list[HeldSession]:
        for method, path in _WAYS:
            page = await self._page(endpoint, method, path, skip=0)
            if page is None:
                continue
            sessions, following = page
            for _ in range(_PAGES_MAX):
                if following is None:
                    return sessions
                page = await self._page(endpoint, method, path, skip=following)
                if page is None:
                    break
                more, following = page
                sessions += more
            break
        raise GatewayError(ErrorCode.POOL_UNAVAILABLE, "The session pool does not list its sessions.")

    async def _page(
        self, endpoint: str, method: str, path: str, *, skip: int
    ) -> tuple[list[HeldSession], int | None] | None:
        """Read one page, and where the next one starts; None if the pool refuses this way of asking."""
        query = f"api-version={MANAGEMENT_VERSION}&skip={skip}"
        call = PoolCall(
            endpoint=endpoint,
            method=method,
            path=path,
            query=query,
            headers={},
            body=b"",
            effect=Effect.OBSERVES,
            operation="listSessions",
        )
        outcome = await self._pool.send(call)
        if isinstance(outcome, NoAnswer):
            raise GatewayError(ErrorCode.POOL_TIMEOUT, "The session pool gave no answer.")
        if not isinstance(outcome, Answered) or outcome.answer.status >= 500:
            raise GatewayError(ErrorCode.POOL_UNAVAILABLE, "The session pool cannot be asked for its sessions now.")
        if outcome.answer.status != 200:
            return None
        return read_page(outcome.answer.body, skip)


def read_page(body: bytes, skip: int) -> tuple[list[HeldSession], int | None] | None:
    """Read one page in either shape, and where the next one starts; None if it is neither."""
    try:
        document = json.loads(body)
        listed = document["value"] if "value" in document else document["sessions"]
        sessions = [_session(value) for value in listed]
        following = _skip(document.get("nextLink"))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return None
    return sessions, following if following is not None and following > skip else None


def _session(value: Any) -> HeldSession:
    etag = value.get("etag")
    session = PoolSession(
        identifier=str(value["identifier"]),
        created_at=_instant(value.get("createdAt")),
        last_accessed_at=_instant(value.get("lastAccessedAt")),
        expires_at=_instant(value.get("expiresAt", value.get("expireAt"))),
    )
    return HeldSession(session, etag if isinstance(etag, str) else None)


def _instant(text: Any) -> datetime | None:
    if text is None:
        return None
    at = datetime.fromisoformat(text)
    return at.astimezone(UTC) if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _skip(link: str | None) -> int | None:
    return int(parse_qs(urlsplit(link).query)["skip"][0]) if link else None
