"""What an upload's body must look like before anybody is charged for it.

The body goes on byte for byte; a form that is cut off or holds no file would cost the tenant a session and bring a 400.
Semantic Kernel for Python sends its second upload as `application/json`, with the form's boundary in the body alone
(1.45.0, run 2026-11); the pool reads the boundary from the header, so the header is mended.

Rules of this file: pure; RFC 7578 and RFC 2046, section 5.1.1, as far as a boundary and the headers of parts go.
"""

import re

from proxy.errors import ErrorCode, GatewayError
from proxy.file_paths import refuse_climbing

_PART_HEADERS_MAX = 16_384
_PARTS_MAX = 100
_BOUNDARY = re.compile(r"""[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]""")
_BOUNDARY_IN_HEADER = re.compile(r';\s*boundary=(?:"([^"]+)"|([^;\s]+))', re.IGNORECASE)
_PLAIN = re.compile(r'multipart/form-data; *boundary=("[^"]+"|[^";\s]+)', re.IGNORECASE)
_NAME = re.compile(rb'[;\s]name="?([^";\s]*)', re.IGNORECASE)
_FILENAME = re.compile(
    rb""";\s*filename=(?:"((?:[^"\\]|\\.)*)"|([^";\s]+))|;\s*filename\*=(?:[\w-]*'[\w-]*')?([^;\s]+)""", re.IGNORECASE
)
_SESSION_FIELDS = frozenset({b"identifier", b"sessionid"})


def check_upload(content_type: str, body: bytes) -> str:
    """Check that a body is a whole form with a file in it; return the content type that fits it.

    Raises:
        GatewayError: `SessionRequestValidationFailed`.
    """
    if not body:
        raise _invalid("The upload has no body.")
    boundary = _boundary(content_type, body)
    delimiter = b"--" + boundary.encode()
    if not body.startswith(delimiter) and b"\r\n" + delimiter not in body:
        raise _invalid("The form's boundary does not stand in the body.")
    if b"\r\n" + delimiter + b"--" not in body[-_PART_HEADERS_MAX - len(delimiter) :]:
        raise _invalid("The form is cut off: its last boundary is missing.")
    parts = _part_headers(body, delimiter)
    # Readers differ in what ends a line: whichever boundary one of them could find has been found here too.
    if body.count(b"\n" + delimiter) + body.startswith(delimiter) != len(parts) + 1:
        raise _invalid("The form's boundary stands within a part, or after its end.")
    if not sum(_is_file(headers) for headers in parts):  # and not `any`, which would leave the rest unchecked
        raise _invalid("The form has no field 'file' with a file name.")
    if _PLAIN.fullmatch(content_type) is not None:
        return content_type
    return f'multipart/form-data; boundary="{boundary}"'


def _boundary(content_type: str, body: bytes) -> str:
    found = _BOUNDARY_IN_HEADER.search(content_type)
    if found is not None:
        boundary = found[1] or found[2]
    else:
        first, _, _ = body[:256].partition(b"\r\n")
        boundary = first.removeprefix(b"--").decode("latin-1") if first.startswith(b"--") else ""
    if _BOUNDARY.fullmatch(boundary) is None:
        raise _invalid("The body is not multipart/form-data.")
    return boundary


def _part_headers(body: bytes, delimiter: bytes) -> list[bytes]:
    """Cut out the headers of each part."""
    found: list[bytes] = []
    at = 0 if body.startswith(delimiter) else body.find(b"\r\n" + delimiter) + 2
    while at >= 2 or not found:
        start = at + len(delimiter)
        if body[start : start + 2] == b"--":
            break
        end = body.find(b"\r\n\r\n", start, start + _PART_HEADERS_MAX)
        if end < 0 or len(found) == _PARTS_MAX:
            raise _invalid("The form's parts cannot be read.")
        found.append(body[start:end])
        at = body.find(b"\r\n" + delimiter, end) + 2
    return found


def _is_file(headers: bytes) -> bool:
    """Say whether a part is a file for the session; file names that climb are refused, and fields naming a session."""
    lines = headers.split(b"\r\n")
    if headers.count(b"\n") != len(lines) - 1 or any(line[:1] in {b" ", b"\t"} for line in lines):
        raise _invalid("The headers of the form's parts cannot be read.")
    found = False
    for line in lines:
        header, _, value = line.partition(b":")
        if header.strip().lower() != b"content-disposition":
            continue
        fields = {name.lower() for name in _NAME.findall(value)}
        if not _SESSION_FIELDS.isdisjoint(fields):
            raise _invalid("The form names a session; the query does.")
        names = [b"".join(groups) for groups in _FILENAME.findall(value)]
        for name in names:
            refuse_climbing(name.decode(errors="replace"), "filename")
        found = found or (b"file" in fields and any(names))
    return found


def _invalid(message: str) -> GatewayError:
    return GatewayError(ErrorCode.VALIDATION_FAILED, message, target="file")
