"""Paths of files in a session, in every form in which clients write them.

`x`, `sub/x`, `/mnt/data/sub/x`, percent-encoded or not, with doubled slashes or `%2F`: all name a file below
`/mnt/data`. The flat dialect's routes take a bare name, and its folder in the query parameter `path` (REST
specification 2025-10-02-preview, `SessionResourceFiles`), so a longer path is told apart here.

Rules of this file: pure; a path that climbs, or holds what cannot be printed, is refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, unquote, unquote_to_bytes

from proxy.errors import ErrorCode, GatewayError

_MOUNT = ("mnt", "data")
_SEGMENT_END = re.compile(r"[;?#]")  # where parameters of a segment start, a query, a fragment


@dataclass(frozen=True, slots=True)
class FilePath:
    """A file below `/mnt/data`: its folder, relative and empty at the top, and its name; both decoded."""

    folder: str
    name: str

    @property
    def encoded_name(self) -> str:
        """The name as one segment of a path."""
        return quote(self.name, safe="")


def read_file_path(encoded: str) -> FilePath:
    """Read the percent-encoded path of a file.

    Raises:
        GatewayError: `SessionRequestValidationFailed` if it names no file, or is not UTF-8.
    """
    try:
        decoded = unquote_to_bytes(encoded).decode()
    except UnicodeDecodeError:
        raise GatewayError(ErrorCode.VALIDATION_FAILED, "The path is not UTF-8.", target="path") from None
    parts = [part for part in decoded.split("/") if part]
    if tuple(parts[:2]) == _MOUNT:
        parts = parts[2:]
    if not parts:
        raise GatewayError(ErrorCode.VALIDATION_FAILED, "The path names no file.", target="path")
    return FilePath("/".join(parts[:-1]), parts[-1])


def forms(text: str) -> Iterator[str]:
    """Decode a text not at all, once and twice: front ends and frameworks differ in how often they do."""
    yield text
    for _ in range(2):
        if "%" not in text:
            return
        text = unquote(text)
        yield text


def segments(form: str) -> list[str]:
    """Split a path as the most lenient servers do: at backslashes too, each segment without parameters and spaces."""
    return [_SEGMENT_END.split(part, maxsplit=1)[0].strip() for part in form.replace("\\", "/").split("/")]


def refuse_climbing(text: str, target: str) -> None:
    """Refuse `.` and `..` segments, encoded or not: on the pool's host, other pools and operations stand beside this.

    Raises:
        GatewayError: `SessionRequestValidationFailed`; for characters that cannot be printed, too.
    """
    for form in forms(text):
        if not form.isprintable():
            raise GatewayError(
                ErrorCode.VALIDATION_FAILED, f"'{target}' holds characters that cannot be printed.", target=target
            )
        if "." in form and any(part and not part.strip(". ") for part in segments(form)):
            raise GatewayError(
                ErrorCode.VALIDATION_FAILED, f"'{target}' must not hold '.' or '..' segments.", target=target
            )
