"""The pool's address in texts, in whatever form it is told there, and Tollgate's in its place.

Front ends write it with another scheme, with the port, in other cases (resource ids have none of their own), without
the host; serializers and links escape its slashes.

Rules of this file: pure; one pass, however long the text is and whatever stands in it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, urlsplit

_SLASH, _COLON = r"(?:\\?/|\\u002f|%2f)", r"(?::|%3a)"
_BEFORE_HOST = re.compile(rf"(?:(?:https?|wss?){_COLON})?{_SLASH}{{2}}\Z".encode())
_BEFORE_PATH = re.compile(rf"{_SLASH}\Z".encode())
_BEFORE_BYTES_MAX = 24  # scheme, colon and slashes, escaped
_ENDPOINTS_MAX = 256


@dataclass(frozen=True, slots=True)
class _Address:
    """How an endpoint is found in texts in small letters.

    Attributes:
        words: one of them stands in every text that `hits` finds anything in; quicker to look for.
        hits: its host, or the first segment of a path that tells the pool without a host.
        behind_host: the port and the path, if they follow.
        behind_segment: the rest of that path.
    """

    words: tuple[bytes, ...]
    hits: re.Pattern[bytes]
    behind_host: re.Pattern[bytes]
    behind_segment: re.Pattern[bytes]


def host_of(endpoint: str) -> str:
    """Return what tells the address: the host, and where that is a mere number or this machine, its port too."""
    parts = urlsplit(endpoint.lower())
    host = parts.hostname or ""
    is_anybodys = host == "localhost" or ":" in host or host.replace(".", "").isdigit()
    return parts.netloc if is_anybodys else host


def replace(text: bytes, endpoint: str, origin: str) -> bytes:
    """Put Tollgate's address where the pool's stands; both without a trailing slash."""
    address, small, ours = _address(endpoint), text.lower(), urlsplit(origin)
    if not any(word in small for word in address.words):
        return text
    kept: list[bytes] = []
    done = 0
    for hit in address.hits.finditer(small):
        if hit.start() < done:
            continue
        of_host = hit["host"] is not None
        before = (_BEFORE_HOST if of_host else _BEFORE_PATH).search(
            small, max(done, hit.start() - _BEFORE_BYTES_MAX), hit.start()
        )
        behind = (address.behind_host if of_host else address.behind_segment).match(small, hit.end())
        if behind is None or (before is None and not of_host):
            continue
        if not of_host:
            told = ours.path
        elif before is not None:
            told = origin
        else:
            told = ours.netloc + (ours.path if behind["path"] else "")
        start = hit.start() if before is None else before.start()
        escaped = b"%" in small[start : behind.end()]
        kept += [text[done:start], (quote(told, safe="") if escaped else told).encode()]
        done = behind.end()
    return b"".join([*kept, text[done:]]) if kept else text


@lru_cache(maxsize=_ENDPOINTS_MAX)
def _address(endpoint: str) -> _Address:
    host, path = host_of(endpoint), urlsplit(endpoint).path.lower()
    first, *more = path.split("/")[1:] if path else [""]
    rest = "".join(_SLASH + re.escape(segment) for segment in more)
    port = "" if ":" in host else rf"(?:{_COLON}\d+)?"
    behind_host = rf"{port}(?P<path>{_SLASH}{re.escape(first)}{rest})?" if path else rf"{port}(?P<path>)"
    tells_pool = "/sessionpools/" in path  # a resource id, which no other word is like
    hits = rf"(?P<host>{re.escape(host)})" + (rf"|{re.escape(first)}" if tells_pool else "")
    return _Address(
        (host.encode(), *([first.encode()] if tells_pool else [])),
        *(re.compile(pattern.encode()) for pattern in (hits, behind_host, rest)),
    )
