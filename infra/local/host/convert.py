"""HTTP on the wire <-> what the runtime sees, with the losses that the host has on the way.

Rules of this file: pure. What the host cannot decode raises `Refused`, what it cannot send raises `Unsendable`. The
rules are those of ASP.NET Core, and of the host's conversion to and from its workers.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from urllib.parse import quote

from infra.local.host.protos import RpcHttp, RpcHttpCookie, TypedData

type RawHeaders = Sequence[tuple[bytes, bytes]]

# What ASP.NET Core leaves as it is in a path (RFC 3986's pchar and the slash).
_PATH_CHARACTERS = "/!$&'()*+,;=:@-._~%"
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPES = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ESCAPES_BUT_SLASH = re.compile(r"(?:%(?!2[Ff])[0-9A-Fa-f]{2})+")
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_SAME_SITE = {1: "lax", 2: "strict", 3: "none"}
_WITHOUT_BODY = (204, 304)


class Refused(Exception):  # noqa: N818 -- an answer, not an error
    """The host itself answers the request, with this status and no body."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Unsendable(Exception):  # noqa: N818 -- says what is wrong with the answer
    """The function's answer is not one that the host can send; it answers 500 instead."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, as it goes out."""

    status: int
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: bytes = b""


def decode_path(raw_path: bytes) -> str:
    """Decode a request's path as routes see it.

    Everything is decoded but `%2F` and what is not UTF-8; then dot segments are removed, even those that were escaped.
    """
    if not raw_path.isascii() or not raw_path.startswith(b"/"):
        raise Refused(400)
    path = raw_path.decode("ascii")
    if "%" in path:
        path = _ESCAPES_BUT_SLASH.sub(_decode_escapes, path)
        if "\0" in path:
            raise Refused(400)
    return _without_dot_segments(path) if "/." in path else path


def encode_path(path: str) -> str:
    """Encode a decoded path for `req.url`. What still looks like an escape stays: `%2520` came in, `%20` goes out."""
    return quote(_LONE_PERCENT.sub("%25", path), safe=_PATH_CHARACTERS)


def query_values(query: str) -> dict[str, str]:
    """Return the parameters of a query: names without regard to case, repeats joined, empty values dropped."""
    spellings: dict[str, str] = {}
    values: dict[str, str] = {}
    for pair in query.split("&"):
        if not pair:
            continue
        name, _, value = pair.partition("=")
        name, value = _decode_query(name), _decode_query(value)
        name = spellings.setdefault(name.lower(), name)
        values[name] = f"{values[name]},{value}" if name in values else value
    return {name: value for name, value in values.items() if value}


def header_values(raw_headers: RawHeaders) -> dict[str, str]:
    """Return one text per header, repeats joined with a comma. Names are lower-case already, as ASGI has them."""
    values: dict[str, str] = {}
    try:
        for raw_name, raw_value in raw_headers:
            name, value = raw_name.decode("ascii"), raw_value.decode()
            values[name] = f"{values[name]},{value}" if name in values else value
    except UnicodeDecodeError as error:
        raise Refused(400) from error
    return values


def to_reply(value: TypedData | None, custom_headers: Mapping[str, str], *, head: bool) -> Reply:
    """Turn what a function returned into an answer."""
    if value is None:
        return Reply(200)
    if value.http is not None:
        return _from_http(value.http, custom_headers, head=head)
    if value.string is not None:
        headers = {"content-type": "text/plain; charset=utf-8"}
        return Reply(200, _encode_headers(headers, custom_headers), value.string.encode())
    raise Unsendable("the function returned neither an HTTP response nor text")


def _from_http(http: RpcHttp, custom_headers: Mapping[str, str], *, head: bool) -> Reply:
    status = int(http.status_code)
    if not 200 <= status <= 599:
        raise Unsendable(f"{status} is not the status of an answer")
    body = (http.body.bytes if http.body else None) or b""
    headers: dict[str, str] = {}
    for name, value in http.headers.items():
        # Spellings that differ in case are a bug of the app; the host keeps the first.
        headers.setdefault(name.lower(), value)
    headers.pop("date", None)  # the server writes one, and there can be only one
    if "transfer-encoding" in headers:
        raise Unsendable("the function set Transfer-Encoding, and the host would then not frame the body")
    if status in _WITHOUT_BODY:
        body = b""
    elif not head and headers.get("content-length", str(len(body))) != str(len(body)):
        raise Unsendable("the function set a Content-Length that is not its body's")
    if not body and not head:
        headers.pop("content-length", None)
    encoded = _encode_headers(headers, custom_headers)
    encoded += [(b"set-cookie", _cookie_text(cookie).encode("ascii")) for cookie in http.cookies or ()]
    return Reply(status, encoded, b"" if head else body)


def _encode_headers(headers: dict[str, str], custom_headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    for name, value in custom_headers.items():
        headers.setdefault(name.lower(), value)
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise Unsendable(f"the header {name!r} holds a character that is not printable ASCII")
    return [(name.encode("ascii"), value.strip().encode("ascii")) for name, value in headers.items()]


def _cookie_text(cookie: RpcHttpCookie) -> str:
    """Write a cookie in ASP.NET Core's order of attributes; its value is escaped there, too."""
    if not _HEADER_NAME.fullmatch(cookie.name):
        raise Unsendable(f"{cookie.name!r} cannot be the name of a cookie")
    text = f"{cookie.name}={quote(cookie.value, safe='-._~')}"
    if cookie.expires:
        text += f"; expires={formatdate(cookie.expires.value.seconds, usegmt=True)}"
    if cookie.max_age:
        text += f"; max-age={int(cookie.max_age.value)}"
    for name, value in (("domain", cookie.domain), ("path", cookie.path)):
        if value and value.value:
            text += f"; {name}={value.value}"
    if cookie.secure and cookie.secure.value:
        text += "; secure"
    if cookie.same_site:
        text += f"; samesite={_SAME_SITE[cookie.same_site]}"
    if cookie.http_only and cookie.http_only.value:
        text += "; httponly"
    if not _HEADER_VALUE.fullmatch(text):
        raise Unsendable(f"the cookie {cookie.name!r} holds a character that is not printable ASCII")
    return text


def _decode_query(text: str) -> str:
    text = text.replace("+", " ")
    return _ESCAPES.sub(_decode_escapes, text) if "%" in text else text


def _decode_escapes(match: re.Match[str]) -> str:
    """Decode a run of escapes; the bytes in it that are not UTF-8 stay escaped."""
    text, decoded = match[0], ""
    octets = bytes.fromhex(text.replace("%", ""))
    while octets:
        try:
            return decoded + octets.decode()
        except UnicodeDecodeError as error:
            decoded += octets[: error.start].decode() + text[3 * error.start : 3 * error.end]
            octets, text = octets[error.end :], text[3 * error.end :]
    return decoded


def _without_dot_segments(path: str) -> str:
    """Remove `.` and `..` (RFC 3986, section 5.2.4)."""
    *folders, last = path.split("/")[1:]
    kept: list[str] = []
    for segment in (*folders, last):
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if last in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)
