"""What stands in the query, the path and the headers of the session API's calls.

Rules of this file: pure. Patterns are written so that every engine of regular expressions reads them alike.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from console.openapi.parts import FLAG, TEXT, Json, parameter, ref
from proxy.identifiers import SESSION_NAME_LENGTH_MAX
from proxy.operations import API_VERSIONS, Body, Dialect, Operation
from proxy.tenants import POOL_NAME

# The pool knows a path since a version, and refuses it with an earlier one; rows not named here are as old as the API.
_SINCE: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("executions.create", "executions.get", "files.create", "files.content"), "2024-10-02-preview"),
        **dict.fromkeys(("session.get", "session.delete", "pool.metadata"), "2025-02-02-preview"),
    }
)

_PRINTABLE = r"[^\x00-\x1f\x7f-\xa0\xad]"  # Unicode has more that cannot be printed; descriptions say so
_STAYS_BELOW: Json = {"not": {"pattern": r"(?:^|[/\\])\.{1,2}(?:[/\\]|$)"}}  # no segment `.` or `..`
SESSION_NAME: Json = {
    "type": "string",
    "minLength": 1,
    "maxLength": SESSION_NAME_LENGTH_MAX,
    "pattern": f"^{_PRINTABLE}+$",
    "examples": ["mysession1234"],
}
_FOLDER: Json = {"type": "string", "pattern": f"^{_PRINTABLE}*$", **_STAYS_BELOW, "examples": ["/mnt/data"]}
_NEW_FOLDER: Json = {
    "type": "string",
    "pattern": r"""^[^\x00-\x1f\x7f-\xbf\xd7\xf7!"%'*+.:<>?\[\\\]`{|}~]*$""",
    "examples": ["/mnt/data/reports"],
}
_FILE: Json = {
    "type": "string",
    "minLength": 1,
    "pattern": f"^{_PRINTABLE}+$",
    **_STAYS_BELOW,
    "examples": ["data.csv"],
}

_NAME_TEXT = "Your own name for the session, of characters that can be printed; no other tenant's is the same."
_FILE_TEXT = "The file's path below `/mnt/data`, of characters that can be printed, without `.` and `..` as segments."


def _version(since: str) -> Json:
    versions = sorted(version for version in API_VERSIONS if version >= since)
    known: Json = {"type": "string", "enum": versions, "examples": versions[-1:]}
    return parameter("query", "api-version", known, "The version of the session API.", required=True)


PARAMETERS: Mapping[str, Json] = MappingProxyType(
    {
        "ApiVersion": _version(""),
        **{f"ApiVersionSince{since[:7]}": _version(since) for since in sorted(set(_SINCE.values()))},
        "Identifier": parameter("query", "identifier", SESSION_NAME, _NAME_TEXT, required=True),
        "IdentifierOrInBody": parameter(
            "query",
            "identifier",
            SESSION_NAME,
            f"{_NAME_TEXT} It may stand in the body instead, as `properties.identifier`.",
        ),
        "Folder": parameter("query", "path", _FOLDER, "A folder of the session, below `/mnt/data`."),
        "NewFolder": parameter(
            "query", "path", _NEW_FOLDER, "The folder below `/mnt/data` to put the file into; without dots."
        ),
        "Recursive": parameter(
            "query", "recursive", FLAG, "Whether to list the folders below, too; since 2025-10-02-preview."
        ),
        "Skip": parameter(
            "query",
            "skip",
            {"type": "integer", "minimum": 0, "maximum": 999_999_999},
            "How many to pass over; it stands in `nextLink`.",
        ),
        "Filename": parameter("query", "filename", _FILE, _FILE_TEXT, required=True),
        "File": parameter("path", "path", _FILE, f"{_FILE_TEXT} Its slashes may be percent-encoded or not."),
        "Execution": parameter(
            "path",
            "id",
            {
                "type": "string",
                "pattern": r"^[A-Za-z0-9._\-]{1,128}$",
                "examples": ["8963ad02-7d3c-4a0e-9b5e-0d3f0c3c7d11"],
            },
            "The id of the execution.",
        ),
        "OperationId": parameter(
            "header",
            "Operation-Id",
            TEXT,
            "The id that the execution is to have, of letters, digits and `._-`; otherwise the pool chooses one.",
        ),
        "Pool": parameter(
            "path",
            "pool",
            {"type": "string", "pattern": f"^{POOL_NAME.pattern}$", "examples": ["default"]},
            "The name of a session pool that the tenant may use.",
        ),
    }
)

_NAMES = MappingProxyType(
    {"recursive": "Recursive", "skip": "Skip", "filename": "Filename", "{path}": "File", "{id}": "Execution"}
)


def parameters_of(operation: Operation) -> Iterator[Json]:
    """Refer to what a row of the table takes.

    Raises:
        KeyError: it takes what is not described here.
    """
    since = _SINCE.get(operation.name)
    yield ref("parameters", "ApiVersion" if since is None else f"ApiVersionSince{since[:7]}")
    if operation.names_session:
        in_body = operation.dialect is Dialect.EARLY and operation.body is Body.CODE
        yield ref("parameters", "IdentifierOrInBody" if in_body else "Identifier")
    for name in [*sorted(operation.query), *(part for part in operation.path if part.startswith("{"))]:
        folder = "NewFolder" if operation.body is Body.FILE else "Folder"
        yield ref("parameters", folder if name == "path" else _NAMES[name])
    if operation.name == "executions.create":
        yield ref("parameters", "OperationId")
