"""The `python/` paths of the first months of the API, told in the envelope dialect, which the pool serves.

LlamaIndex for TypeScript, Semantic Kernel for .NET before 1.49 and for Python up to 1.1.2 still call them; whether the
pool answers them is not known, so it is never asked. They name the code `pythonCode`, expect what it came to without
the envelope, and files in `$values` (Semantic Kernel's tests of 2024-06; packages read 2026-11).

Rules of this file: pure; one function a direction. A client of these paths shows no error body to anybody, and some do
not look at the status: so an error of `python/execute` carries its message where a result would be.
"""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from proxy.answers import UnusableAnswer
from proxy.errors import ErrorCode, GatewayError
from proxy.messages import GatewayResponse, encode_json

EXECUTE = "python.execute"
_ROUTES = {
    EXECUTE: ("POST", "/code/execute"),
    "python.upload": ("POST", "/files/upload"),
    "python.list": ("GET", "/files"),
    "python.download": ("GET", "/files/content/"),
}
_VERSION = "2024-02-02-preview"  # the api-version that the envelope came with


def envelope_path(operation_name: str, filename: str | None) -> str:
    """Return the path that the pool serves for one of these operations.

    Raises:
        GatewayError: `SessionRequestValidationFailed` if a download names no file.
    """
    path = _ROUTES[operation_name][1]
    if operation_name != "python.download":
        return path
    name = (filename or "").removeprefix("/mnt/data/")
    if not name.strip("/"):
        raise GatewayError(ErrorCode.VALIDATION_FAILED, "The parameter 'filename' names no file.", target="filename")
    return path + quote(name)


def envelope_query(identifier: str) -> str:
    """Return the query that goes with it."""
    return f"identifier={identifier}&api-version={_VERSION}"


def envelope_body(body: bytes) -> bytes:
    """Name the code as the envelope does; what is no such body goes on as it is, to be refused like any other."""
    try:
        document = json.loads(body)
        fields = document["properties"]
        if isinstance(fields["pythonCode"], str) and "code" not in fields:
            fields["code"] = fields.pop("pythonCode")
            return json.dumps(document).encode()
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return body


def early_answer(operation_name: str, response: GatewayResponse) -> GatewayResponse:
    """Take the envelope off an answer that went well.

    Raises:
        UnusableAnswer: there is no envelope.
    """
    if response.status >= 300 or operation_name == "python.download":
        return response
    try:
        document = json.loads(response.body)
        told = _early_execution(document) if operation_name == EXECUTE else _early_files(document)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise UnusableAnswer("no envelope") from None
    return replace(response, body=encode_json(told))


def _early_execution(document: dict[str, Any]) -> dict[str, Any]:
    told = {"$id": "1", **{key: value for key, value in document["properties"].items() if key != "$id"}}
    # A null is an error to these clients, and to none of them worth telling from an empty text.
    return told | {key: "" for key in ("result", "stdout", "stderr") if told.get(key) is None}


def _early_files(document: dict[str, Any]) -> dict[str, Any]:
    return {"$id": "1", "$values": [_early_file(n, entry) for n, entry in enumerate(document["value"], start=2)]}


def _early_file(number: int, entry: dict[str, Any]) -> dict[str, Any]:
    known = entry["properties"]
    return {
        "$id": str(number),
        "filename": known["filename"],
        "size": known["size"],
        "last_modified_time": known["lastModifiedTime"],
    }


def is_execute(path: str) -> bool:
    """Say whether a call's path, of whichever pool, is `python/execute`."""
    return [part for part in path.split("/") if part][-2:] == ["python", "execute"]


def visible_error(response: GatewayResponse) -> GatewayResponse:
    """Put an error's message also where clients of `python/execute` look for a result."""
    if response.status < 400:
        return response
    try:
        document = json.loads(response.body)
        message = document["error"]["message"]
        shown = {**document, "result": message, "stdout": "", "stderr": message}
    except (ValueError, KeyError, TypeError, RecursionError):  # of a container that has such a path, too
        return response
    return replace(response, body=encode_json(shown))
