"""What a body may say to somebody: every session that it could name, and every name of a file.

Rules of this file: pure, and nothing of the product's.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.isolation.readings import identifiers

_NAMES = frozenset({"identifier", "sessionid"})
_WORTH_READING = re.compile(rb"identifier|sessionid|\\u|%|\0", re.IGNORECASE)
_CHARSET = re.compile(r"charset=\"?([\w-]+)", re.IGNORECASE)
_BOUNDARY = re.compile(r"boundary=(?:\"([^\"]+)\"|([^;\s]+))", re.IGNORECASE)
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_FIELD = re.compile(rb"[;\s]name=\"?([^\";\r\n]*)", re.IGNORECASE)
_FILENAME = re.compile(rb"filename\*?=(?:\"((?:[^\"\\]|\\.)*)\"|([^;\s]*))", re.IGNORECASE)


def identifiers_in(content_type: str, body: bytes) -> set[str]:
    """Return every session that a body may name: as JSON in any encoding, as a form, as a multipart form."""
    kind = content_type.lower()
    found: set[str] = set()
    if body and _WORTH_READING.search(body):
        for text in _texts(kind, body):
            found |= _in_json(text)
            if "urlencoded" in kind:
                found |= identifiers("?" + text)
    if "multipart" in kind or body.startswith(b"--"):
        found |= {content for name, content in _fields(content_type, body) if name in _NAMES}
    return found


def _texts(content_type: str, body: bytes) -> Iterator[str]:
    charsets = {"utf-8-sig", json.detect_encoding(body), *_CHARSET.findall(content_type)}
    for charset in charsets:
        try:
            yield body.decode(charset)
        except (UnicodeError, LookupError):
            continue


def _in_json(text: str) -> set[str]:
    """Collect the names at any depth, in any spelling, of all that stand twice."""
    found: set[str] = set()

    def collect(pairs: list[tuple[str, Any]]) -> None:
        found.update(value for name, value in pairs if isinstance(value, str) and name.casefold() in _NAMES)

    try:
        json.loads(text, object_pairs_hook=collect, strict=False, parse_int=len)
    except (ValueError, RecursionError):
        return set()
    return found


def _parts(content_type: str, body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Cut a form up at each boundary that somebody could take for its own."""
    boundaries = {quoted or plain for quoted, plain in _BOUNDARY.findall(content_type)}
    boundaries |= {boundary.strip() for boundary in boundaries}
    if body.startswith(b"--"):
        boundaries.add(re.split(rb"\r?\n", body[2:256], maxsplit=1)[0].decode("latin-1"))
    for boundary in filter(None, boundaries):
        for part in body.split(b"--" + boundary.encode(errors="replace")):
            head, _, content = _split(part)
            yield head, content


def _split(part: bytes) -> tuple[bytes, bytes, bytes]:
    found = _HEAD_END.search(part)
    return (part, b"", b"") if found is None else (part[: found.start()], found[0], part[found.end() :])


def _fields(content_type: str, body: bytes) -> Iterator[tuple[str, str]]:
    for head, content in _parts(content_type, body):
        for name in _FIELD.findall(head):
            yield name.decode(errors="replace").strip().casefold(), content.strip().decode(errors="replace")


def filenames_in(content_type: str, body: bytes) -> set[str]:
    """Return every name of a file that a form may hold."""
    heads = (head for head, _ in _parts(content_type, body))
    found = {quoted or plain for head in heads for quoted, plain in _FILENAME.findall(head)}
    return {name.decode(errors="replace").removeprefix("utf-8''") for name in found}
