"""The pool's API as an ASGI application: closed tables of routes, and the checks that all calls share.

A call is refused for its token first, then for its path and method, then for its api-version, then for its
identifier; only then does an operation see it. In a pool of containers nearly every path is the containers' own: there
only the token and the identifier count.
"""

import hmac
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from infra.local.pool.errors import PoolError, Problem
from infra.local.pool.serve_containers import ContainerOperations
from infra.local.pool.serve_executions import ExecutionOperations
from infra.local.pool.serve_files import FileOperations
from infra.local.pool.serve_sessions import PoolDescription, SessionOperations
from infra.local.pool.versions import ApiVersion
from infra.local.pool.web import (
    Body,
    Call,
    ClientGoneError,
    ContainerCall,
    Receive,
    Reply,
    Send,
    read_query,
    refusal,
    send_reply,
)

type Handler = Callable[[Call], Awaitable[Reply]]

_log = logging.getLogger(__name__)
_FIRST = ApiVersion.FEBRUARY_2024
_FLAT = ApiVersion.OCTOBER_2024
_MANAGED = ApiVersion.FEBRUARY_2025
_MANAGEMENT = "/.management/"


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: its method, its path, the first api-version that has it, and whether it is about one session."""

    method: str
    path: re.Pattern[str]
    since: ApiVersion
    handler: Handler
    about_session: bool = True


def code_routes(
    executions: ExecutionOperations,
    files: FileOperations,
    sessions: SessionOperations,
    pool: PoolDescription,
    *,
    shell: bool,
) -> tuple[Route, ...]:
    """Return the table of a pool that runs code, or commands; the first route that fits a path takes it."""
    name = r"(?P<name>[^/]+)"
    run_early = executions.refuse_shell if shell else executions.execute_enveloped
    run = executions.execute_shell if shell else executions.execute_flat
    look = executions.get_shell if shell else executions.get_flat
    return (
        _route("POST", "code/execute", _FIRST, run_early),
        # In a shell pool it is the operation itself that refuses old versions, in words of its own.
        _route("POST", "executions", _FIRST if shell else _FLAT, run),
        _route("GET", "executions/(?P<id>[^/]+)", _FLAT, look),
        _route("POST", "files/upload", _FIRST, files.upload_enveloped),
        _route("GET", "files/content/(?P<name>.+)", _FIRST, files.content),
        _route("GET", "files", _FIRST, files.list_files),
        _route("POST", "files", _FLAT, files.upload_flat),
        _route("GET", f"files/{name}", _FIRST, files.describe),
        _route("DELETE", f"files/{name}", _FIRST, files.delete),
        _route("GET", f"files/{name}/content", _FLAT, files.content),
        _route("GET", "session", _MANAGED, sessions.get),
        _route("DELETE", "session", _MANAGED, sessions.delete),
        _route("GET", "listSessions", _MANAGED, sessions.list_sessions, about_session=False),
        _route("GET", "metadata", _MANAGED, pool.get, about_session=False),
        *_management(sessions),
    )


def container_routes(sessions: SessionOperations) -> tuple[Route, ...]:
    """Return the table of a pool of containers: what does not go on to them."""
    return (*_management(sessions), _route("POST", r"\.management/stopSession", _MANAGED, sessions.stop))


def _management(sessions: SessionOperations) -> tuple[Route, ...]:
    return (
        _route("POST", r"\.management/getSession", _FIRST, sessions.get_view),
        _route("POST", r"\.management/listSessions", _FIRST, sessions.list_views, about_session=False),
    )


def _route(method: str, path: str, since: ApiVersion, handler: Handler, *, about_session: bool = True) -> Route:
    # The service's router does not mind one slash at the end.
    return Route(method, re.compile(f"/{path}/?"), since, handler, about_session)


class PoolApplication:
    """Answers requests; makes every refusal a JSON document.

    With `containers`, every path but those of the management goes on to the session's own container.
    """

    def __init__(
        self,
        routes: tuple[Route, ...],
        *,
        token: str | None,
        drain_bytes: int,
        containers: ContainerOperations | None = None,
    ) -> None:
        self._routes = routes
        self._authorization = f"Bearer {token}".encode() if token is not None else None
        self._drain_bytes = drain_bytes
        self._containers = containers

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request."""
        body = Body(receive)
        try:
            reply = await self._answer(scope, body, send)
        except ClientGoneError:
            return
        if reply is not None:
            await send_reply(reply, send)

    async def _answer(self, scope: Mapping[str, Any], body: Body, send: Send) -> Reply | None:
        """Return the answer, or None if a container's has been sent."""
        try:
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
            self._authenticate(headers)
            path = scope["raw_path"].decode("latin-1")
            if self._containers is not None and not path.startswith(_MANAGEMENT):
                await self._containers.forward(_container_call(scope, body), send)
                return None
            route, names = self._match(scope["method"], path)
            values = read_query(scope["query_string"])
            version = _version(values, route)
            identifier = _identifier(values, version.accepts_identifier) if route.about_session else ""
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


def _identifier(values: Mapping[str, list[str]], accepts: Callable[[str], bool]) -> str:
    given = values.get("identifier", [])
    if len(given) != 1:
        message = "The query parameter 'identifier' is required, once."
        raise PoolError(Problem.VALIDATION, message, target="identifier")
    if not accepts(given[0]):
        message = "The identifier is not allowed in this API version."
        raise PoolError(Problem.VALIDATION, message, target="identifier")
    return given[0]


def _container_call(scope: Mapping[str, Any], body: Body) -> ContainerCall:
    if not scope["raw_path"].startswith(b"/"):
        raise PoolError(Problem.ENDPOINT_UNKNOWN, "There is no such endpoint.", target="path")
    return ContainerCall(
        method=scope["method"],
        path=scope["raw_path"],
        query=scope["query_string"],
        headers=scope["headers"],
        # Containers' paths have no api-version; the how-to pages' rule for identifiers is the first version's.
        identifier=_identifier(read_query(scope["query_string"]), _FIRST.accepts_identifier),
        body=body,
    )
