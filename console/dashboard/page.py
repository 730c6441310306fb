"""Serves the dashboard: a closed table of files, read once, to anybody; the page itself asks for a key.

Rules of this file: a path is looked up, never opened, so none can climb out of the folder. What is served may load and
call nothing but this origin, and nobody may frame it. A browser asks each time whether a file has changed, so that a
deployment is seen at once; that question costs a few bytes.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from proxy.errors import ErrorCode, GatewayError
from proxy.messages import GatewayRequest, GatewayResponse

STATIC = Path(__file__).parent / "static"

_TYPES: Mapping[str, str] = MappingProxyType(
    {
        ".html": "text/html; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
        ".txt": "text/plain; charset=utf-8",
    }
)
_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it goes out."""

    body: bytes
    content_type: str
    etag: str


@cache
def assets() -> Mapping[str, Asset]:
    """Read the files, by their paths below `/dashboard`; the page itself has the empty one."""
    found = {path.relative_to(STATIC).as_posix(): _read(path) for path in STATIC.rglob("*") if path.suffix in _TYPES}
    return MappingProxyType({**found, "": found["index.html"]})


async def serve_dashboard(request: GatewayRequest) -> GatewayResponse:
    """Answer `GET /dashboard` and `GET /dashboard/<file>`; needs no key.

    Raises:
        GatewayError: OPERATION_NOT_FOUND for any other method or path.
    """
    first, *rest = request.path.strip("/").split("/")
    # The first call reads the files, which would hold up all other calls.
    asset = (await asyncio.to_thread(assets)).get("/".join(rest))
    if request.method != "GET" or first != "dashboard" or asset is None:
        raise GatewayError(ErrorCode.OPERATION_NOT_FOUND)
    headers = {**_HEADERS, "ETag": asset.etag}
    known = {part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")}
    if known & {asset.etag, "*"}:
        return GatewayResponse(status=304, headers=headers)
    return GatewayResponse(status=200, headers={"Content-Type": asset.content_type, **headers}, body=asset.body)


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    return Asset(body, _TYPES[path.suffix], f'"{hashlib.sha256(body).hexdigest()[:32]}"')
