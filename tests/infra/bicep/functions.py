"""Bicep's built-in functions: what each takes, what kind of value it gives, and how it is computed.

Rules of this file: pure. What a function could only know in Azure (who deploys, where, when) is in `placeholders`;
here such functions have their signature alone. Values are Python's: str, int, bool, None, list, dict.
"""

import hashlib
import json
import re
import uuid
from base64 import b32encode, b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from typing import Any

type Value = Any
NAMESPACE = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")


class DeploymentStopped(Exception):  # noqa: N818 - whoever deploys made the error
    """The deployment ends here; the text is the line that whoever deploys would read."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    least: int
    most: int
    kind: str | None  # string, int, bool, array, object; None: it depends
    run: Callable[..., Value] | None = None


def is_empty(value: Value) -> bool:
    """Null, '', [] and {}."""
    return value is None or (isinstance(value, str | list | dict) and not value)


def same(left: Value, right: Value) -> bool:
    """Equality that tells true from 1."""
    return type(left) is type(right) and bool(left == right)


def contains(container: Value, item: Value) -> bool:
    """Whether a string has a part, a list an item, an object a key (whose case does not matter)."""
    if isinstance(container, dict):
        return str(item).lower() in map(str.lower, container)
    return item in container if isinstance(container, str) else any(same(item, member) for member in container)


def union(*values: Value) -> Value:
    """Join lists without repeating, or objects, in which the later value wins and objects are joined in turn."""
    if isinstance(values[0], dict):
        return reduce(_merged, values)
    joined: list[Value] = []
    for item in chain.from_iterable(values):
        joined += [] if contains(joined, item) else [item]
    return joined


def _merged(left: dict[str, Value], right: dict[str, Value]) -> dict[str, Value]:
    both = {key for key in left if isinstance(left[key], dict) and isinstance(right.get(key), dict)}
    return left | right | {key: _merged(left[key], right[key]) for key in both}


def text(value: Value) -> str:
    """A value as string() and interpolation write it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    return "" if value is None else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def fill(pattern: str, *values: Value) -> str:
    """Fill in `{0}` and `{0:00}`, the only form of number in use."""

    def filled(found: re.Match[str]) -> str:
        value = text(values[int(found[1])])
        return value.zfill(len(found[2])) if found[2] else value

    return re.sub(r"\{(\d+)(?::(0+))?\}", filled, pattern)


def unique_string(*values: str) -> str:
    """Thirteen letters and digits that follow from the values; not those that Azure makes of them."""
    return b32encode(hashlib.sha256("\0".join(values).encode()).digest()).decode().lower()[:13]


def guid(*values: str) -> str:
    """A GUID that follows from the values; not the one that Azure makes of them."""
    return str(uuid.uuid5(NAMESPACE, "\0".join(values)))


def fail(message: str) -> Value:
    """End the deployment."""
    raise DeploymentStopped(message)


def _split(value: str, delimiters: str | list[str]) -> list[str]:
    marks = [delimiters] if isinstance(delimiters, str) else delimiters
    return re.split("|".join(map(re.escape, marks)), value)


def _to_object(items: list[Value], key: Callable[..., str], value: Callable[..., Value] = lambda item: item) -> Value:
    return {key(item): value(item) for item in items}


def _first(value: Value) -> Value:
    return value[0] if value else "" if isinstance(value, str) else None


def _last(value: Value) -> Value:
    return value[-1] if value else "" if isinstance(value, str) else None


def _numbers(*values: Value) -> list[int]:
    return list(values[0]) if isinstance(values[0], list) else list(values)


def _index(container: Value, item: Value) -> int:
    if isinstance(container, str):
        return container.lower().find(item.lower())
    return next((index for index, member in enumerate(container) if same(member, item)), -1)


def _numbered(function: Callable[..., Value]) -> int:
    return len(getattr(function, "parameters", ())) or 1


def _map(items: list[Value], function: Callable[..., Value]) -> list[Value]:
    return [function(*(item, index)[: _numbered(function)]) for index, item in enumerate(items)]


def _filter(items: list[Value], function: Callable[..., Value]) -> list[Value]:
    return [item for index, item in enumerate(items) if function(*(item, index)[: _numbered(function)])]


