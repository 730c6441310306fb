"""The pool's answers in the tenant's own words.

Rules of this file: pure; an answer passes byte for byte unless the pool identifier or the pool's address stands in
its JSON; the pool's own refusals are told again without what only the pool should know.
"""

import json
import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from proxy import addresses, headers
from proxy.messages import GatewayResponse, encode_json, json_response
from proxy.operations import Answer, Dialect, Operation

JSON_CHECKED_BYTES_MAX = 1024 * 1024  # reading a longer answer would hold up all other calls

_INNER_WORDS = (
    "/subscriptions/",
    "sessionpools/",
    "dynamicsessions.io",
    "azurecontainerapps.io",
    "http://",
    "https://",
)
_TELLING = re.compile(r"[0-9a-f]{64}|\beyj[\w-]{10}|\d+\.\d+\.\d+\.\d+", re.IGNORECASE)  # identifiers, tokens, machines
# The end of a link's path that is the pool's own API; what stands before it is the pool's address.
_LINKED = re.compile(r"/(?:executions(?:/[^/]+)?|files|listSessions|\.management/listSessions)/?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolAnswer:
    """What the pool answered, body and all."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The two sides' names for the same things.

    Attributes:
        session_name: the tenant's.
        pool_identifier: the pool's.
        origin: where the tenant reaches the pool: scheme, host and the pool's prefix, without a trailing slash.
        endpoint: the pool management endpoint, without a trailing slash.
        pool_name: the tenant's name for the pool.
    """

    session_name: str
    pool_identifier: str
    origin: str
    endpoint: str
    pool_name: str


# Both spellings have been seen.
_NO_SESSION = (b'"SessionWithIdentifierNotFound"', b'"SessionNotFound"')
# Numbers of any length: a session may compute some that Python would not read.
_JSON = json.JSONDecoder(parse_int=len)


class UnusableAnswer(Exception):  # noqa: N818 -- named after what the caller is left with
    """The pool's answer is not what it answers such calls with; the text, for people, says nothing of what it is."""


def says_no_session(answer: PoolAnswer) -> bool:
    """Say whether the pool says that it holds no such session, and not that it refuses the question."""
    return answer.status in {400, 404} and any(code in answer.body[:4096] for code in _NO_SESSION)


def translate(answer: PoolAnswer, names: Names, operation: Operation) -> GatewayResponse:
    """Turn the pool's answer into the tenant's.

    Raises:
        UnusableAnswer: JSON is due, and this is none; or it is a redirect, or has a status that is none.
    """
    if not 200 <= answer.status <= 599:
        raise UnusableAnswer("no status of an answer")
    if operation.dialect is Dialect.CONTAINER:
        return _translate_container(answer, names)
    chosen = _to_tenant(answer, names)
    if answer.status >= 400:
        return _retell_refusal(answer, chosen, names)
    if answer.status >= 300:
        raise UnusableAnswer("a redirect")
    if operation.name == "sessions.stop":  # a sentence with the pool's own name in it
        stopped = f"Session {names.session_name} in session pool {names.pool_name} stopped."
        return GatewayResponse(status=answer.status, headers=chosen, body=stopped.encode())
    body = answer.body
    if operation.answer is Answer.JSON:
        _require_json(body, chosen.get("Content-Type", ""))
    if operation.answer is not Answer.BYTES:
        body = _translate_text(_translate_next_link(body, names), names)
    return GatewayResponse(status=answer.status, headers=chosen, body=body)


def _to_tenant(answer: PoolAnswer, names: Names) -> dict[str, str]:
    """Choose the headers that go back, in the tenant's words; a link that leads nowhere of Tollgate's is dropped."""
    chosen = headers.to_tenant(answer.headers)
    link = chosen.pop("Operation-Location", None)
    told = {name: _translate_value(value, names) for name, value in chosen.items()}
    location = None if link is None else _translate_link(link, names)
    return told if location is None else {**told, "Operation-Location": location}


def _translate_container(answer: PoolAnswer, names: Names) -> GatewayResponse:
    """Let a container's answer through: its own words, but for the pool's names in what is text."""
    chosen = {name: _translate_value(value, names) for name, value in headers.from_container(answer.headers).items()}
    if "Location" in chosen and chosen["Location"].startswith("/"):
        chosen["Location"] = f"{urlsplit(names.origin).path}{chosen['Location']}"
    if answer.status >= 400 and _is_front_ends(answer.body):
        return _retell_refusal(answer, _to_tenant(answer, names), names)
    content_type = chosen.get("Content-Type", "").lower()
    body = answer.body
    if content_type.startswith("text/") or "json" in content_type or "xml" in content_type:
        body = _translate_text(body, names)
    return GatewayResponse(status=answer.status, headers=chosen, body=body)


def _is_front_ends(body: bytes) -> bool:
    """Say whether an error was told by the pool's front end, in the Azure REST shape with its trace id."""
    try:
        return "traceId" in json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def _require_json(body: bytes, content_type: str) -> None:
    if "json" not in content_type.lower():
        raise UnusableAnswer("not JSON by its content type")
    if len(body) > JSON_CHECKED_BYTES_MAX:
        return
    try:
        _JSON.decode(body.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise UnusableAnswer("not JSON") from None


def _translate_text(body: bytes, names: Names) -> bytes:
    """Replace within text: in links the name is percent-encoded, elsewhere it is escaped as JSON strings are."""
    body, identifier = addresses.replace(body, names.endpoint, names.origin), names.pool_identifier.encode()
    if identifier not in body:
        return body
    body = body.replace(b"identifier=" + identifier, f"identifier={quote(names.session_name, safe='')}".encode())
    return body.replace(identifier, json.dumps(names.session_name)[1:-1].encode())


def _translate_value(value: str, names: Names) -> str:
    """Replace within the value of a header."""
    return _translate_text(value.encode(), names).decode()


def _translate_next_link(body: bytes, names: Names) -> bytes:
    """Lead the link to the next page, which may name the pool in another way than its endpoint, to Tollgate."""
    if len(body) > JSON_CHECKED_BYTES_MAX or b"nextLink" not in body:
        return body
    try:
        document = json.loads(body)
        link = document["nextLink"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return body
    if not isinstance(link, str):
        return body
    return encode_json({**document, "nextLink": _translate_link(link, names)})


def _translate_link(link: str, names: Names) -> str | None:
    """Lead a link of the pool, absolute or relative, to Tollgate; None if it leads to nothing that Tollgate knows."""
    try:
        parts = urlsplit(link)
    except ValueError:
        return None
    found = _LINKED.search(parts.path)
    if found is None:
        return None
    query = addresses.replace(parts.query.encode(), names.endpoint, names.origin).decode()
    query = query.replace(names.pool_identifier, quote(names.session_name, safe=""))
    return f"{names.origin}{found[0]}" + (f"?{query}" if query else "")


def _retell_refusal(answer: PoolAnswer, chosen: dict[str, str], names: Names) -> GatewayResponse:
    """Keep code, target and, where it gives nothing away, message of a refusal; drop trace ids and all else."""
    try:
        error = json.loads(answer.body)["error"]
        code, message, target = str(error["code"]), str(error.get("message", "")), error.get("target")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        code, message, target = f"PoolStatus{answer.status}", "", None
    if not (code.isascii() and code.isalnum()):
        code = f"PoolStatus{answer.status}"
    message = message.replace(names.pool_identifier, names.session_name)
    pool_name = urlsplit(names.endpoint).path.rpartition("/")[2].lower()
    inner = [*_INNER_WORDS, addresses.host_of(names.endpoint), *([pool_name] if pool_name else [])]
    if not message or _TELLING.search(message) or any(word in message.lower() for word in inner):
        message = "The session pool refused the call."
    told = {"code": code, "message": message}
    if isinstance(target, str) and target.isidentifier():
        told["target"] = target
    kept = {name: value for name, value in chosen.items() if name != "Content-Type"}
    return json_response({"error": told}, status=answer.status, headers={**kept, "x-ms-error-code": code})
