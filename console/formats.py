"""In which format an answer goes out: JSON, CSV or FOCUS, as the query or the `Accept` header asks for it.

`?format=` decides if it is there, and a format that there is not is refused. Otherwise `Accept` decides, by the rules
of RFC 9110: quality first, then how precisely the format is named, then which is named first. One that names none of
ours gets JSON, since an answer of another kind helps more than a refusal.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qsl

from console.bodies import invalid
from proxy.messages import GatewayRequest, GatewayResponse

CSV_TYPE = "text/csv; charset=utf-8"
FOCUS_PROFILE = "focus-1.2"
VARY = {"Vary": "Accept"}  # on every answer that `Accept` has a say in

_QUALITY = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?", re.ASCII)


class Format(StrEnum):
    """A form in which the same answer can be given."""

    JSON = "json"
    CSV = "csv"
    FOCUS = "focus"  # CSV with the columns of FOCUS 1.2


BILLS: Sequence[Format] = tuple(Format)
LISTS: Sequence[Format] = (Format.JSON, Format.CSV)  # what is no bill has no FOCUS form

_TYPES = {Format.JSON: "application/json", Format.CSV: "text/csv", Format.FOCUS: "text/csv"}


@dataclass(frozen=True, slots=True)
class _Range:
    """One member of an `Accept` header; a quality of 0 says: not this."""

    media_type: str
    profile: str | None
    quality: float

    def precision(self, wanted: Format) -> int:
        """Say how precisely this names a format; 0: not at all. FOCUS is named by its profile alone."""
        media_type = _TYPES[wanted]
        if wanted is Format.FOCUS or self.profile is not None:
            is_named = wanted is Format.FOCUS and (self.media_type, self.profile) == (media_type, FOCUS_PROFILE)
            return 3 if is_named else 0
        return {media_type: 3, f"{media_type.partition('/')[0]}/*": 2, "*/*": 1}.get(self.media_type, 0)


def format_of(request: GatewayRequest, offered: Sequence[Format] = BILLS) -> Format:
    """Choose the format for a call; see `choose_format`."""
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    return choose_format(query, request.headers.get("accept", ""), offered)


def choose_format(query: Mapping[str, str], accept: str, offered: Sequence[Format] = BILLS) -> Format:
    """Choose among the formats offered, of which JSON is the first.

    Raises:
        GatewayError: VALIDATION_FAILED if the query asks for one that is not offered.
    """
    named = query.get("format")
    if named is not None:
        if named not in offered:
            raise invalid(f"format: must be one of {', '.join(offered)}", "format")
        return Format(named)
    ranges = list(_read(accept))
    best = max(offered, key=lambda wanted: _rank(wanted, ranges))
    return best if _rank(best, ranges)[0] > 0 else Format.JSON


def csv_response(body: bytes, *, filename: str, following: str | None = None) -> GatewayResponse:
    """Answer with CSV, to be kept under that name; `following` is the path and query of the page after it."""
    assert re.fullmatch(r"[A-Za-z0-9._-]+", filename), (
        "a file's name is made of ids and periods, not of anybody's words"
    )
    headers = {"Content-Type": CSV_TYPE, "Content-Disposition": f'attachment; filename="{filename}"', **VARY}
    if following is not None:
        headers["Link"] = f'<{following}>; rel="next"'
    return GatewayResponse(status=200, headers=headers, body=body)


def _rank(wanted: Format, ranges: Sequence[_Range]) -> tuple[float, int, int]:
    """Rank a format by what names it most precisely: quality, precision, and how early that comes."""
    naming = ((found.precision(wanted), -place, found.quality) for place, found in enumerate(ranges))
    precision, earliness, quality = max((one for one in naming if one[0]), default=(0, 0, 0.0))
    return quality, precision, earliness


def _read(accept: str) -> Iterator[_Range]:
    """Read an `Accept` header; a member that cannot be read is passed over. No value of ours holds a comma."""
    for member in accept.split(","):
        media_type, *parameters = (part.strip() for part in member.split(";"))
        values = {name.strip().lower(): value.strip().strip('"') for name, _, value in map(_parted, parameters)}
        quality = values.get("q", "1")
        if _QUALITY.fullmatch(quality):
            yield _Range(media_type.lower(), values.get("profile"), float(quality))


def _parted(parameter: str) -> tuple[str, str, str]:
    return parameter.partition("=")
