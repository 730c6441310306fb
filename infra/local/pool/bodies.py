"""Bodies of execution requests: from JSON, in either dialect, to code with its limits.

Pure. A body of the other dialect's shape is `PROPERTIES_MISSING`; a field with a value that cannot be is `VALIDATION`.
Only the code is required: the service fills in the rest, although its OpenAPI files say otherwise.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from infra.local.pool.errors import PoolError, Problem
from infra.local.pool.executions import ExecutionRequest
from infra.local.pool.versions import ApiVersion

_DEFAULT_STREAM_BYTES = 4096
_INPUT_TYPES = ("inline", "inlinebase64", "inlinetext")
_EXECUTION_TYPES = ("synchronous", "asynchronous")


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyShape:
    """Where a dialect has the fields of a request.

    Attributes:
        wrapped: in `properties`, or else at the top.
        code_field: how it calls the code.
        streams_adjustable: whether callers may choose, in the newest version, where streams are cut.
    """

    wrapped: bool
    code_field: str = "code"
    streams_adjustable: bool = True


def read_execution(body: bytes, shape: BodyShape, *, version: ApiVersion, longest_seconds: float) -> ExecutionRequest:
    """Read a request to run code.

    Args:
        body: the bytes of the request.
        shape: the dialect of its path.
        version: the api-version of the call; `outputStreamsMaxLength` exists from 2025-10-02-preview on.
        longest_seconds: the pool's limit, which is also the default of `timeoutInSeconds`.

    Raises:
        PoolError: `PROPERTIES_MISSING` or `VALIDATION`.
    """
    fields = _fields(body, shape)
    code = fields.get(shape.code_field)
    if not isinstance(code, str) or not _is_text(code):
        raise PoolError(Problem.PROPERTIES_MISSING, f"'{shape.code_field}' is required but was not provided.")
    input_type = _choice(fields, "codeInputType", _INPUT_TYPES)
    execution_type = _choice(fields, "executionType", _EXECUTION_TYPES)
    if shape.wrapped and execution_type == "asynchronous":
        message = "Asynchronous execution is not supported by this endpoint: use 'executions'."
        raise PoolError(Problem.NOT_SUPPORTED, message, target="executionType")
    stream_bytes = _DEFAULT_STREAM_BYTES
    if shape.streams_adjustable and version >= ApiVersion.OCTOBER_2025:
        stream_bytes = _count(fields, "outputStreamsMaxLength") or stream_bytes
    return ExecutionRequest(
        code=_decoded(code, shape) if input_type == "inlinebase64" else code,
        asynchronous=execution_type == "asynchronous",
        seconds=min(_count(fields, "timeoutInSeconds") or longest_seconds, longest_seconds),
        stream_bytes=stream_bytes,
    )


def _fields(body: bytes, shape: BodyShape) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as failure:
        raise PoolError(Problem.VALIDATION, "The body is not valid JSON.", target="body") from failure
    fields = document.get("properties") if shape.wrapped and isinstance(document, dict) else document
    if not isinstance(fields, dict):
        expected = "an object 'properties'" if shape.wrapped else "a JSON object"
        raise PoolError(Problem.PROPERTIES_MISSING, f"The body must be {expected} with '{shape.code_field}'.")
    return fields


def _choice(fields: dict[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    """Return an enumerated value in lower case, since the service takes any; the first is the default."""
    value = fields.get(name)
    if value is None:
        return allowed[0]
    if not isinstance(value, str) or value.lower() not in allowed:
        raise PoolError(Problem.VALIDATION, f"'{name}' has an unknown value.", target=name)
    return value.lower()


def _count(fields: dict[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
        raise PoolError(Problem.VALIDATION, f"'{name}' must be a whole number, at least 1.", target=name)
    return value


def _is_text(code: str) -> bool:
    """Say whether this can be written as UTF-8: half a surrogate pair cannot, and JSON may hold one."""
    return not any("\ud800" <= character <= "\udfff" for character in code)


def _decoded(code: str, shape: BodyShape) -> str:
    try:
        return base64.b64decode(code, validate=True).decode()
    except (binascii.Error, ValueError) as failure:
        message = f"'{shape.code_field}' is not UTF-8 text in base64."
        raise PoolError(Problem.VALIDATION, message, target=shape.code_field) from failure
