"""The session pool at its most talkative: whatever it is asked, it answers with everything that it knows.

What could plausibly come from the service and what stands between: its address and the session's identifier anywhere
in JSON, text, headers and links; lists of everybody's sessions where it is asked for lists; its token and others'
identifiers in the texts of errors; all of that in what a container answers that shows its request's headers. A file's
content and what a container sends that is no text are the tenant's own bytes: they may hold anything, and pass.
"""

import json
from collections.abc import Callable, Collection, Sequence
from random import Random
from typing import Any

import httpx

from tests.isolation.calls import FILE_BYTES
from tests.isolation.echoes import OWN_TOKEN, SECRETS, STRANGERS, Asked, addresses, links
from tests.isolation.forms import Dice

_STATUSES = (*(200,) * 14, 201, 202, 204, 206, 302, 307, 400, 400, 401, 403, 404, 404, 409, 413, 429, 500, 503)
_ODD_STATUSES = (101, 299, 304, 600, 999)
_JSON_TYPES = (
    *("application/json",) * 6,
    "application/json; charset=utf-8",
    "application/problem+json",
    "text/html",
    "",
)
_TEXT_TYPES = (
    "text/html",
    "text/plain; charset=utf-8",
    "Text/HTML",
    "application/json",
    "Application/JSON",
    "text/xml",
)
_RAW_TYPES = ("application/octet-stream", "image/png", "application/x-own")
_MACHINES = ("Server", "Via", "Set-Cookie", "X-Ms-Session-Guid")  # and the machine's own name in them
_HEADERS = (
    "Content-Disposition", "Retry-After", "x-ms-error-code", "Operation-Id", "Last-Modified",
    "X-Ms-Preparation-Time", "Location", "Authorization", "WWW-Authenticate", "x-azure-ref", "x-envoy-upstream",
    "Content-Location", "Link", "RateLimit", "ratelimit-policy", "Tollgate-Charged-Minutes", "x-ms-request-id",
    "X-Own", "Refresh", "Access-Control-Allow-Origin", "Report-To",
)  # fmt: skip
_PIECES = ("x", "é ☃", 'say "hi"', "\\", "\ud800", "</a>", "\x00", "line\nline", "identifier=", "nextLink")

type Headers = list[tuple[str, bytes]]


def reply(asked: Asked, chance: Random, held: Collection[str]) -> httpx.Response:
    """Answer a request; `held`: all sessions that the pool holds, as it calls them.

    Raises:
        httpx.TransportError: no answer at all, now and then.
    """
    dice = Dice(chance, _PIECES)
    if dice.chance(0.02):
        failure = dice.of((httpx.ConnectError, httpx.ReadTimeout, httpx.RemoteProtocolError))
        raise failure(f"{asked.endpoint} {dice.of(SECRETS)}")
    status = dice.of(_ODD_STATUSES) if dice.chance(0.02) else dice.of(_STATUSES)
    if asked.operation == "container.call":
        return _from_container(asked, dice, status)
    if status >= 300:
        return _failed(asked, dice, status)
    headers = _headers(asked, dice, 0.2)
    if asked.operation in FILE_BYTES:
        content = dice.of((b"\x00\xff", _say(asked, dice, STRANGERS).encode(errors="replace")))
        return _response(status, [("Content-Type", dice.of(_RAW_TYPES + _TEXT_TYPES).encode()), *headers], content)
    if asked.operation == "sessions.stop":
        text = f"Session {asked.identifier} in session pool hiddenpython stopped."
        return _response(status, [("Content-Type", b"text/plain"), *headers], text.encode())
    if dice.chance(0.3):
        headers.append(("Operation-Location", dice.of(links(asked)).encode()))
    if dice.chance(0.3):
        headers.append(("X-Ms-New-Allocation", dice.of((b"true", b"false", b"True", b"?"))))
    document = _document(asked, dice, held)
    if dice.chance(0.5):
        document[dice.of(("note", "href", "rawResult"))] = dice.of((_say(asked, dice), [_say(asked, dice)]))
    return _response(status, [("Content-Type", dice.of(_JSON_TYPES).encode()), *headers], _written(dice, document))


