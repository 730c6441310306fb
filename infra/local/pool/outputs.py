"""What an execution said: from a kernel's messages to streams, a result and an ending.

Pure. Streams are cut silently to a number of bytes, as the service does; a character cut in half is replaced.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

TIMED_OUT_TEXT = "Request timed out waiting for code execution to complete"
ABORTED_TEXT = "Execution aborted"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Ending(Enum):
    """How an execution ended."""

    SUCCEEDED = auto()
    RAISED = auto()
    TIMED_OUT = auto()
    ABORTED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A finished execution; `result` is a JSON value, and `""` if there was none."""

    ending: Ending
    stdout: str
    stderr: str
    result: Any
    milliseconds: int


class Stream:
    """A text that keeps its first bytes only, whatever is written to it."""

    def __init__(self, most_bytes: int) -> None:
        self._kept = bytearray()
        self._most_bytes = most_bytes

    def write(self, text: str) -> None:
        """Append as much of a text as still fits."""
        room = self._most_bytes - len(self._kept)
        # A character takes at least one byte, so no more characters than there is room for can matter.
        self._kept += text[:room].encode(errors="replace")[:room] if room > 0 else b""

    def text(self) -> str:
        """Return what was kept."""
        return self._kept.decode(errors="replace")


class Collector:
    """Takes an execution's messages as they come and makes an outcome of them."""

    def __init__(self, stream_bytes: int) -> None:
        self._streams = {"stdout": Stream(stream_bytes), "stderr": Stream(stream_bytes)}
        self._result: Any = ""
        self._image: dict[str, str] | None = None
        self._raised = False

    def add(self, kind: str, content: Mapping[str, Any]) -> None:
        """Take one message from the kernel's output channel."""
        match kind:
            case "stream":
                self._streams[content["name"]].write(content["text"])
            case "error":
                self._raised = True
                self._streams["stderr"].write(_COLOURS.sub("", "\n".join(content["traceback"])))
            case "execute_result" | "display_data":
                self._show(content["data"], is_result=kind == "execute_result")
            case _:
                pass

    def _show(self, data: Mapping[str, Any], *, is_result: bool) -> None:
        if "image/png" in data:
            self._image = {"type": "image", "format": "png", "base64_data": data["image/png"].strip()}
        elif isinstance(data.get("application/json"), dict) and "value" in data["application/json"]:
            self._result = json.loads(data["application/json"]["value"])
        elif is_result:
            self._result = data.get("text/plain", "")

    def outcome(self, ending: Ending | None, *, milliseconds: int) -> Outcome:
        """Return the outcome so far; without an ending, the messages tell it.

        A plot is worth more than the value of the line that drew it, which is a handle on the drawing.
        """
        ending = ending or (Ending.RAISED if self._raised else Ending.SUCCEEDED)
        texts = {Ending.TIMED_OUT: TIMED_OUT_TEXT, Ending.ABORTED: ABORTED_TEXT}
        return Outcome(
            ending=ending,
            stdout=self._streams["stdout"].text(),
            stderr=texts.get(ending) or self._streams["stderr"].text(),
            result=(self._image or self._result) if ending is Ending.SUCCEEDED else "",
            milliseconds=milliseconds,
        )


def aborted(milliseconds: int = 0) -> Outcome:
    """Return the outcome of an execution whose session ended beneath it."""
    return Collector(0).outcome(Ending.ABORTED, milliseconds=milliseconds)
