"""The operations of the session API, row by row of the table that the gateway matches calls against.

What the table says is taken from there; what only a reader needs (a sentence, an example) stands here by the name of
the row. A row without its sentence or its answers keeps the document from being made.

Rules of this file: pure.
"""

from collections.abc import Iterator, Mapping

from console.openapi.parts import JSON, Json, answer, headers, ref
from console.openapi.pool_parameters import parameters_of
from console.openapi.pool_schemas import ANSWERS, BODIES
from console.openapi.refusals import Refusals
from console.openapi.routes import Route
from proxy.errors import ErrorCode
from proxy.operations import OPERATIONS, Answer, Body, Dialect, Effect, Operation

_SUMMARIES: Mapping[str, tuple[str, str]] = {
    "code.execute": ("Run code", "The body and the answer are wrapped in `properties`."),
    "files.upload": ("Upload a file", "The answer is wrapped in `properties`."),
    "files.download": ("Download a file", "The older of two paths that do the same."),
    "python.execute": ("Run code, as the first clients do", "An error has its message in `result` and `stderr`, too."),
    "python.upload": ("Upload a file, as the first clients do", ""),
    "python.list": ("List files, as the first clients do", ""),
    "python.download": ("Download a file, as the first clients do", ""),
    "executions.create": (
        "Run code, now or in the background",
        "The body and the answer are flat. `Operation-Location` leads to the execution.",
    ),
    "executions.get": ("Look at an execution", ""),
    "files.list": ("List files", "The answer has the shape that goes with the api-version."),
    "files.create": ("Upload a file", "The answer is flat."),
    "files.content": ("Download a file", ""),
    "files.get": ("Look at a file", "The answer has the shape that goes with the api-version."),
    "files.delete": ("Delete a file", "Versions before 2024-10-02-preview answer 200, later ones 204."),
    "session.get": ("Look at a session", "Free of charge; never opens a session."),
    "session.delete": ("End a session", "Gives back the session minutes that have not begun. Never opens a session."),
    "sessions.list": ("List your sessions", "Free of charge; the oldest first."),
    "sessions.view": ("Look at a session, as in pools of custom containers", "Free of charge; never opens a session."),
    "sessions.views": ("List your sessions, as in pools of custom containers", "Free of charge; the oldest first."),
    "sessions.stop": ("End a session, as in pools of custom containers", "Gives back what has not begun."),
    "pool.metadata": ("Say what the pool is made of", "Free of charge."),
}

POOL = ref("parameters", "Pool")

_SAME_SESSION = {"query.identifier": "$request.query.identifier"}
_MADE = {"path.path": "$response.body#/name", **_SAME_SESSION}

# What can be done with what an operation has made, by the names of both.
_LINKS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "executions.create": {"executions.get": {"path.id": "$response.body#/id", **_SAME_SESSION}},
    "files.create": dict.fromkeys(("files.get", "files.content", "files.delete"), _MADE),
    "files.upload": {"files.download": {"path.path": "$response.body#/value/0/properties/filename", **_SAME_SESSION}},
    "python.upload": {"python.download": {"query.filename": "$response.body#/$values/0/filename", **_SAME_SESSION}},
    "code.execute": dict.fromkeys(("session.get", "session.delete"), _SAME_SESSION),
}

AUTHENTICATION = frozenset({ErrorCode.INVALID_API_KEY, ErrorCode.METERING_UNAVAILABLE, ErrorCode.INTERNAL_ERROR})
TENANTS = AUTHENTICATION | {ErrorCode.SCOPE_NOT_ALLOWED, ErrorCode.TENANT_SUSPENDED}
_EVERY_CALL = TENANTS | {
    ErrorCode.TOO_MANY_CALLS,
    ErrorCode.POOL_NOT_FOUND,
    ErrorCode.OPERATION_NOT_FOUND,
    ErrorCode.VALIDATION_FAILED,
    ErrorCode.LENGTH_REQUIRED,
    ErrorCode.REQUEST_TOO_LARGE,
    ErrorCode.POOL_UNAVAILABLE,
    ErrorCode.POOL_TIMEOUT,
}
_FORWARDED = {ErrorCode.POOL_BUSY, ErrorCode.ANSWER_TOO_LARGE}
_CHARGED = {ErrorCode.QUOTA_EXCEEDED, ErrorCode.TOO_MANY_SESSIONS}

_LIMITS = ("RateLimit-Policy", "RateLimit")
_CHARGES = ("Tollgate-Charged-Minutes", "Tollgate-Session-Paid-Until", "Tollgate-Session")


def pool_routes() -> Iterator[Route]:
    """Describe every row of the table twice: in the tenant's first pool, and in one that the path names."""
    for operation in OPERATIONS:
        route = _route(operation)
        yield route
        yield route.below("/pools/{pool}", POOL, "pool", "InPool")


def _route(operation: Operation) -> Route:
    summary, text = _SUMMARIES[operation.name]
    return Route(
        method=operation.method,
        path="/" + "/".join(operation.path),
        id=_camel_case(operation.name),
        tag=_tag(operation),
        summary=summary,
        description=" ".join(filter(None, [text, f"In the ledger: `{operation.name}`."])),
        scope=operation.scope,
        parameters=tuple(parameters_of(operation)),
        body={"required": True, "content": BODIES[operation.name]} if operation.body is not Body.NONE else None,
        answers=_answers(operation),
        links={_camel_case(name): values for name, values in _LINKS.get(operation.name, {}).items()},
        refusals=_refusals(operation),
    )


def _camel_case(name: str) -> str:
    first, *others = name.split(".")
    return first + "".join(part.capitalize() for part in others)


def _tag(operation: Operation) -> str:
    if operation.dialect is Dialect.EARLY:
        return "early"
    area = operation.name.partition(".")[0]
    return {"code": "code", "executions": "code", "files": "files"}.get(area, "sessions")


def _answers(operation: Operation) -> dict[str, Json]:
    charged = operation.effect in {Effect.EXECUTES, Effect.ALLOCATES}
    required = [
        *(_CHARGES if charged else ()),
        *(["Tollgate-Reversed-Minutes"] if operation.effect is Effect.ENDS else ()),
    ]
    optional = [*(() if operation.effect is Effect.LISTS else _LIMITS)]
    if operation.effect is Effect.EXECUTES:
        optional += ["Operation-Id", "X-Ms-New-Allocation"]
        optional += ["Operation-Location"] if operation.dialect is Dialect.FLAT else []
    told = headers(required, optional)
    return {
        status: answer(
            "It went well." if found else "It went well; there is nothing to say.", found, answer_headers=told
        )
        for status, found in ANSWERS[operation.name].items()
    }


def _refusals(operation: Operation) -> Refusals:
    is_ours = operation.effect is Effect.LISTS
    charged = operation.effect in {Effect.EXECUTES, Effect.ALLOCATES}
    has_code = operation.body is Body.CODE
    is_json = not is_ours and JSON in (ANSWERS[operation.name].get("200") or {}) and operation.answer is Answer.JSON
    return Refusals.of(
        _EVERY_CALL,
        () if is_ours else _FORWARDED,
        _CHARGED if charged else (),
        {ErrorCode.PROPERTIES_MISSING} if has_code else (),
        {ErrorCode.POOL_ANSWER_INVALID} if is_json else (),
        passes_on=not is_ours,
    )
