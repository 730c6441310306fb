"""A request as lenient servers read it: every path and every session that it could mean to somebody.

Front ends and frameworks differ in how often they decode, what ends a path, which separators a query has and whether
case matters. No one server reads in all of these ways, and none is known to be the pool's; the point is that nothing
here depends on knowing.

Rules of this file: pure, and nothing of the product's.
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote, unquote_plus

_ODD_IN_PATH = re.compile(r"[%\\;\s\0]|//|/\.|[^!-~]")
_SEPARATORS = re.compile(r"[?&;#]")
_SIGNS = re.compile(r"[\W_]+")


def paths(path: str) -> set[str]:
    """Return what a path may become: decoded not at all, once or twice, and with dot segments removed in several ways.

    The loose way takes backslashes for slashes, lets a zero byte, `?` and `#` end the path and a `;` the segment, and
    overlooks spaces at the ends of segments, as servers on Windows and in Java have done.
    """
    if not _ODD_IN_PATH.search(path):
        return {path}
    found = set()
    for form in decoded(path):
        found.add(without_dot_segments(form))
        ended = re.split(r"[?#\0]", form, maxsplit=1)[0].replace("\\", "/")
        trimmed = (trim(segment) for segment in ended.split("/"))
        found.add(without_dot_segments("/" + "/".join(filter(None, trimmed))))
    return found


def exact_path(target: str) -> str:
    """Return the path of a request as a careful server reads it: decoded once, but for slashes."""
    path = target.partition("?")[0]
    return without_dot_segments("%2F".join(map(unquote, re.split("%2[Ff]", path))) if "%" in path else path)


def decoded(text: str) -> Iterator[str]:
    """Decode not at all, once, twice."""
    yield text
    for _ in range(2):
        if "%" not in text:
            return
        text = unquote(text)
        yield text


def trim(segment: str) -> str:
    """Cut off a segment's parameters, and spaces and controls around it; more than two dots are two."""
    kept = segment.partition(";")[0].strip("".join(map(chr, range(33))) + "\x7f")
    return ".." if len(kept) > 2 and set(kept) <= {".", " "} else kept


def climbs(text: str) -> bool:
    """Say whether some reading of a file's name leads out of its folder."""
    segments = (trim(segment) for form in decoded(text) for segment in re.split(r"[/\\\0]", form))
    return not {".", ".."}.isdisjoint(segments)


def without_dot_segments(path: str) -> str:
    """Remove `.` and `..` (RFC 3986, section 5.2.4)."""
    if "/." not in path:
        return path
    kept: list[str] = []
    for segment in path.split("/")[1:]:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    return "/" + "/".join(kept)


def identifiers(target: str) -> set[str]:
    """Return every session that a request's path and query may name."""
    # What stands before the first separator is the path itself.
    return {value for form in decoded(target) for value in _named(_SEPARATORS.split(form)[1:])}


def _named(parts: list[str]) -> Iterator[str]:
    for part in parts:
        name, equals, value = part.partition("=")
        if equals and is_identifier(name):
            yield from (unquote_plus(form).rstrip("\0 ") for form in decoded(value))


def is_identifier(name: str) -> bool:
    """Say whether somebody could take this for the name of the parameter that names the session."""
    return any(_SIGNS.sub("", form.casefold()) == "identifier" for form in decoded(name))
