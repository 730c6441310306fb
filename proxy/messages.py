"""A call and its answer, free of any framework."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRequest:
    """One call as it arrived.

    Attributes:
        id: unique for each call; goes back as `Tollgate-Request-Id`.
        method: upper case.
        origin: scheme and host that the caller used, without a trailing slash; links in answers lead there.
        path: as it stood in the URL, percent-encoded, from the first `/`.
        query: the raw query string, without the `?`.
        headers: names in lower case; a name that was repeated holds its values joined with commas.
        body: empty if there was none (or none with a length: the host hands chunked bodies over as empty).
    """

    id: str
    method: str
    path: str
    origin: str = ""
    query: str = ""
    headers: Mapping[str, str] = field(default=_NO_HEADERS)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayResponse:
    """What goes back. Header names are in the spelling that goes on the wire, each at most once."""

    status: int
    headers: Mapping[str, str] = field(default=_NO_HEADERS)
    body: bytes = b""


def encode_json(value: Any, *, separators: tuple[str, str] | None = None) -> bytes:
    """Write JSON as UTF-8; half a surrogate pair, which UTF-8 cannot hold, as the escape that it came as."""
    return json.dumps(value, ensure_ascii=False, separators=separators).encode(errors="backslashreplace")


def json_response(value: Any, *, status: int = 200, headers: Mapping[str, str] = _NO_HEADERS) -> GatewayResponse:
    """Make a response of a JSON value."""
    body = encode_json(value, separators=(",", ":"))
    return GatewayResponse(status=status, headers={"Content-Type": "application/json", **headers}, body=body)
