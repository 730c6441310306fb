"""What Azure takes: the shapes of the resource types in use, and the ids of the roles.

The facts are in `shapes/*.txt`, each file with its source on top. A shape begins with `type@version`, at the margin;
below it stands one property a line, an object's properties below the object:

    name*      is required
    name~      is read-only
    name[]     is a list of what follows
    ...        any further property is of this type

A type is `string`, `int`, `bool`, `any` or quoted values, with ` | ` between alternatives. A type word of its own after
`type@version` is `extension`: such a resource stands on another one (`scope`), and has no location.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "shapes"
LINE = re.compile(r"^( *)([\w.-]+?|\.\.\.)(\*|~)?((?:\[\])*)(?: +(\S.*))?$")


@dataclass(slots=True)
class Shape:
    """What a value may be: one of these words, one of these texts, an object with these properties, a list."""

    words: frozenset[str] = frozenset()
    texts: frozenset[str] = frozenset()
    properties: dict[str, "Property"] = field(default_factory=dict)
    rest: "Shape | None" = None
    item: "Shape | None" = None

    @property
    def is_object(self) -> bool:
        """Whether it has properties."""
        return bool(self.properties) or self.rest is not None


@dataclass(frozen=True, slots=True)
class Property:
    shape: Shape
    required: bool
    readonly: bool


@dataclass(frozen=True, slots=True)
class ResourceShape:
    type: str
    version: str
    body: Shape
    extension: bool

    @property
    def is_child(self) -> bool:
        """Whether it lives below another resource."""
        return self.type.count("/") > 1


@cache
def known_shapes() -> dict[str, ResourceShape]:
    """All shapes, by `type@version` in lower case: Azure does not tell cases apart."""
    return {
        f"{shape.type}@{shape.version}".lower(): shape
        for path in sorted(FOLDER.glob("*.txt"))
        if path.name != "roles.txt"
        for shape in parse_shapes(path.read_text())
    }


def shape_of(kind: str, version: str) -> ResourceShape | None:
    """The shape of a resource type, if it is known."""
    return known_shapes().get(f"{kind}@{version}".lower())


@cache
def known_roles() -> dict[str, str]:
    """The names of the built-in roles by their ids."""
    lines = [line for line in (FOLDER / "roles.txt").read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split(maxsplit=1) for line in lines)


def parse_shapes(text: str) -> Iterator[ResourceShape]:
    """Read a file of shapes."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    while lines:
        head, *flags = lines.pop(0).split()
        kind, _, version = head.partition("@")
        yield ResourceShape(kind, version, _object(lines, 2), extension="extension" in flags)


def _object(lines: list[str], indent: int) -> Shape:
    """Take the lines of an object's properties."""
    shape = Shape()
    while lines and (len(lines[0]) - len(lines[0].lstrip())) == indent:
        line = lines.pop(0)
        parts = LINE.match(line)
        if parts is None:
            raise ValueError(f"not a line of a shape: {line}")
        name, mark, lists, words = parts[2], parts[3], parts[4], parts[5]
        value = _value(words) if words else _object(lines, indent + 2)
        for _ in range(len(lists) // 2):
            value = Shape(item=value)
        if name == "...":
            shape.rest = value
        else:
            shape.properties[name] = Property(value, required=mark == "*", readonly=mark == "~")
    return shape


def _value(words: str) -> Shape:
    alternatives = [word.strip() for word in words.split(" | ")]
    texts = frozenset(word[1:-1] for word in alternatives if word.startswith("'"))
    others = frozenset(word for word in alternatives if not word.startswith("'"))
    if unknown := others - {"string", "int", "bool", "any"}:
        raise ValueError(f"not a type: {', '.join(sorted(unknown))}")
    return Shape(words=others, texts=texts)
