"""Expressions as values. Each knows its line, so that a problem can be shown where it is."""

from collections.abc import Iterator
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Text:
    """A string; what is interpolated stands between its pieces."""

    line: int
    parts: tuple["str | Expr", ...]

    @property
    def plain(self) -> str | None:
        """The string, unless something is interpolated."""
        return "".join(map(str, self.parts)) if all(isinstance(part, str) for part in self.parts) else None


@dataclass(frozen=True, slots=True)
class Literal:
    line: int
    value: int | bool | None


@dataclass(frozen=True, slots=True)
class Name:
    line: int
    name: str


@dataclass(frozen=True, slots=True)
class Array:
    line: int
    items: tuple["Expr", ...]


@dataclass(frozen=True, slots=True)
class Entry:
    line: int
    key: Text
    value: "Expr"


@dataclass(frozen=True, slots=True)
class Object:
    line: int
    entries: tuple[Entry, ...]

    def get(self, name: str) -> "Expr | None":
        """The value of a property whose name is written out."""
        return next((entry.value for entry in self.entries if entry.key.plain == name), None)


@dataclass(frozen=True, slots=True)
class Member:
    """`of.name`, or `of.?name` (safe), or `of::name` (a child resource)."""

    line: int
    of: "Expr"
    name: str
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    line: int
    of: "Expr"
    index: "Expr"
    safe: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """`function(…)`, or `of.function(…)`."""

    line: int
    function: str
    arguments: tuple["Expr", ...]
    of: "Expr | None" = None


@dataclass(frozen=True, slots=True)
class Unary:
    line: int
    operator: str
    operand: "Expr"


@dataclass(frozen=True, slots=True)
class Binary:
    line: int
    operator: str
    left: "Expr"
    right: "Expr"


@dataclass(frozen=True, slots=True)
class Ternary:
    line: int
    condition: "Expr"
    yes: "Expr"
    no: "Expr"


@dataclass(frozen=True, slots=True)
class Lambda:
    line: int
    parameters: tuple[str, ...]
    body: "Expr"


@dataclass(frozen=True, slots=True)
class For:
    line: int
    variable: str
    counter: str | None
    items: "Expr"
    body: "Expr"


@dataclass(frozen=True, slots=True)
class If:
    line: int
    condition: "Expr"
    body: "Expr"


type Expr = (
    Text | Literal | Name | Array | Object | Member | Index | Call | Unary | Binary | Ternary | Lambda | For | If
)


EXPRESSIONS = (
    Text, Literal, Name, Array, Object, Member, Index, Call, Unary, Binary, Ternary, Lambda, For, If
)  # fmt: skip


def children(expr: Expr) -> Iterator[Expr]:
    """The expressions directly inside one."""
    for field in fields(expr):
        value = getattr(expr, field.name)
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Entry):
                yield from (part.key, part.value)
            elif isinstance(part, EXPRESSIONS):
                yield part


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all inside it."""
    yield expr
    for child in children(expr):
        yield from walk(child)
