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
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from proxy.errors import ErrorCode, GatewayError
from proxy.operations import API_VERSIONS, Dialect

SESSION_NAME_LENGTH_MAX = 128
_IDENTIFIER_FIELDS = frozenset({"identifier", "sessionid"})
_CODE_FIELDS = ("code", "shellCommand")


@dataclass(frozen=True, slots=True)
class SessionQuery:
    """A call's query string, read.

    Attributes:
        session_name: decoded.
        others: the other parameters, as they were encoded.
    """

    session_name: str
    others: tuple[str, ...]

    def for_pool(self, pool_identifier: str) -> str:
        """Write the query string that the pool is to see."""
        return "&".join((f"identifier={pool_identifier}", *self.others))


def pool_identifier(secret: bytes, tenant_id: str, session_name: str) -> str:
    """Return what the pool calls this tenant's session; opaque, and the same each time."""
    digest = hmac.new(secret, tenant_id.encode() + b"\0" + session_name.encode(), hashlib.sha256)
    return f"{tenant_id}-{digest.hexdigest()}"


def read_query(raw: str, allowed: Collection[str]) -> SessionQuery:
    """Read the query string of a call.

    Raises:
        GatewayError: `SessionRequestValidationFailed` if a parameter is missing, repeated, misspelt or not known. The
            last is how an identifier shows that was not percent-encoded (`a&x=2` would name session `a`).
    """
    values: dict[str, str] = {}
    others: list[str] = []
    for part in raw.split("&"):
        if not part:
            continue
        raw_name, _, raw_value = part.partition("=")
        name, value = _decode(raw_name, "query"), _decode(raw_value, raw_name)
        if name not in {"identifier", "api-version", *allowed}:
            raise _invalid("A query parameter is not known here; percent-encode the identifier.", "query")
        if name in values:
            raise _invalid(f"The parameter '{name}' stands in the query more than once.", name)
        values[name] = value
        if name != "identifier":
            others.append(part)
    version = values.get("api-version")
    if version is None:
        raise _invalid("The query parameter 'api-version' is missing.", "api-version")
    if version not in API_VERSIONS:
        raise _invalid("The api-version is not known.", "api-version")
    return SessionQuery(_checked_name(values.get("identifier")), tuple(others))


def rewrite_body(body: bytes, dialect: Dialect, session_name: str, identifier: str) -> bytes:
    """Check the body of an execution, and put the pool identifier wherever the session name stands in it.

    A body without an identifier, as nearly all are, comes back as the very same bytes.

    Raises:
        GatewayError: `SessionRequestValidationFailed` if it is not a JSON object with code, or names another session;
            `SessionPropertiesMissing` if it has the other dialect's shape (clients then try that one).
    """
    try:
        document = json.loads(body, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        raise _invalid("The body is not JSON, or has a field twice.", "body") from None
    if not isinstance(document, dict):
        raise _invalid("The body is not a JSON object.", "body")
    fields = _code_fields(document, dialect)
    parts = (document,) if fields is document else (document, fields)
    found = [_replace_names(part, session_name, identifier) for part in parts]
    return json.dumps(document).encode() if any(found) else body


def _code_fields(document: dict[str, Any], dialect: Dialect) -> dict[str, Any]:
    """Return the object in which the code stands, in this dialect."""
    wrapped = "properties" in document
    if wrapped != (dialect is Dialect.ENVELOPE):
        if not wrapped and not any(field in document for field in _CODE_FIELDS):
            raise _invalid("The body lacks the code to run.", "properties.code")
        place = "at the top, without 'properties'" if wrapped else "in 'properties'"
        raise GatewayError(ErrorCode.PROPERTIES_MISSING, f"On this path, the code to run stands {place}.")
    fields = document["properties"] if wrapped else document
    if not isinstance(fields, dict):
        raise _invalid("'properties' is not a JSON object.", "properties")
    if not any(isinstance(fields.get(field), str) for field in _CODE_FIELDS):
        raise _invalid("The body lacks the code to run.", "properties.code" if wrapped else "code")
    return fields


def _replace_names(fields: dict[str, Any], session_name: str, identifier: str) -> bool:
    names = [field for field in fields if field.casefold() in _IDENTIFIER_FIELDS]
    for field in names:
        if fields[field] != session_name:
            raise _invalid("The body names another session than the query.", "identifier")
        fields[field] = identifier
    return bool(names)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a field stands twice")
    return document


def _checked_name(name: str | None) -> str:
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
