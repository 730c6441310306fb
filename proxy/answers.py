"""The pool's answers in the tenant's own words.

Rules of this file: pure; an answer passes byte for byte unless the pool identifier or the pool's address stands in
its JSON; the pool's own refusals are told again without what only the pool should know.
"""

import json
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from proxy import headers
from proxy.messages import GatewayResponse, json_response

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
        origin: where the tenant called, without a trailing slash.
        endpoint: the pool management endpoint, without a trailing slash.
    """

    session_name: str
    pool_identifier: str
    origin: str
    endpoint: str


def translate(answer: PoolAnswer, names: Names) -> GatewayResponse:
    """Turn the pool's answer into the tenant's."""
    chosen = headers.to_tenant(answer.headers)
    if "Operation-Location" in chosen:
        chosen["Operation-Location"] = _translate_link(chosen["Operation-Location"], names)
    if answer.status >= 400:
        return _retell_refusal(answer, chosen, names)
    body = answer.body
    if "json" in chosen.get("Content-Type", "") and _names_anything(body, names):
        body = _translate_json(body, names)
    return GatewayResponse(status=answer.status, headers=chosen, body=body)


def _names_anything(body: bytes, names: Names) -> bool:
    return names.pool_identifier.encode() in body or names.endpoint.encode() in body


def _translate_json(body: bytes, names: Names) -> bytes:
    """Replace within JSON text: in links the name is percent-encoded, elsewhere it is escaped as JSON strings are."""
    identifier = names.pool_identifier
    text = body.decode(errors="surrogateescape")
    text = text.replace(names.endpoint, names.origin)
    text = text.replace(f"identifier={identifier}", f"identifier={quote(names.session_name, safe='')}")
    text = text.replace(identifier, json.dumps(names.session_name)[1:-1])
    return text.encode(errors="surrogateescape")


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
