"""How the command line reaches Tollgate: here over HTTP; `direct` is the other way.

Rules of this file: every way answers the calls of the operator API with the API's JSON, so every command is written
once.
"""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

import httpx

CALL_SECONDS = 235  # the platform ends every call before that

DONE, REFUSED, WRONG_USAGE, NOT_REACHABLE = 0, 1, 2, 3

_OUT_OF_REACH = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
_NEXT_LINK = re.compile(r'<([^<>]*)>\s*;\s*rel="?next"?', re.ASCII)

type Json = dict[str, Any]


class CommandError(Exception):
    """A command cannot be done; the text is one line for the user.

    Attributes:
        exit_status: of the process.
        code: Tollgate's error code, if it was Tollgate that refused.
    """

    def __init__(self, message: str, *, exit_status: int, code: str | None = None) -> None:
        super().__init__(message)
        self.exit_status = exit_status
        self.code = code


@dataclass(frozen=True, slots=True)
class Document:
    """A page of CSV as the API wrote it; `next` is path and query of the page after it, None if there is none."""

    content: bytes
    next: str | None


class Backend(Protocol):
    """Answers calls of the operator API."""

    async def call(self, method: str, path: str, *, query: str = "", body: Json | None = None) -> Json:
        """Answer one call. Raises CommandError for every refusal."""
        ...

    async def document(self, path: str, *, query: str = "") -> Document:
        """Read a page of what the query asks for as CSV. Raises CommandError for every refusal."""
        ...


@dataclass(frozen=True, slots=True)
class HttpBackend:
    """Calls the operator API of a Tollgate elsewhere."""

    client: httpx.AsyncClient

    async def call(self, method: str, path: str, *, query: str = "", body: Json | None = None) -> Json:
        """See `Backend.call`."""
        answer = await self._ask(method, path, query, body)
        return read_answer(answer.status_code, answer.content, self._where)

    async def document(self, path: str, *, query: str = "") -> Document:
        """See `Backend.document`."""
        answer = await self._ask("GET", path, query)
        return read_document(answer.status_code, answer.headers, answer.content, self._where)

    async def _ask(self, method: str, path: str, query: str, body: Json | None = None) -> httpx.Response:
        try:
            return await self.client.request(method, f"{path}?{query}" if query else path, json=body)
        except httpx.TimeoutException:
            raise CommandError(f"{self._where} gave no answer in time", exit_status=NOT_REACHABLE) from None
        except httpx.TransportError as error:
            raise CommandError(f"{self._where} cannot be reached: {error}", exit_status=NOT_REACHABLE) from None

    @property
    def _where(self) -> str:
        return str(self.client.base_url).rstrip("/")


@asynccontextmanager
async def over_http(
    url: str, key: str, *, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[HttpBackend]:
    """Open the way over HTTP; nothing is sent yet.

    Raises:
        CommandError: if the URL or the key can be neither.
    """
    if not (key.isascii() and key.isprintable()):
        raise CommandError("the API key holds characters that no key has", exit_status=WRONG_USAGE)
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise CommandError(
            "the URL of Tollgate starts with http:// or https:// and names a host", exit_status=WRONG_USAGE
        )
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=parsed, headers=headers, timeout=CALL_SECONDS, transport=transport) as client:
        yield HttpBackend(client)


def read_answer(status: int, content: bytes, where: str) -> Json:
    """Read what the operator API answered. Raises CommandError for every refusal."""
    try:
        value = json.loads(content)
    except ValueError:
        value = None
    if isinstance(value, dict) and status < HTTPStatus.MULTIPLE_CHOICES:
        return value
    error = value.get("error") if isinstance(value, dict) else None
    if not isinstance(error, Mapping) or "code" not in error:
        raise CommandError(f"{where} does not answer as Tollgate does (HTTP {status})", exit_status=NOT_REACHABLE)
    raise CommandError(
        f"{error.get('message', 'refused')} ({error['code']})",
        exit_status=NOT_REACHABLE if status in _OUT_OF_REACH else REFUSED,
        code=str(error["code"]),
    )


def read_document(status: int, headers: Mapping[str, str], content: bytes, where: str) -> Document:
    """Read a page of CSV, from headers whose names are in lower case. Raises CommandError for every refusal."""
    if status >= HTTPStatus.MULTIPLE_CHOICES or not headers.get("content-type", "").startswith("text/csv"):
        read_answer(status, content, where)
        raise CommandError(f"{where} does not answer as Tollgate does: this is no CSV", exit_status=NOT_REACHABLE)
    found = _NEXT_LINK.search(headers.get("link", ""))
    return Document(content, None if found is None else found[1])
