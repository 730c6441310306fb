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
_NAME = re.compile(rb'[;\s]name="?file"?(?:[;\s]|$)', re.IGNORECASE)
_FILENAME = re.compile(rb';\s*filename="((?:[^"\\]|\\.)*)"|;\s*filename=([^";\s]+)', re.IGNORECASE)
_FILENAME_EXTENDED = re.compile(rb";\s*filename\*=", re.IGNORECASE)


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
    if not any(_is_file(headers) for headers in _part_headers(body, delimiter)):
        raise _invalid("The form has no field 'file' with a file name.")
    declared = content_type.partition(";")[0].strip().lower()
    if declared == "multipart/form-data" and _BOUNDARY_IN_HEADER.search(content_type):
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
    """Say whether a part is a file for the session; a file name that climbs is refused."""
    for line in headers.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() != b"content-disposition":
            continue
        found = _FILENAME.search(value)
        if found is not None:
            filename = found[1] if found[1] is not None else found[2]
            refuse_climbing(filename.decode(errors="replace"), "filename")
        named = found is not None and bool(found[1] or found[2])
        return _NAME.search(value) is not None and (named or _FILENAME_EXTENDED.search(value) is not None)
    return False


def _invalid(message: str) -> GatewayError:
    return GatewayError(ErrorCode.VALIDATION_FAILED, message, target="file")
