"""What an execution said: from what a kernel puts out to streams, a result and an ending.

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
    """A finished execution.

    Attributes:
        result: a JSON value; `""` if there was none.
        exit_code: of a shell's command that came to its end; None for everything else.
    """

    ending: Ending
    stdout: str
    stderr: str
    result: Any
    milliseconds: int
    exit_code: int | None = None


class Stream:
    """A text that keeps its first bytes only, whatever is written to it."""

    def __init__(self, most_bytes: int) -> None:
        self._kept = bytearray()
        self._most_bytes = most_bytes

    def write(self, content: str | bytes) -> None:
        """Append as much of a text as still fits."""
        room = self._most_bytes - len(self._kept)
        if room > 0:
            # A character takes at least one byte, so no more characters than there is room for can matter.
            fitting = content[:room]
            self._kept += (fitting.encode(errors="replace") if isinstance(fitting, str) else fitting)[:room]

    def text(self) -> str:
        """Return what was kept."""
        return self._kept.decode(errors="replace")


class Collector:
    """Takes what an execution puts out as it comes, and makes an outcome of it."""

    def __init__(self, stream_bytes: int) -> None:
        self._streams = {"stdout": Stream(stream_bytes), "stderr": Stream(stream_bytes)}
        self._result: Any = ""
        self._image: dict[str, str] | None = None
        self._raised = False

    def write(self, stream: str, content: str | bytes) -> None:
        """Take a piece of `stdout` or `stderr`."""
        self._streams[stream].write(content)

    def fail(self, error: str) -> None:
        """Take the error that the code ended with."""
        self._raised = True
        self.write("stderr", error)

    def give(self, result: Any) -> None:
        """Take the value that the code ended with, as JSON."""
        self._result = result

    def add(self, kind: str, content: Mapping[str, Any]) -> None:
        """Take one message from a Jupyter kernel's output channel."""
        match kind:
            case "stream":
                self.write(content["name"], content["text"])
            case "error":
                self.fail(_COLOURS.sub("", "\n".join(content["traceback"])))
            case "execute_result" | "display_data":
                self._show(content["data"], is_result=kind == "execute_result")
            case _:
                pass

    def _show(self, data: Mapping[str, Any], *, is_result: bool) -> None:
        if "image/png" in data:
            self._image = {"type": "image", "format": "png", "base64_data": data["image/png"].strip()}
        elif isinstance(data.get("application/json"), dict) and "value" in data["application/json"]:
            self.give(json.loads(data["application/json"]["value"]))
        elif is_result:
            self.give(data.get("text/plain", ""))

    def outcome(self, ending: Ending | None, *, milliseconds: int, exit_code: int | None = None) -> Outcome:
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
            exit_code=exit_code,
        )


def aborted(milliseconds: int = 0) -> Outcome:
    """Return the outcome of an execution whose session ended beneath it."""
    return Collector(0).outcome(Ending.ABORTED, milliseconds=milliseconds)
