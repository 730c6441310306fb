"""The call that every way carries, and HTTP/1.1 messages on a connection.

Rules of this file: pure. A message has a length, chunks, or no body; nothing else is sent here.
"""

import json
import re
from collections.abc import Mapping

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)

PATH = "/code/execute"
CONTENT = {"properties": {"codeInputType": "inline", "executionType": "synchronous", "code": "print('hello')\n6 * 7"}}
BODY = json.dumps(CONTENT).encode()
ANSWER = json.dumps(
    {
        "$id": "1",
        "properties": {
            "$id": "2",
            "status": "Success",
            "stdout": "hello\n",
            "stderr": "",
            "result": 42,
            "executionTimeInMilliseconds": 16,
        },
    }
).encode()


def query(session: str) -> str:
    """Write the query of the call on a session."""
    return f"api-version=2024-02-02-preview&identifier={session}"


def headers(key: str) -> Mapping[str, str]:
    """Return what a client sends with the call, names in lower case."""
    return {
        "host": "127.0.0.1",
        "authorization": f"Bearer {key}",
        "content-type": "application/json",
        "content-length": str(len(BODY)),
    }


def request(session: str, key: str) -> bytes:
    """Write the call as it goes over a connection."""
    lines = [f"POST {PATH}?{query(session)} HTTP/1.1", *(f"{name}: {value}" for name, value in headers(key).items())]
    return "\r\n".join([*lines, "", ""]).encode() + BODY


def response() -> bytes:
    """Write the upstream's answer as it goes over a connection."""
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER) + ANSWER


class Messages:
    """The messages of one direction of a connection, however their bytes come."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; return the heads (first line and headers) of the messages that are complete by now."""
        self._data += data
        heads = []
        while (head_end := self._data.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._data[:head_end])
            until = self._end_of_body(head, head_end + 4)
            if until is None or until > len(self._data):
                break
            del self._data[:until]
            heads.append(head)
        return heads

    def _end_of_body(self, head: bytes, start: int) -> int | None:
        """Find where the message ends; None if that is not known yet."""
        if not _CHUNKED.search(head):
            length = _LENGTH.search(head)
            return start + (int(length[1]) if length else 0)
        size = -1
        while size:
            line_end = self._data.find(b"\r\n", start)
            if line_end < 0:
                return None
            size = int(self._data[start:line_end], 16)
            start = line_end + 2 + size + 2
        return start
