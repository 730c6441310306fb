"""Uploads: from the bytes of a multipart body to files on disk, without ever holding one in memory.

The parser takes the body in pieces as they arrive. It follows RFC 7578 as a strict server does: the boundary comes
from the Content-Type header, and file names are taken verbatim, percent signs and folders included.
"""

import re
import tempfile
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.parse import unquote

from infra.local.pool.errors import PoolError, Problem

_MOST_HEADER_BYTES = 16 * 1024
_PARAMETER = re.compile(r';\s*([\w\-]+\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))')
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file part: the name that the caller gave it, and where its bytes are until someone moves them."""

    filename: str
    stored: Path


class UploadParser:
    """Collects the parts called `file` of one multipart body.

    Every mistake in the body is a `PoolError`. The owner calls `discard` at the end, whatever happened: it removes
    the files that have not been moved away.
    """

    def __init__(self, content_type: str, *, folder: Path, most_bytes: int) -> None:
        header = Message()
        header["Content-Type"] = content_type
        boundary = header.get_boundary("")
        if header.get_content_type() != "multipart/form-data" or not boundary:
            raise _malformed("The body must be multipart/form-data, with its boundary in the Content-Type header.")
        self._delimiter = b"\r\n--" + boundary.encode("latin-1", errors="replace")
        self._folder = folder
        self._most_bytes = most_bytes
        self._buffer = bytearray(b"\r\n")  # so that the first boundary looks like the others
        self._in_headers = False
        self._ended = False
        self._room = 0
        self._sink: IO[bytes] | None = None
        self._uploads: list[Upload] = []

    def feed(self, piece: bytes) -> None:
        """Take the next bytes of the body; what follows the last boundary is ignored."""
        self._buffer += piece
        while self._step():
            pass

    def finish(self) -> list[Upload]:
        """Return the files, after the last byte has been fed."""
        if not self._ended:
            raise _malformed("The multipart body ends before its last boundary.")
        if not self._uploads:
            raise _malformed("The multipart body has no field 'file' with a file name.")
        return self._uploads

    def discard(self) -> None:
        """Remove what is still stored."""
        self._close_part()
        for upload in self._uploads:
            upload.stored.unlink(missing_ok=True)

    def _step(self) -> bool:
        """Take the next thing in the buffer; say whether it is worth another look."""
        if self._ended:
            self._buffer.clear()
            return False
        return self._read_headers() if self._in_headers else self._read_content()

    def _read_content(self) -> bool:
        end = self._buffer.find(self._delimiter)
        if end < 0:
            # The last bytes may be the beginning of a boundary of which the rest is still to come.
            self._write(max(0, len(self._buffer) - len(self._delimiter) + 1))
            return False
        self._write(end)
        mark = bytes(self._buffer[len(self._delimiter) : len(self._delimiter) + 2])
        if len(mark) < len(b"--"):
            return False
        if mark not in (b"--", b"\r\n"):
            raise _malformed("The multipart body has a broken boundary.")
        self._close_part()
        # The line break stays: a part without headers is one line break and then another.
        del self._buffer[: len(self._delimiter)]
        self._ended = mark == b"--"
        self._in_headers = not self._ended
        return True

    def _write(self, count: int) -> None:
        if self._sink is not None:
            self._room -= count
            if self._room < 0:
                raise PoolError(Problem.TOO_LARGE, f"A file may have {self._most_bytes} bytes at most.", target="file")
            self._sink.write(self._buffer[:count])
        del self._buffer[:count]

    def _read_headers(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MOST_HEADER_BYTES:
                raise _malformed("The headers of a part are too long.")
            return False
        self._begin_part(self._buffer[:end].decode(errors="replace"))
        del self._buffer[: end + 4]
        self._in_headers = False
        return True

    def _begin_part(self, headers: str) -> None:
        field, filename = _disposition(headers)
        if field != "file" or not filename:
            return
        self._room = self._most_bytes
        self._sink = tempfile.NamedTemporaryFile(dir=self._folder, delete=False)  # noqa: SIM115 -- outlives this call
        self._uploads.append(Upload(filename, Path(self._sink.name)))

    def _close_part(self) -> None:
        if self._sink is not None:
            self._sink.close()
            self._sink = None


def _disposition(headers: str) -> tuple[str | None, str | None]:
    """Return the field's name and the file's; the extended form of a file name (RFC 8187) wins over the plain one."""
    for line in headers.split("\r\n"):
        header, _, value = line.partition(":")
        if header.strip().lower() == "content-disposition":
            found = {
                name.lower(): _ESCAPED.sub(r"\1", quoted) if quoted else token
                for name, quoted, token in _PARAMETER.findall(value)
            }
            extended = found.get("filename*", "").rpartition("'")[2]
            return found.get("name"), unquote(extended) or found.get("filename")
    return None, None


def _malformed(message: str) -> PoolError:
    return PoolError(Problem.VALIDATION, message, target="file")
