"""How MCP tools answer: results for programs and for models, refusals, and what a call cost.

A refusal is a tool's result as well, since a model sees results and no HTTP statuses. What a call cost and what is left
stands in `_meta`, as it stands in the headers of any other answer.

Rules of this file: pure. The pool's JSON holds whatever code in a session put there, so what is taken from it is tidied
before it goes into a message: no half characters, no numbers that JSON lacks, no endless nesting. Large nested values
are not passed on at all, since handling one would hold up all other calls.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from mcp_types import CallToolResult, ContentBlock, ImageContent, TextContent
from pydantic import BaseModel

from proxy.messages import GatewayResponse

RESULT_BYTES_MAX = 4 * 1024 * 1024
NESTED_BYTES_MAX = 256 * 1024
_DEPTH_MAX = 32
_DIGITS_MAX = 1000

_FACTS = {
    "Tollgate-Charged-Minutes": "tollgate/charged-minutes",
    "Tollgate-Reversed-Minutes": "tollgate/reversed-minutes",
    "Tollgate-Session-Paid-Until": "tollgate/paid-until",
    "Tollgate-Session": "tollgate/session",
    "Tollgate-Request-Id": "tollgate/request-id",
    "RateLimit": "tollgate/rate-limit",
    "RateLimit-Policy": "tollgate/rate-limit-policy",
}


def result(
    response: GatewayResponse,
    told: BaseModel,
    shown: Sequence[str],
    *,
    failed: bool = False,
    images: Sequence[ImageContent] = (),
) -> CallToolResult:
    """Make a result of what a program is told, and of the texts (empty ones are left out) and images for a model."""
    text = "\n".join(part.rstrip("\n") for part in shown if part.strip("\n"))
    content: list[ContentBlock] = [*images]
    if text or not images:
        content.insert(0, TextContent(text=text or "Done; nothing was printed."))
    return CallToolResult(
        content=content, structured_content=told.model_dump(), is_error=failed, _meta=facts(response.headers)
    )


def trouble(response: GatewayResponse, *, bytes_max: int = RESULT_BYTES_MAX) -> CallToolResult | None:
    """Make the result of a call that was refused, or whose answer is too large to pass on; None if it is neither."""
    if response.status >= 400:
        return _refused(response)
    if len(response.body) <= bytes_max:
        return None
    message = (
        f"The answer has {len(response.body)} bytes; up to {bytes_max} are passed on. "
        "The call ran. Ask for a part of it, or have it written to a file and read that in parts."
    )
    return _error(response, {"code": "AnswerTooLarge", "message": message}, message)


def mistake(message: str) -> CallToolResult:
    """Tell the model what is wrong with its arguments."""
    return CallToolResult(content=[TextContent(text=message)], is_error=True)


def facts(headers: Mapping[str, str]) -> dict[str, Any]:
    """Choose what Tollgate says about a call; minutes as numbers."""
    return {
        key: _number(headers[name]) if name.endswith("-Minutes") else headers[name]
        for name, key in _FACTS.items()
        if name in headers
    }


def read_object(body: bytes) -> dict[str, Any]:
    """Read the pool's JSON, of which nothing is tidied yet; empty if it is no object."""

    def whole(digits: str) -> int | str:
        return int(digits) if len(digits) <= _DIGITS_MAX else digits

    try:
        return inner_object(json.loads(body, parse_constant=str))
    except RecursionError:
        return {}
    except ValueError:  # it may be a number that is too long, and only then is the slow way worth its time
        with contextlib.suppress(ValueError, RecursionError):
            return inner_object(json.loads(body, parse_constant=str, parse_int=whole))
        return {}


def inner_object(value: Any) -> dict[str, Any]:
    """Take a JSON value for an object; empty if it is none."""
    return value if isinstance(value, dict) else {}


def text_of(value: Any) -> str:
    """Take a JSON value for a text, tidied; empty if it is none."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else ""


def integer_of(value: Any) -> int | None:
    """Take a JSON value for a whole number; None if it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def tidied(value: Any, depth: int = 0) -> Any:
    """Make a JSON value one that every reader of JSON takes; what is nested too deep becomes JSON text."""
    match value:
        case str():
            return text_of(value)
        case dict() | list() if depth == _DEPTH_MAX:
            return json.dumps(value)
        case dict():
            return {text_of(key): tidied(part, depth + 1) for key, part in value.items()}
        case list():
            return [tidied(part, depth + 1) for part in value]
        case _:
            return value


def _number(text: str) -> float:
    return int(text) if text.isdecimal() else float(text)


def _refused(response: GatewayResponse) -> CallToolResult:
    error = tidied(inner_object(read_object(response.body).get("error")))
    told = {"code": f"Status{response.status}", "message": "The call was refused.", **error}
    wait = response.headers.get("Retry-After")
    return _error(response, told, f"{told['message']} Try again in {wait} s." if wait else str(told["message"]))


def _error(response: GatewayResponse, told: Mapping[str, Any], message: str) -> CallToolResult:
    return CallToolResult(
        content=[TextContent(text=f"{told['code']}: {message}")],
        is_error=True,
        _meta={**facts(response.headers), "tollgate/error": dict(told)},
    )
