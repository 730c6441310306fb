"""The pool's answers in the tenant's own words.

Rules of this file: pure; an answer passes byte for byte unless the pool identifier or the pool's address stands in
its JSON; the pool's own refusals are told again without what only the pool should know.
"""

import json
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from proxy import headers
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


class UnusableAnswer(Exception):  # noqa: N818 -- named after what the caller is left with
    """The pool's answer is not what it answers such calls with; the text, for people, says nothing of what it is."""


def translate(answer: PoolAnswer, names: Names, operation: Operation) -> GatewayResponse:
    """Turn the pool's answer into the tenant's.

    Raises:
        UnusableAnswer: JSON is due, and this is none.
    """
    if operation.dialect is Dialect.CONTAINER:
        return _translate_container(answer, names)
    chosen = headers.to_tenant(answer.headers)
    if "Operation-Location" in chosen:
        chosen["Operation-Location"] = _translate_link(chosen["Operation-Location"], names)
    if answer.status >= 400:
        return _retell_refusal(answer, chosen, names)
    if operation.name == "sessions.stop":  # a sentence with the pool's own name in it
        stopped = f"Session {names.session_name} in session pool {names.pool_name} stopped."
        return GatewayResponse(status=answer.status, headers=chosen, body=stopped.encode())
    body = answer.body
    if operation.answer is Answer.JSON:
        _require_json(body, chosen.get("Content-Type", ""))
    if operation.answer is not Answer.BYTES:
        body = _translate_text(body, names)
    return GatewayResponse(status=answer.status, headers=chosen, body=body)


def _translate_container(answer: PoolAnswer, names: Names) -> GatewayResponse:
    """Let a container's answer through: its own words, but for the pool's names in what is text."""
    chosen = {name: _translate_value(value, names) for name, value in headers.from_container(answer.headers).items()}
    if "Location" in chosen and chosen["Location"].startswith("/"):
        chosen["Location"] = f"{urlsplit(names.origin).path}{chosen['Location']}"
    if answer.status >= 400 and _is_front_ends(answer.body):
        return _retell_refusal(answer, headers.to_tenant(answer.headers), names)
    content_type = chosen.get("Content-Type", "")
    body = answer.body
    if content_type.startswith("text/") or "json" in content_type or "xml" in content_type:
        body = _translate_text(body, names)
        body = body.replace(urlsplit(names.endpoint).netloc.encode(), urlsplit(names.origin).netloc.encode())
    return GatewayResponse(status=answer.status, headers=chosen, body=body)


def _is_front_ends(body: bytes) -> bool:
    """Say whether an error was told by the pool's front end, in the Azure REST shape with its trace id."""
    try:
        return "traceId" in json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return False


def _require_json(body: bytes, content_type: str) -> None:
    if "json" not in content_type:
        raise UnusableAnswer("not JSON by its content type")
    if len(body) > JSON_CHECKED_BYTES_MAX:
        return
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        raise UnusableAnswer("not JSON") from None


def _translate_text(body: bytes, names: Names) -> bytes:
    """Replace within text: in links the name is percent-encoded, elsewhere it is escaped as JSON strings are."""
    if b"nextLink" in body:
        body = _translate_next_link(body, names)
    if names.pool_identifier.encode() not in body and names.endpoint.encode() not in body:
        return body
    return _translate_value(body.decode(errors="surrogateescape"), names).encode(errors="surrogateescape")


def _translate_value(text: str, names: Names) -> str:
    identifier = names.pool_identifier
    text = text.replace(names.endpoint, names.origin)
    text = text.replace(f"identifier={identifier}", f"identifier={quote(names.session_name, safe='')}")
    return text.replace(identifier, json.dumps(names.session_name)[1:-1])


def _translate_next_link(body: bytes, names: Names) -> bytes:
    """Lead the link to the next page, which may name the pool in another way than its endpoint, to Tollgate."""
    try:
        document = json.loads(body)
        link = document["nextLink"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return body
    if not isinstance(link, str):
        return body
    return encode_json({**document, "nextLink": _translate_link(link, names)})


def _translate_link(link: str, names: Names) -> str:
    """Lead a link of the pool, absolute or relative, to Tollgate."""
    parts = urlsplit(link)
    path = parts.path.removeprefix(urlsplit(names.endpoint).path)
    query = parts.query.replace(
        f"identifier={names.pool_identifier}", f"identifier={quote(names.session_name, safe='')}"
    )
    return f"{names.origin}/{path.lstrip('/')}" + (f"?{query}" if query else "")


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
    pool_name = urlsplit(names.endpoint).path.rsplit("/", 1)[-1] or urlsplit(names.endpoint).netloc
    if not message or any(word in message.lower() for word in (*_INNER_WORDS, pool_name.lower())):
        message = "The session pool refused the call."
    told = {"code": code, "message": message}
    if isinstance(target, str) and target.isidentifier():
        told["target"] = target
    kept = {name: value for name, value in chosen.items() if name != "Content-Type"}
    return json_response({"error": told}, status=answer.status, headers={**kept, "x-ms-error-code": code})
