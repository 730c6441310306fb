"""What a Bicep file declares, as values: params and their types, variables, resources, modules, outputs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.infra.bicep.syntax import Expr, For, If, Lambda, Object


@dataclass(frozen=True, slots=True)
class Named:
    """A type by name: one of Bicep's own, or one that the file defines."""

    name: str


@dataclass(frozen=True, slots=True)
class OneOf:
    values: tuple[str | int | bool | None, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    item: "Type"


@dataclass(frozen=True, slots=True)
class Nullable:
    item: "Type"


@dataclass(frozen=True, slots=True)
class Field:
    type: "Type"
    decorators: tuple["Decorator", ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """An object's properties; `rest` is the type of any other, None where there may be no other."""

    fields: dict[str, Field]
    rest: "Type | None" = None


type Type = Named | OneOf | ListOf | Nullable | Record


@dataclass(frozen=True, slots=True)
class Decorator:
    line: int
    name: str
    arguments: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Declaration:
    line: int
    name: str
    decorators: tuple[Decorator, ...]

    def decorator(self, name: str) -> Decorator | None:
        """The decorator of that name."""
        return next((decorator for decorator in self.decorators if decorator.name == name), None)


@dataclass(frozen=True, slots=True)
class Param(Declaration):
    type: Type
    default: Expr | None

    @property
    def required(self) -> bool:
        """Whether a deployment must give it."""
        return self.default is None and not isinstance(self.type, Nullable)


@dataclass(frozen=True, slots=True)
class TypeDefinition(Declaration):
    type: Type


@dataclass(frozen=True, slots=True)
class Variable(Declaration):
    value: Expr


@dataclass(frozen=True, slots=True)
class Output(Declaration):
    type: Type
    value: Expr


@dataclass(frozen=True, slots=True)
class Function(Declaration):
    parameters: tuple[str, ...]
    body: Expr


@dataclass(frozen=True, slots=True)
class Placed(Declaration):
    """A resource or a module: what is deployed, once, perhaps, or for each of several."""

    loop: For | None  # its body is this one's; only variable, counter and items matter
    condition: Expr | None
    body: Object


@dataclass(frozen=True, slots=True)
class Resource(Placed):
    type: str
    version: str
    existing: bool


@dataclass(frozen=True, slots=True)
class Module(Placed):
    path: str


@dataclass(frozen=True, slots=True)
class Template:
    """One file."""

    path: Path
    scope: str
    params: dict[str, Param]
    types: dict[str, TypeDefinition]
    variables: dict[str, Variable]
    functions: dict[str, Function]
    resources: dict[str, Resource]
    modules: dict[str, Module]
    outputs: dict[str, Output]

    @property
    def declarations(self) -> Iterator[Declaration]:
        """All that the file declares under names that expressions can use."""
        for kind in (self.params, self.variables, self.functions, self.resources, self.modules):
            yield from kind.values()

    @property
    def roots(self) -> Iterator[tuple[Declaration, Expr]]:
        """Every expression that the file holds, with what it belongs to."""
        for declaration in (*self.declarations, *self.types.values(), *self.outputs.values()):
            yield from ((declaration, expr) for expr in expressions_of(declaration))


def expressions_of(declaration: Declaration) -> Iterator[Expr]:
    """The outermost expressions of a declaration."""
    for decorator in declaration.decorators:
        yield from decorator.arguments
    match declaration:
        case Param(default=default):
            yield from [default] if default else []
        case Variable(value=value) | Output(value=value):
            yield value
        case Function(line=line, parameters=parameters, body=body):
            yield Lambda(line, parameters, body)
        case Placed(line=line, loop=loop, condition=condition, body=body):
            inside: Expr = If(line, condition, body) if condition else body
            yield For(line, loop.variable, loop.counter, loop.items, inside) if loop else inside
        case _:
            pass