MANY = 99
BUILT_IN: dict[str, BuiltIn] = {
    "any": BuiltIn(1, 1, None, lambda value: value),
    "array": BuiltIn(1, 1, "array", lambda value: value if isinstance(value, list) else [value]),
    "base64": BuiltIn(1, 1, "string", lambda value: b64encode(value.encode()).decode()),
    "bool": BuiltIn(1, 1, "bool", lambda value: value.lower() == "true" if isinstance(value, str) else bool(value)),
    "concat": BuiltIn(1, MANY, None, lambda *values: reduce(lambda left, right: left + right, values)),
    "contains": BuiltIn(2, 2, "bool", contains),
    "deployer": BuiltIn(0, 0, "object"),
    "deployment": BuiltIn(0, 0, "object"),
    "empty": BuiltIn(1, 1, "bool", is_empty),
    "endsWith": BuiltIn(2, 2, "bool", lambda value, end: value.lower().endswith(end.lower())),
    "environment": BuiltIn(0, 0, "object"),
    "fail": BuiltIn(1, 1, None, fail),
    "filter": BuiltIn(2, 2, "array", _filter),
    "first": BuiltIn(1, 1, None, _first),
    "flatten": BuiltIn(1, 1, "array", lambda lists: list(chain.from_iterable(lists))),
    "format": BuiltIn(1, MANY, "string", fill),
    "guid": BuiltIn(1, MANY, "string", guid),
    "indexOf": BuiltIn(2, 2, "int", _index),
    "int": BuiltIn(1, 1, "int", int),
    "intersection": BuiltIn(2, 2, None, lambda left, right: [item for item in left if contains(right, item)]),
    "items": BuiltIn(1, 1, "array", lambda value: [{"key": key, "value": value[key]} for key in sorted(value)]),
    "join": BuiltIn(2, 2, "string", lambda items, mark: mark.join(map(text, items))),
    "json": BuiltIn(1, 1, None, json.loads),
    "last": BuiltIn(1, 1, None, _last),
    "length": BuiltIn(1, 1, "int", len),
    "loadJsonContent": BuiltIn(1, 3, None),
    "loadTextContent": BuiltIn(1, 2, "string"),
    "map": BuiltIn(2, 2, "array", _map),
    "max": BuiltIn(1, MANY, "int", lambda *values: max(_numbers(*values))),
    "min": BuiltIn(1, MANY, "int", lambda *values: min(_numbers(*values))),
    "newGuid": BuiltIn(0, 0, "string"),
    "objectKeys": BuiltIn(1, 1, "array", sorted),
    "padLeft": BuiltIn(2, 3, "string", lambda value, width, mark=" ": text(value).rjust(width, mark)),
    "range": BuiltIn(2, 2, "array", lambda start, count: list(range(start, start + count))),
    "reduce": BuiltIn(3, 3, None, lambda items, start, function: reduce(function, items, start)),
    "replace": BuiltIn(3, 3, "string", lambda value, old, new: value.replace(old, new)),
    "resourceGroup": BuiltIn(0, 2, "object"),
    "resourceId": BuiltIn(2, MANY, "string"),
    "skip": BuiltIn(2, 2, None, lambda value, count: value[max(count, 0) :]),
    "split": BuiltIn(2, 2, "array", _split),
    "startsWith": BuiltIn(2, 2, "bool", lambda value, start: value.lower().startswith(start.lower())),
    "string": BuiltIn(1, 1, "string", text),
    "subscription": BuiltIn(0, 1, "object"),
    "subscriptionResourceId": BuiltIn(2, MANY, "string"),
    "substring": BuiltIn(2, 3, "string", lambda value, start, count=None: value[start:][:count]),
    "take": BuiltIn(2, 2, None, lambda value, count: value[: max(count, 0)]),
    "tenant": BuiltIn(0, 0, "object"),
    "toLower": BuiltIn(1, 1, "string", str.lower),
    "toObject": BuiltIn(2, 3, "object", _to_object),
    "toUpper": BuiltIn(1, 1, "string", str.upper),
    "trim": BuiltIn(1, 1, "string", str.strip),
    "union": BuiltIn(2, MANY, None, union),
    "uniqueString": BuiltIn(1, MANY, "string", unique_string),
    "utcNow": BuiltIn(0, 1, "string"),
}
