"""Names a tenant's sessions, in the two shapes in which the pool lists its own.

The pool's list holds every tenant's sessions under names that mean nothing to any of them; the ledger knows which are
this tenant's, and by what name. What stands in both is told, and nothing else.
"""

from datetime import UTC, datetime
from typing import Any

from metering.store import LedgerScan
from proxy import headers
from proxy.calls import Call
from proxy.errors import ErrorCode, GatewayError
from proxy.messages import GatewayResponse, json_response
from proxy.pool_sessions import HeldSession, PoolSessions
from proxy.windows import pool_of, read_windows

PAGE = 200
_UNKNOWN = datetime(1, 1, 1, tzinfo=UTC)


class SessionLists:
    """Answers `GET /listSessions` and `POST /.management/listSessions`; safe to use from any number of tasks."""

    def __init__(self, *, ledger: LedgerScan, pool_sessions: PoolSessions, namespace_secret: bytes) -> None:
        self._ledger = ledger
        self._pool_sessions = pool_sessions
        self._namespace_secret = namespace_secret

    async def answer(self, call: Call) -> GatewayResponse:
        """Answer with one page, oldest sessions first.

        Raises:
            GatewayError: METERING_UNAVAILABLE, POOL_UNAVAILABLE, POOL_TIMEOUT; VALIDATION_FAILED for a bad `skip`.
        """
        skip = _read_skip(call.values.get("skip", "0"))
        names = await self._names(call)
        held = [one for one in await self._pool_sessions.held(call.pool.endpoints) if one.session.identifier in names]
        held.sort(key=lambda one: (one.session.created_at or _UNKNOWN, names[one.session.identifier]))
        page = [(names[one.session.identifier], one) for one in held[skip : skip + PAGE]]
        following = None
        if len(held) > skip + PAGE:
            link = f"{call.names.origin}{call.forward.path}?api-version={call.values['api-version']}"
            following = f"{link}&skip={skip + PAGE}"
        if call.operation.name == "sessions.views":
            views = [_view(name, one, "expiresAt") for name, one in page]
            return json_response({"value": views, "count": len(views), "nextLink": following})
        sessions = [_view(name, one, "expireAt") for name, one in page]
        return json_response({"sessions": sessions} | ({} if following is None else {"nextLink": following}))

    async def _names(self, call: Call) -> dict[str, str]:
        """Read the tenant's names for its sessions in this pool, by pool identifier."""
        windows = await read_windows(self._ledger, call.tenant.id)
        return {
            window.pool_identifier: window.session_name
            for window in windows
            if pool_of(window, [call.pool], secret=self._namespace_secret, tenant_id=call.tenant.id) is not None
        }


def _view(name: str, held: HeldSession, end: str) -> dict[str, Any]:
    session = held.session
    instants = {
        "createdAt": session.created_at,
        "lastAccessedAt": session.last_accessed_at,
        end: session.expires_at,
    }
    told = {field: headers.instant(at) for field, at in instants.items() if at is not None}
    return {"identifier": name, "etag": held.etag, **told} if held.etag is not None else {"identifier": name, **told}


def _read_skip(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise GatewayError(ErrorCode.VALIDATION_FAILED, "'skip' is a whole number, 0 or more.", target="skip")
    return int(text)
