"""Messages of the Model Context Protocol: which revision a client speaks, what is a message, what is wrong with one.

Two eras share one address (specification 2026-07-28, "Versioning and Compatibility", read 2026-11). Revisions up to
2025-11-25 begin with `initialize`, and name the revision in a header afterwards. Since 2026-07-28 each request says all
about itself in `_meta`, and again in headers, which must agree. A request that has such a `_meta`, or names such a
revision, is of the second era.

Only revision 2025-03-26 has batches, and its clients send no header to be known by. So an array is taken where the
header is missing or names that revision.

Rules of this file: pure.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp_types import (
    CLIENT_CAPABILITIES_META_KEY,
    DEFAULT_NEGOTIATED_VERSION,
    PROTOCOL_VERSION_META_KEY,
    UnsupportedProtocolVersionErrorData,
    jsonrpc,
)
from mcp_types.jsonrpc import JSONRPCError, JSONRPCNotification, JSONRPCRequest
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, KNOWN_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

BATCHING_VERSION = "2025-03-26"
BATCH_MAX = 16

_VERSION_HEADER = "mcp-protocol-version"
_JSON_TYPES = frozenset({"application/json", "application/*", "*/*"})
_IN_BASE64 = re.compile(r"=\?base64\?(.*)\?=")
_HALF_CHARACTER = re.compile(rb"\\u[dD][89a-fA-F]")
_STATUSES = {
    jsonrpc.PARSE_ERROR: 400,
    jsonrpc.INVALID_REQUEST: 400,
    jsonrpc.HEADER_MISMATCH: 400,
    jsonrpc.UNSUPPORTED_PROTOCOL_VERSION: 400,
}
_MODERN_STATUSES = {**_STATUSES, jsonrpc.INVALID_PARAMS: 400, jsonrpc.METHOD_NOT_FOUND: 404}

type Message = JSONRPCRequest | JSONRPCNotification
type RequestId = int | str | None


class ProtocolError(Exception):
    """What is wrong with a message, in JSON-RPC's terms."""

    def __init__(self, code: int, message: str, data: Any = None, *, status: int | None = None) -> None:
        super().__init__(message)
        self._error = {"code": code, "message": message} | ({} if data is None else {"data": data})
        self._status = status
        self._code = code

    def document(self, request_id: RequestId) -> dict[str, Any]:
        """Write it as the answer to a request; None if it is not known to which."""
        error = JSONRPCError.model_validate({"jsonrpc": "2.0", "id": request_id, "error": self._error})
        return error.model_dump(mode="json", exclude_unset=True)

    def status(self, version: str = "") -> int:
        """Say with which HTTP status it goes out; clients of the first era take a 404 for the end of their session."""
        by_code = _MODERN_STATUSES if version in MODERN_PROTOCOL_VERSIONS else _STATUSES
        return self._status or by_code.get(self._code, 200)


@dataclass(frozen=True, slots=True)
class Flawed:
    """What should have been a message, and the id of the request that it should have been, as far as it is known."""

    mistake: ProtocolError
    request_id: RequestId


@dataclass(frozen=True, slots=True)
class Posted:
    """What one POST holds: one message, unless it is a batch."""

    version: str
    messages: tuple[Message | Flawed, ...]
    is_batch: bool = False

    @property
    def is_modern(self) -> bool:
        """Whether it is of the second era, which has no `initialize` and no sessions of its own."""
        return self.version in MODERN_PROTOCOL_VERSIONS


def read_posted(headers: Mapping[str, str], body: bytes) -> Posted:
    """Read what was posted; header names are in lower case.

    Raises:
        ProtocolError: nothing of it can be answered.
    """
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise ProtocolError(jsonrpc.INVALID_REQUEST, "The body's type is to be application/json.", status=415)
    accepted = {kind.partition(";")[0].strip().lower() for kind in headers.get("accept", "*/*").split(",")}
    if accepted.isdisjoint(_JSON_TYPES):
        raise ProtocolError(jsonrpc.INVALID_REQUEST, "Answers are application/json.", status=406)
    document = _read_json(body)
    version = _version(document, headers)
    if isinstance(document, list):
        if version != BATCHING_VERSION or not 0 < len(document) <= BATCH_MAX:
            text = f"Batches are of revision {BATCHING_VERSION} only, and have 1 to {BATCH_MAX} messages."
            raise ProtocolError(jsonrpc.INVALID_REQUEST, text)
        return Posted(version, tuple(_read_message(part, in_batch=True) for part in document), is_batch=True)
    message = _read_message(document)
    if version in MODERN_PROTOCOL_VERSIONS and isinstance(message, JSONRPCRequest):
        try:
            _check_modern(message, headers)
        except ProtocolError as mistake:
            message = Flawed(mistake, message.id)
    return Posted(version, (message,))


