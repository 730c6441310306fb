"""The published OpenAPI documents of the session API: their operations, and a check of answers against them.

The checker knows the part of OpenAPI 2.0 that these documents use, and refuses to judge anything else.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.infra.pool.support import REPOSITORY

FOLDER = Path(os.environ.get("TOLLGATE_OPENAPI") or REPOSITORY.parent / "shared" / "openapi")
FILES = {
    "2024-10-02-preview": "DynamicSessions.2024-10-02-preview.json",
    "2025-02-02-preview": "DynamicSessions.2025-02-02-preview.json",
    # Of the two that were published under this version, the one that came later.
    "2025-10-02-preview": "DynamicSessions.2025-10-02-preview.7216759c.json",
}

_WHOLE_NUMBERS = {"int32": 2**31, "int64": 2**63}
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")  # RFC 3339
_TYPES: dict[str, type] = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
_REMARKS = {"description", "readOnly"}


@dataclass(frozen=True)
class Document:
    """One document."""

    version: str

    @cached_property
    def content(self) -> dict[str, Any]:
        """The document as JSON."""
        content: dict[str, Any] = json.loads((FOLDER / FILES[self.version]).read_text())
        return content

    def operations(self) -> Iterator["Operation"]:
        """Return its operations."""
        for path, methods in self.content["paths"].items():
            for method, described in methods.items():
                yield Operation(self, method.upper(), path, described)

    def resolved(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follow a reference, which in these documents may have a description of its own beside it."""
        while "$ref" in node:
            assert set(node) - _REMARKS == {"$ref"}
            target: Any = self.content
            for name in node["$ref"].removeprefix("#/").split("/"):
                target = target[name]
            node = target
        return node

    def problems(self, value: Any, schema: Mapping[str, Any], place: str = "") -> Iterator[str]:
        """Say where a value departs from a schema; fields that the schema lacks count."""
        schema = self.resolved(schema)
        unknown = {key for key in schema if not key.startswith("x-")} - _REMARKS
        unknown -= {"type", "properties", "required", "items", "enum", "format"}
        assert not unknown, f"the checker does not know {unknown}"
        kind = schema.get("type")
        if kind is not None and (
            not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) != (kind == "boolean"))
        ):
            yield f"{place or 'the body'} is no {kind}: {value!r}"
            return
        if "enum" in schema and value not in schema["enum"]:
            yield f"{place} is none of {schema['enum']}: {value!r}"
        if "format" in schema and not fits(value, schema["format"]):
            yield f"{place} is no {schema['format']}: {value!r}"
        if kind == "object":
            known = schema.get("properties", {})
            yield from (f"{place}.{name} is missing" for name in schema.get("required", ()) if name not in value)
            yield from (f"{place}.{name} is not described" for name in value if name not in known)
            for name in known.keys() & value.keys():
                yield from self.problems(value[name], known[name], f"{place}.{name}")
        for index, item in enumerate(value if kind == "array" else ()):
            yield from self.problems(item, schema["items"], f"{place}[{index}]")


@dataclass(frozen=True)
class Operation:
    """One operation of a document."""

    document: Document
    method: str
    path: str
    described: dict[str, Any]

    @property
    def name(self) -> str:
        """Its operation id."""
        name: str = self.described["operationId"]
        return name

    def parameters(self, place: str, *, required: bool | None = None) -> dict[str, Mapping[str, Any]]:
        """Return the parameters in one place, by name."""
        found = [self.document.resolved(parameter) for parameter in self.described["parameters"]]
        return {
            parameter["name"]: parameter
            for parameter in found
            if parameter["in"] == place and required in (None, parameter["required"])
        }


def fits(value: Any, form: str) -> bool:
    """Say whether a value has a format.

    Raises:
        KeyError: the checker does not know the format.
    """
    if form == "date-time":
        return _DATE_TIME.fullmatch(value) is not None and datetime.fromisoformat(value) is not None
    if form == "uri":
        return bool(urlsplit(value).scheme)
    beyond = _WHOLE_NUMBERS[form]
    return bool(-beyond <= value < beyond)