def _document(asked: Asked, dice: Dice, held: Collection[str]) -> dict[str, Any]:
    """Say in JSON what goes with the operation."""
    name, link = asked.identifier, dice.of(links(asked))
    session = {
        "etag": "9334cb07",
        "createdAt": "2026-11-23T08:59:00Z",
        "expireAt": dice.of(("2026-11-23T09:05:00Z", "0001-01-01")),
    }
    match asked.operation:
        case "code.execute":
            return {
                "$id": "1",
                "properties": {"status": "Success", "stdout": dice.piece(), "stderr": "", "result": name},
            }
        case "executions.create" | "executions.get":
            result = {"stdout": dice.piece(), "stderr": "", "executionResult": link}
            return {"id": "op-1", "identifier": name, "sessionId": name, "status": "Succeeded", "result": result}
        case "files.list" if dice.chance(0.5):
            return {"value": [{"name": dice.piece(), "properties": {"filename": dice.piece()}}], "nextLink": link}
        case "files.list" | "files.upload":
            known = {"filename": dice.piece(), "size": 1, "lastModifiedTime": "2026-11-23T08:59:00Z"}
            return {"$id": "1", "value": [{"properties": known}]}
        case "sessions.list" | "sessions.views":
            field = "sessions" if asked.operation == "sessions.list" else "value"
            everybody = [{**session, "identifier": identifier, "expiresAt": None} for identifier in (*held, *STRANGERS)]
            return {field: everybody, "nextLink": link} if dice.chance(0.2) else {field: everybody}
        case _:
            return {"identifier": name, **session}


def _failed(asked: Asked, dice: Dice, status: int) -> httpx.Response:
    """Fail as the service does, as its gateway does, or as neither."""
    said = f"The call failed: {_say(asked, dice, SECRETS)}."
    error: dict[str, Any] = {"code": dice.of(("FileNotFound", "X", asked.identifier, asked.endpoint)), "message": said}
    error |= dice.of(
        ({"target": _say(asked, dice)}, {"traceId": "t"}, {}, {"details": [said]}, {"innererror": {"code": said}})
    )
    written = _written(dice, dice.of(({"error": error},) * 4 + ({"error": said}, {"error": None}, {"message": said})))
    content = dice.of((written, written, written, said.encode(errors="replace"), b"", b"no more sessions", b"{"))
    kind = ("Content-Type", dice.of(_JSON_TYPES).encode())
    return _response(status, [kind, *_headers(asked, dice, 0.4, OWN_TOKEN)], content)


def _from_container(asked: Asked, dice: Dice, status: int) -> httpx.Response:
    """Answer as a container that shows what it was sent, or as the front end before it."""
    headers = _headers(asked, dice, 0.4, OWN_TOKEN)
    if status >= 400 and dice.chance(0.3):
        error = {"code": "X", "message": _say(asked, dice, SECRETS), "traceId": "t"}
        return _response(status, [("Content-Type", b"application/json"), *headers], _written(dice, {"error": error}))
    raw = dice.chance(0.2)
    said = f"{_say(asked, dice)} {_say(asked, dice, () if raw else OWN_TOKEN)}"
    document = {"said": said, "nextLink": dice.of(links(asked))}
    content = _written(dice, document) if dice.chance(0.5) else said.encode(errors="replace")
    kind = dice.of(_RAW_TYPES if raw else _TEXT_TYPES)
    return _response(status, [("Content-Type", kind.encode()), *headers], content)


def _say(asked: Asked, dice: Dice, secrets: Sequence[str] = ()) -> str:
    """Say something that should not be told."""
    said = dice.of((addresses(asked.endpoint), links(asked), (asked.identifier, asked.url)))
    if secrets and dice.chance(0.3):
        said = tuple(secrets)
    return f"{dice.piece()} {dice.of(said)} {dice.piece()}"


def _headers(asked: Asked, dice: Dice, probability: float, secrets: Sequence[str] = ()) -> Headers:
    headers: Headers = []
    if dice.chance(0.1):
        headers.append((dice.of(_MACHINES), b"hidden-pod-7"))
    while dice.chance(probability):
        value = dice.of((b"5", b"\xc3\xa9", b"\xff", _say(asked, dice, secrets).encode(errors="replace")))
        headers.append((dice.of(_HEADERS), value.translate(None, b"\r\n\0")))
    return headers


def _response(status: int, headers: Headers, content: bytes) -> httpx.Response:
    raw = [(name.encode(), value) for name, value in headers if value or name != "Content-Type"]
    return httpx.Response(status, headers=raw, stream=httpx.ByteStream(content))


def _written(dice: Dice, document: dict[str, Any]) -> bytes:
    return dice.of(_WRITERS)(json.dumps(document)).encode()


def _as_dotnet(text: str) -> str:
    for character in "&'+<>":
        text = text.replace(character, f"\\u{ord(character):04X}")
    return text


_WRITERS: tuple[Callable[[str], str], ...] = (
    str,
    str,
    _as_dotnet,
    lambda text: text.replace("/", "\\/"),
    lambda text: text.replace("/", "\\u002f"),
    lambda text: json.dumps(json.loads(text), indent=1),
    lambda text: json.dumps(json.loads(text), ensure_ascii=False).encode(errors="replace").decode(),
)