def agreed_version(wanted: str) -> str:
    """Choose the revision for a client that begins with `initialize`: its own, or the newest that begins so."""
    return wanted if wanted in HANDSHAKE_PROTOCOL_VERSIONS else HANDSHAKE_PROTOCOL_VERSIONS[-1]


def _read_json(body: bytes) -> Any:
    """Read a body; every text in it can be written as UTF-8 again."""
    try:
        document = json.loads(body.decode())
        if _HALF_CHARACTER.search(body):
            json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise ProtocolError(jsonrpc.PARSE_ERROR, "The body is not JSON in UTF-8.") from None
    return document


def _version(document: Any, headers: Mapping[str, str]) -> str:
    named = headers.get(_VERSION_HEADER)
    if PROTOCOL_VERSION_META_KEY in _meta(document):
        return named if named in MODERN_PROTOCOL_VERSIONS else MODERN_PROTOCOL_VERSIONS[-1]
    if named is None:
        return DEFAULT_NEGOTIATED_VERSION
    if named not in KNOWN_PROTOCOL_VERSIONS:
        raise _unsupported(named)
    return named


def _read_message(document: Any, *, in_batch: bool = False) -> Message | Flawed:
    request_id = document.get("id") if isinstance(document, dict) else None
    known_id = request_id if isinstance(request_id, str) or type(request_id) is int else None
    expected = JSONRPCRequest if isinstance(document, dict) and "id" in document else JSONRPCNotification
    try:
        message: Message = expected.model_validate(document)
    except ValidationError:
        return Flawed(ProtocolError(jsonrpc.INVALID_REQUEST, "This is no request and no notification."), known_id)
    if in_batch and message.method == "initialize":
        return Flawed(ProtocolError(jsonrpc.INVALID_REQUEST, "A batch does not begin anything."), known_id)
    return message


def _check_modern(message: JSONRPCRequest, headers: Mapping[str, str]) -> None:
    """Check that a request says of itself what it has to, and says the same in its headers."""
    params = message.params or {}
    meta = _meta({"params": params})
    if missing := {PROTOCOL_VERSION_META_KEY, CLIENT_CAPABILITIES_META_KEY} - meta.keys():
        raise ProtocolError(jsonrpc.INVALID_PARAMS, f"'params._meta' lacks {', '.join(sorted(missing))}.")
    version = meta[PROTOCOL_VERSION_META_KEY]
    if headers.get(_VERSION_HEADER) != version:
        raise _mismatch("MCP-Protocol-Version")
    if version not in MODERN_PROTOCOL_VERSIONS:
        raise _unsupported(version)
    if headers.get("mcp-method") != message.method:
        raise _mismatch("Mcp-Method")
    if message.method == "tools/call" and _decoded(headers.get("mcp-name")) != params.get("name"):
        raise _mismatch("Mcp-Name")


def _meta(document: Any) -> Mapping[str, Any]:
    params = document.get("params") if isinstance(document, dict) else None
    meta = params.get("_meta") if isinstance(params, dict) else None
    return meta if isinstance(meta, dict) else {}


def _decoded(value: str | None) -> str | None:
    """Read a header that mirrors a text; one that is no plain ASCII comes in base64."""
    found = _IN_BASE64.fullmatch(value or "")
    if found is None:
        return value
    try:
        return base64.b64decode(found[1], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _mismatch(header: str) -> ProtocolError:
    return ProtocolError(jsonrpc.HEADER_MISMATCH, f"The header '{header}' and the message do not say the same.")


def _unsupported(version: str) -> ProtocolError:
    supported = list(reversed(KNOWN_PROTOCOL_VERSIONS))
    data = UnsupportedProtocolVersionErrorData(supported=supported, requested=version).model_dump(mode="json")
    return ProtocolError(jsonrpc.UNSUPPORTED_PROTOCOL_VERSION, "Unsupported protocol version", data)
