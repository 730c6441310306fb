"""The value of an expression.

What the names mean comes from outside (`Names`), so that an expression can be evaluated in a file that is being
deployed, and in a test. Values are Python's, besides references to resources and modules, of which parts can be read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from tests.infra.bicep.functions import BUILT_IN, Value, same, text
from tests.infra.bicep.syntax import (
    Array,
    Binary,
    Call,
    Expr,
    For,
    Index,
    Lambda,
    Literal,
    Member,
    Name,
    Object,
    Ternary,
    Text,
    Unary,
)

OPERATORS: dict[str, Callable[[Value, Value], Value]] = {
    "==": same,
    "!=": lambda left, right: not same(left, right),
    "=~": lambda left, right: left.lower() == right.lower(),
    "!~": lambda left, right: left.lower() != right.lower(),
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: int(left / right),
    "%": lambda left, right: left - right * int(left / right),
}
NAMESPACES = ("az", "sys")


class EvaluationError(Exception):
    """An expression has no value: the files are wrong, not the parameters."""


@runtime_checkable
class Reference(Protocol):
    """A resource or a module, of which something can be read."""

    def read(self, name: str) -> Value:
        """A property."""
        ...


class Names(Protocol):
    """What an expression's names and functions mean where it stands."""

    def value(self, name: str) -> Value:
        """The value of a declared name."""
        ...

    def call(self, function: str, arguments: list[Value]) -> Value:
        """The value of a function that depends on where and when it is called."""
        ...


def evaluate(expr: Expr, names: Names, local: Mapping[str, Value] | None = None) -> Value:
    """Evaluate an expression; `local` holds the variables of the loops and lambdas around it."""
    return _Evaluation(names, local or {}).of(expr)


@dataclass(frozen=True, slots=True)
class _Function:
    """A lambda, which built-in functions call."""

    parameters: tuple[str, ...]
    body: Expr
    around: "_Evaluation"

    def __call__(self, *values: Value) -> Value:
        return self.around.inside(dict(zip(self.parameters, values, strict=True))).of(self.body)


@dataclass(frozen=True, slots=True)
class _Evaluation:
    names: Names
    local: Mapping[str, Value]

    def inside(self, more: dict[str, Value]) -> "_Evaluation":
        return _Evaluation(self.names, {**self.local, **more})

    def of(self, expr: Expr) -> Value:
        try:
            return EVALUATIONS[type(expr)](self, expr)
        except (AttributeError, LookupError, TypeError, ValueError) as error:  # a value of the wrong kind
            raise EvaluationError(f"line {expr.line}: {error}") from error

    def text(self, expr: Text) -> Value:
        return "".join(part if isinstance(part, str) else text(self.of(part)) for part in expr.parts)

    def name(self, expr: Name) -> Value:
        return self.local[expr.name] if expr.name in self.local else self.names.value(expr.name)

    def object(self, expr: Object) -> Value:
        return {self.of(entry.key): self.of(entry.value) for entry in expr.entries}

    def member(self, expr: Member) -> Value:
        return self._read(self.of(expr.of), expr.name, expr)

    def index(self, expr: Index) -> Value:
        container, index = self.of(expr.of), self.of(expr.index)
        if isinstance(index, str):
            return self._read(container, index, expr)
        if expr.safe and (container is None or index >= len(container)):
            return None
        if container is None or index >= len(container):
            raise EvaluationError(f"line {expr.line}: there is no item {index}")
        return container[index]

    def _read(self, container: Value, name: str, expr: Member | Index) -> Value:
        if isinstance(container, Reference):
            return container.read(name)
        if isinstance(container, dict) and name in container:
            return container[name]
        if expr.safe and (container is None or isinstance(container, dict)):
            return None
        raise EvaluationError(f"line {expr.line}: there is no {name} in {type(container).__name__}")

    def call(self, expr: Call) -> Value:
        arguments = [self.of(argument) for argument in expr.arguments]
        if expr.of is not None and not (isinstance(expr.of, Name) and expr.of.name in NAMESPACES):
            raise EvaluationError(f"line {expr.line}: {expr.function}() is known to Azure alone")
        built_in = BUILT_IN.get(expr.function)
        if built_in is not None and built_in.run is not None:
            return built_in.run(*arguments)
        return self.names.call(expr.function, arguments)

    def unary(self, expr: Unary) -> Value:
        value = self.of(expr.operand)
        return not value if expr.operator == "!" else -value

    def binary(self, expr: Binary) -> Value:
        left = self.of(expr.left)
        match expr.operator:
            case "??":
                return self.of(expr.right) if left is None else left
            case "&&":
                return bool(left) and bool(self.of(expr.right))
            case "||":
                return bool(left) or bool(self.of(expr.right))
            case operator:
                return OPERATORS[operator](left, self.of(expr.right))

    def ternary(self, expr: Ternary) -> Value:
        return self.of(expr.yes if self.of(expr.condition) else expr.no)

    def loop(self, expr: For) -> Value:
        return [self.inside(variables).of(expr.body) for variables in loop_variables(expr, self.of(expr.items))]


def loop_variables(loop: For, items: list[Value]) -> list[dict[str, Value]]:
    """What a loop's variables are, turn by turn."""
    counted = ({loop.variable: item, loop.counter or loop.variable: index} for index, item in enumerate(items))
    return [variables | {loop.variable: item} for variables, item in zip(counted, items, strict=True)]


EVALUATIONS: dict[type, Callable[[_Evaluation, Any], Value]] = {
    Text: _Evaluation.text,
    Literal: lambda _, expr: expr.value,
    Name: _Evaluation.name,
    Array: lambda evaluation, expr: [evaluation.of(item) for item in expr.items],
    Object: _Evaluation.object,
    Member: _Evaluation.member,
    Index: _Evaluation.index,
    Call: _Evaluation.call,
    Unary: _Evaluation.unary,
    Binary: _Evaluation.binary,
    Ternary: _Evaluation.ternary,
    Lambda: lambda evaluation, expr: _Function(expr.parameters, expr.body, evaluation),
    For: _Evaluation.loop,
}
