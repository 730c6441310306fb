"""Session name <-> pool identifier, everywhere that it can stand.

The session name is the tenant boundary: whoever has a token of the pool reaches any session whose identifier it knows
(Container Apps documentation, "Use dynamic sessions", read 2026-11). So the pool only ever sees
`<tenant id>-<hex of HMAC-SHA256(secret, tenant id, 0, session name)>`, which no tenant can choose or guess, and which
fits every version's rule for identifiers (4 to 128 of `[A-Za-z0-9-]`).

Rules of this file: pure; a name is decoded once, wherever it stands; what could be read in two ways is refused.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from proxy.errors import ErrorCode, GatewayError
from proxy.file_paths import FilePath, forms, refuse_climbing
from proxy.operations import API_VERSIONS, Body, Dialect, Operation
from proxy.tenants import DEFAULT_POOL

SESSION_NAME_LENGTH_MAX = 128
_IDENTIFIER_FIELDS = frozenset({"identifier", "sessionid"})
# Possessive: with a way back for each character, a long text would take more memory than there is.
_NAME_IN_JSON = re.compile(rb'("(?:identifier|sessionid)"\s*+:\s*+)"(?:[^"\\]|\\.)*+"', re.IGNORECASE)
_CODE_FIELDS = ("code", "shellCommand")
_PATHS = ("path", "filename")
_PARAMETER_ENDS = re.compile(r"[?&;#]")
TARGET_LENGTH_MAX = 16_384  # of path and query; front ends take 8,192 characters
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class SessionQuery:
    """A call's query string, read.

    Attributes:
        session_name: decoded; None if it was not there.
        values: the other parameters, decoded.
        others: the other parameters as they were encoded, each after its decoded name.
    """

    session_name: str | None
    values: Mapping[str, str] = field(default=_NOTHING)
    others: tuple[tuple[str, str], ...] = ()

    def for_pool(self, pool_identifier: str | None, file: FilePath | None = None) -> str:
        """Write the query string that the pool is to see; `file` is what the path names, and its folder goes in here.

        Raises:
            GatewayError: `SessionRequestValidationFailed`, if the folder would be named twice.
        """
        parts = [] if pool_identifier is None else [f"identifier={pool_identifier}"]
        if file is None or not file.folder:
            return "&".join(parts + [part for _, part in self.others])
        if self.values.get("path", "").strip("/") not in {"", "mnt/data"}:
            raise _invalid("The folder of the file stands in the path and in the query.", "path")
        kept = [part for name, part in self.others if name != "path"]
        return "&".join([*parts, *kept, f"path={quote(file.folder, safe='')}"])


def pool_identifier(secret: bytes, tenant_id: str, pool_name: str, session_name: str) -> str:
    """Return what the pool calls this tenant's session; opaque, and the same each time.

    Sessions of one name in two pools are two sessions. No part holds a zero byte, so no two sessions share a message.
    """
    parts = [tenant_id, session_name] if pool_name == DEFAULT_POOL else [tenant_id, pool_name, session_name]
    digest = hmac.new(secret, "\0".join(parts).encode(), hashlib.sha256)
    return f"{tenant_id}-{digest.hexdigest()}"


def qualified(pool_name: str, name: str) -> str:
    """Name something of a pool where pools are told apart: with the pool's name, unless it is the default one."""
    return name if pool_name == DEFAULT_POOL else f"{pool_name}/{name}"


def read_query(raw: str, operation: Operation) -> SessionQuery:
    """Read the query string of a call.

    Raises:
        GatewayError: `SessionRequestValidationFailed` if a parameter is missing, repeated, misspelt or not known. The
            last is how an identifier shows that was not percent-encoded (`a&x=2` would name session `a`).
    """
    if operation.dialect is Dialect.CONTAINER:
        return _read_container_query(raw)
    allowed = {"api-version", *operation.query, *(("identifier",) if operation.names_session else ())}
    values: dict[str, str] = {}
    others: list[tuple[str, str]] = []
    for part, name, value in _parameters(raw):
        if name not in allowed:
            raise _invalid("A query parameter is not known here; percent-encode the identifier.", "query")
        if name in values:
            raise _invalid(f"The parameter '{name}' stands in the query more than once.", name)
        values[name] = value
        if name != "identifier":
            others.append((name, part))
    version = values.get("api-version")
    if version is None:
        raise _invalid("The query parameter 'api-version' is missing.", "api-version")
    if version not in API_VERSIONS:
        raise _invalid("The api-version is not known.", "api-version")
    for name in _PATHS:
        refuse_climbing(values.get(name, ""), name)
    session_name = values.pop("identifier", None)
    if operation.names_session and (session_name is not None or not _may_stand_in_body(operation)):
        session_name = checked_name(session_name)
    return SessionQuery(session_name, values, tuple(others))


def _read_container_query(raw: str) -> SessionQuery:
    """Read a query of which only the identifier is ours; whatever a lenient server might take for one is refused."""
    names: list[str] = []
    others: list[tuple[str, str]] = []
    for part, name, value in _parameters(raw):
        if name == "identifier":
            names.append(value)
        elif _is_identifier(name):
            raise _invalid("The query parameter 'identifier' is misspelt.", "identifier")
        else:
            others.append((name, part))
    if len(names) > 1:
        raise _invalid("The parameter 'identifier' stands in the query more than once.", "identifier")
    return SessionQuery(checked_name(names[0] if names else None), others=tuple(others))


