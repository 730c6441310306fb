"""Files with head hashes that went out with the telemetry: CSV, JSON, or the log lines themselves.

Rules of this file: what cannot be read is refused with its place, and nothing is left out silently: a head that is not
looked at proves nothing.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from console.backends import WRONG_USAGE, CommandError
from console.commands.show import Json
from metering.periods import Period
from proxy.tenants import TENANT_ID

_LINE = re.compile(
    r"ledger_head tenant=(?P<tenant>\S+) period=(?P<period>\S+) sequence=(?P<sequence>\S+) hash=(?P<hash>\w+)"
)
_BEGINS = "ledger_head tenant="
_SEQUENCE = re.compile(r"[1-9]\d{0,9}(\.0)?", re.ASCII)  # some exports write every number as a real one
_HASH = re.compile(r"[0-9a-f]{64}")
_NAMES = ("tenant", "period", "sequence", "hash")

type Heads = dict[str, list[Json]]


def read_heads(file: Path) -> Heads:
    """Read the heads of each tenant, each once.

    Raises:
        CommandError: if the file cannot be read, or holds no heads, or something else.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise CommandError(f"the file {file} cannot be read", exit_status=WRONG_USAGE) from None
    found: dict[str, dict[str, Json]] = {}
    for place, row in _rows(text, file):
        tenant, head = _head(row, f"{file}, {place}")
        found.setdefault(tenant, {})[json.dumps(head)] = head
    if not found:
        raise CommandError(f"{file} holds no head hashes", exit_status=WRONG_USAGE)
    return {tenant: list(heads.values()) for tenant, heads in sorted(found.items())}


def _rows(text: str, file: Path) -> Iterator[tuple[str, Any]]:
    """Hand out what stands for a head, with its place."""
    if _BEGINS in text:
        yield from _logged_rows(text, file)
        return
    start = text.lstrip()[:1]
    try:
        if start == "[":
            yield from ((f"row {number}", row) for number, row in enumerate(json.loads(text), 1))
        elif start == "{":
            lines = ((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())
            yield from ((f"line {number}", json.loads(line)) for number, line in lines)
        else:
            yield from _csv_rows(text.splitlines())
    except (ValueError, csv.Error):
        raise CommandError(f"{file} is neither CSV nor JSON, nor log lines", exit_status=WRONG_USAGE) from None


def _logged_rows(text: str, file: Path) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.splitlines(), 1):
        if _BEGINS in line:
            match = _LINE.search(line)
            if match is None:
                raise CommandError(f"{file}, line {number}: is cut off", exit_status=WRONG_USAGE)
            yield f"line {number}", match.groupdict()


def _csv_rows(lines: Iterable[str]) -> Iterator[tuple[str, Any]]:
    reader = csv.DictReader(lines)
    yield from ((f"line {reader.line_num}", row) for row in reader)


def _head(row: Any, place: str) -> tuple[str, Json]:
    """Read a row. Its values are repeated in no message: a file that is none of these may hold anything."""
    if not isinstance(row, Mapping):
        row = {}
    values = {str(name).strip().lower(): str(value).strip() for name, value in row.items()}
    if missing := [name for name in _NAMES if name not in values]:
        raise CommandError(f"{place}: {', '.join(missing)} is missing", exit_status=WRONG_USAGE)
    wrong = [
        name
        for name, is_right in (
            ("tenant", TENANT_ID.fullmatch(values["tenant"])),
            ("period", _is_period(values["period"])),
            ("sequence", _SEQUENCE.fullmatch(values["sequence"])),
            ("hash", _HASH.fullmatch(values["hash"].lower())),
        )
        if not is_right
    ]
    if wrong:
        raise CommandError(f"{place}: {', '.join(wrong)} cannot be one", exit_status=WRONG_USAGE)
    sequence = int(values["sequence"].removesuffix(".0"))
    return values["tenant"], {"period": values["period"], "sequence": sequence, "hash": values["hash"].lower()}


def _is_period(text: str) -> bool:
    try:
        Period.parse(text)
    except ValueError:
        return False
    return True
