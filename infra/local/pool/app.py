"""The pool's API as an ASGI application: one closed table of routes, and the checks that all of them share.

A call is refused for its token first, then for its path and method, then for its api-version, then for its
identifier; only then does an operation see it.
"""

import hmac
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from infra.local.pool.errors import PoolError, Problem
from infra.local.pool.serve_executions import ExecutionOperations
from infra.local.pool.serve_files import FileOperations
from infra.local.pool.serve_sessions import SessionOperations
from infra.local.pool.versions import ApiVersion
from infra.local.pool.web import Body, Call, ClientGoneError, Receive, Reply, Send, read_query, refusal, send_reply

type Handler = Callable[[Call], Awaitable[Reply]]

_log = logging.getLogger(__name__)
_FIRST = ApiVersion.FEBRUARY_2024
_FLAT = ApiVersion.OCTOBER_2024
_MANAGED = ApiVersion.FEBRUARY_2025


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: its method, its path, the first api-version that has it, and whether it is about one session."""

    method: str
    path: re.Pattern[str]
    since: ApiVersion
    handler: Handler
    about_session: bool = True


def make_routes(
    executions: ExecutionOperations, files: FileOperations, sessions: SessionOperations
) -> tuple[Route, ...]:
    """Return the table; the first route that fits a path takes it."""
    name = r"(?P<name>[^/]+)"

    def route(method: str, path: str, since: ApiVersion, handler: Handler, *, about_session: bool = True) -> Route:
        # The service's router does not mind one slash at the end.
        return Route(method, re.compile(f"/{path}/?"), since, handler, about_session)

    return (
        route("POST", "code/execute", _FIRST, executions.execute_enveloped),
        route("POST", "python/execute", _FIRST, executions.execute_bare),
        route("POST", "executions", _FLAT, executions.execute_flat),
        route("GET", "executions/(?P<id>[^/]+)", _FLAT, executions.get),
        route("POST", "files/upload", _FIRST, files.upload_enveloped),
        route("GET", "files/content/(?P<name>.+)", _FIRST, files.content),
        route("POST", "python/uploadFile", _FIRST, files.upload_bare),
        route("GET", "python/files", _FIRST, files.list_bare),
        route("GET", "python/downloadFile", _FIRST, files.content),
        route("GET", "files", _FIRST, files.list_files),
        route("POST", "files", _FLAT, files.upload_flat),
        route("GET", f"files/{name}", _FIRST, files.describe),
        route("DELETE", f"files/{name}", _FIRST, files.delete),
        route("GET", f"files/{name}/content", _FLAT, files.content),
        route("GET", "session", _MANAGED, sessions.get),
        route("DELETE", "session", _MANAGED, sessions.delete),
        route("GET", "listSessions", _MANAGED, sessions.list_sessions, about_session=False),
        route("GET", "metadata", _MANAGED, sessions.metadata, about_session=False),
        route("POST", r"\.management/getSession", _FIRST, sessions.get_view),
        route("POST", r"\.management/listSessions", _FIRST, sessions.list_views, about_session=False),
    )


class PoolApplication:
    """Answers requests; makes every refusal a JSON document."""

    def __init__(self, routes: tuple[Route, ...], *, token: str | None, drain_bytes: int) -> None:
        self._routes = routes
        self._authorization = f"Bearer {token}".encode() if token is not None else None
        self._drain_bytes = drain_bytes

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        body = Body(receive)
        try:
            reply = await self._answer(scope, body)
        except ClientGoneError:
            return
        await send_reply(reply, send)

    async def _answer(self, scope: Mapping[str, Any], body: Body) -> Reply:
        try:
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
            self._authenticate(headers)
            route, names = self._match(scope["method"], scope["raw_path"].decode("latin-1"))
            values = read_query(scope["query_string"])
            version = _version(values, route)
            identifier = _identifier(values, version) if route.about_session else ""
            query = {name: found[0] for name, found in values.items()}
            call = Call(names=names, query=query, headers=headers, version=version, identifier=identifier, body=body)
            return await route.handler(call)
        except PoolError as error:
            await body.drain(self._drain_bytes)
            return refusal(error)
        except ClientGoneError:
            raise
        except Exception:  # noqa: BLE001 -- the caller gets an answer whatever goes wrong, the log the reason
            _log.exception("%s %s failed", scope["method"], scope["path"])
            return refusal(PoolError(Problem.INTERNAL, "The pool failed; its log says why."))

    def _authenticate(self, headers: Mapping[str, str]) -> None:
        given = headers.get("authorization", "").encode("latin-1")
        if self._authorization is not None and not hmac.compare_digest(given, self._authorization):
            raise PoolError(Problem.UNAUTHORIZED, "A valid bearer token is required.")

    def _match(self, method: str, raw_path: str) -> tuple[Route, dict[str, str]]:
        fitting = [(route, found) for route in self._routes if (found := route.path.fullmatch(raw_path))]
        for route, found in fitting:
            if route.method == method:
                return route, _decoded(found.groupdict())
        if fitting:
            message = f"The method {method} is not supported by this endpoint."
            raise PoolError(Problem.NOT_SUPPORTED, message, target="method")
        raise PoolError(Problem.ENDPOINT_UNKNOWN, "There is no such endpoint.", target="path")


def _decoded(names: Mapping[str, str]) -> dict[str, str]:
    try:
        return {name: unquote(value, errors="strict") for name, value in names.items()}
    except UnicodeDecodeError as failure:
        raise PoolError(Problem.VALIDATION, "The path is not UTF-8.", target="path") from failure


def _version(values: Mapping[str, list[str]], route: Route) -> ApiVersion:
    wanted = values.get("api-version", [])
    if len(wanted) != 1 or wanted[0] not in ApiVersion:
        known = ", ".join(ApiVersion)
        raise PoolError(Problem.VALIDATION, f"'api-version' must be one of {known}.", target="api-version")
    version = ApiVersion(wanted[0])
    if version < route.since:
        message = f"This endpoint is not supported in API version {version}."
        raise PoolError(Problem.NOT_SUPPORTED, message, target="api-version")
    return version


def _identifier(values: Mapping[str, list[str]], version: ApiVersion) -> str:
    given = values.get("identifier", [])
    if len(given) != 1:
        message = "The query parameter 'identifier' is required, once."
        raise PoolError(Problem.VALIDATION, message, target="identifier")
    if not version.accepts_identifier(given[0]):
        message = f"The identifier is not allowed in API version {version}."
        raise PoolError(Problem.VALIDATION, message, target="identifier")
    return given[0]