def refuse_second_identifier(target: str, names: int) -> None:
    """Refuse a call whose path and query, however they are read, could name a session besides the one that they name.

    A front end may decode once more, take `;` for a separator, or overlook case.

    Raises:
        GatewayError: `SessionRequestValidationFailed`; for a path and query that are too long, too.
    """
    if len(target) > TARGET_LENGTH_MAX:
        raise _invalid(f"Path and query are longer than {TARGET_LENGTH_MAX} characters.", "path")
    for form in forms(target):
        pairs = (part.partition("=") for part in _PARAMETER_ENDS.split(form)[1:])
        if sum(bool(equals) and _is_identifier(name) for name, equals, _ in pairs) > names:
            raise _invalid("The path or the query could be read as naming two sessions.", "identifier")


def _is_identifier(name: str) -> bool:
    """Say whether a lenient server might take this for the parameter `identifier`."""
    return any("".join(filter(str.isalnum, form)).casefold() == "identifier" for form in forms(name))


def _parameters(raw: str) -> list[tuple[str, str, str]]:
    """Split a query into its parameters: as they came, and name and value decoded."""
    if not raw.isprintable():
        raise _invalid("The query holds characters that cannot be printed.", "query")
    parts = [part for part in raw.split("&") if part]
    pairs = [(part, *part.partition("=")[::2]) for part in parts]
    return [(part, _decode(name, "query"), _decode(value, name)) for part, name, value in pairs]


def _may_stand_in_body(operation: Operation) -> bool:
    """Say whether the session may be named in the body alone, as Semantic Kernel for .NET did before 1.49."""
    return operation.dialect is Dialect.EARLY and operation.body is Body.CODE


def name_in_body(body: bytes) -> str:
    """Read the session name that stands nowhere but in the body.

    Raises:
        GatewayError: `SessionRequestValidationFailed` if it does not.
    """
    document = _read_object(body)
    fields = document.get("properties")
    name = fields.get("identifier") if isinstance(fields, dict) else None
    return checked_name(name if isinstance(name, str) else None)


def rewrite_body(body: bytes, dialect: Dialect, session_name: str, identifier: str) -> bytes:
    """Check the body of an execution, and put the pool identifier wherever the session name stands in it.

    Nothing else of the body changes: one without an identifier, as nearly all are, comes back as the very same bytes.

    Raises:
        GatewayError: `SessionRequestValidationFailed` if it is not a JSON object with code, or names another session;
            `SessionPropertiesMissing` if it has the other dialect's shape (clients then try that one).
    """
    document = _read_object(body)
    _check_code(document, dialect)
    if not _replace_names(document, session_name, identifier):
        return body
    rewritten = _NAME_IN_JSON.sub(rb'\g<1>"' + identifier.encode() + b'"', body)
    # A name that is written in an unusual way, or that stands elsewhere too, is not worth keeping the bytes for.
    return rewritten if _read_object(rewritten) == document else json.dumps(document).encode()


def _read_object(body: bytes) -> dict[str, Any]:
    try:
        document = _JSON.decode(body.decode("utf-8-sig"))  # RFC 8259, section 8.1: nothing but UTF-8
    except (ValueError, RecursionError):
        raise _invalid("The body is not JSON in UTF-8, or has a field twice.", "body") from None
    if not isinstance(document, dict):
        raise _invalid("The body is not a JSON object.", "body")
    return document


def _check_code(document: dict[str, Any], dialect: Dialect) -> None:
    """Refuse a body in which the code does not stand where this dialect has it."""
    wrapped = "properties" in document
    if sum(name.casefold() == "properties" for name in document) > wrapped:
        raise _invalid("'properties' is misspelt, or stands in the body twice.", "properties")
    if wrapped != (dialect is not Dialect.FLAT):
        if not wrapped and not any(name in document for name in _CODE_FIELDS):
            raise _invalid("The body lacks the code to run.", "properties.code")
        place = "at the top, without 'properties'" if wrapped else "in 'properties'"
        raise GatewayError(ErrorCode.PROPERTIES_MISSING, f"On this path, the code to run stands {place}.")
    fields = document["properties"] if wrapped else document
    if not isinstance(fields, dict):
        raise _invalid("'properties' is not a JSON object.", "properties")
    if not any(isinstance(fields.get(name), str) for name in _CODE_FIELDS):
        raise _invalid("The body lacks the code to run.", "properties.code" if wrapped else "code")


def _replace_names(document: dict[str, Any], session_name: str, identifier: str) -> bool:
    """Replace the name at any depth, since nobody says at which the pool looks; say whether it was there."""
    found, waiting = False, [document]
    while waiting:
        value: Any = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            for name in value:
                if name.casefold() in _IDENTIFIER_FIELDS:
                    if value[name] != session_name:
                        raise _invalid("The body names another session than the query.", "identifier")
                    value[name] = identifier
                    found = True
            waiting += value.values()
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a field stands twice")
    return document


_JSON = json.JSONDecoder(object_pairs_hook=_object)


def checked_name(name: str | None) -> str:
    """Return a decoded session name that may be used.

    Raises:
        GatewayError: `SessionRequestValidationFailed` if it is missing, too long, or cannot be printed.
    """
    if not name:
        raise _invalid("The query parameter 'identifier' is missing.", "identifier")
    if len(name) > SESSION_NAME_LENGTH_MAX:
        raise _invalid(f"The identifier is longer than {SESSION_NAME_LENGTH_MAX} characters.", "identifier")
    if not name.isprintable():
        raise _invalid("The identifier holds characters that cannot be printed.", "identifier")
    return name


def _decode(text: str, target: str) -> str:
    try:
        return unquote_to_bytes(text.replace("+", " ")).decode()
    except UnicodeDecodeError:
        raise _invalid("The query is not UTF-8.", target) from None


def _invalid(message: str, target: str) -> GatewayError:
    return GatewayError(ErrorCode.VALIDATION_FAILED, message, target=target)
