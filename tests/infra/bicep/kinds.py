"""What kind of value an expression has, as far as the files alone tell."""

from collections.abc import Iterator

from tests.infra.bicep.declarations import ListOf, Named, Nullable, OneOf, Param, Record, Template, Type
from tests.infra.bicep.functions import BUILT_IN
from tests.infra.bicep.syntax import Array, Binary, Call, Expr, For, Lambda, Literal, Name, Object, Ternary, Text, Unary

ARITHMETIC = ("+", "-", "*", "/", "%")
WRITTEN = {Text: "string", Array: "array", For: "array", Object: "object"}


def kind_of_type(kind: Type, template: Template) -> str | None:
    """The kind of a declared type: string, int, bool, array, object; None: any, or null."""
    match kind:
        case Named(name=name):
            if name in template.types:
                return kind_of_type(template.types[name].type, template)
            return None if name == "any" else name
        case OneOf(values=values):
            kinds = {_kind_of_value(value) for value in values}
            return kinds.pop() if len(kinds) == 1 else None
        case ListOf():
            return "array"
        case Record():
            return "object"
        case Nullable():
            return None


def _kind_of_value(value: object) -> str | None:
    return {str: "string", int: "int", bool: "bool"}.get(type(value))


def kind_of(expr: Expr, template: Template) -> str | None:
    """The kind of an expression's value; None if the file does not tell."""
    if type(expr) in WRITTEN:
        return WRITTEN[type(expr)]
    match expr:
        case Literal(value=value):
            return _kind_of_value(value)
        case Ternary(yes=yes, no=no) | Binary(operator="??", left=yes, right=no):
            kinds = {kind_of(yes, template), kind_of(no, template)}
            return kinds.pop() if len(kinds) == 1 else None
        case Unary(operator=operator) | Binary(operator=operator):
            return "int" if operator in ARITHMETIC else "bool"
        case Call(function=name, of=None) | Name(name=name):
            return _kind_of_name(name, template)
        case _:
            return None


def _kind_of_name(name: str, template: Template) -> str | None:
    if name in template.variables:
        return kind_of(template.variables[name].value, template)
    if name in template.params:
        return kind_of_type(template.params[name].type, template)
    return BUILT_IN[name].kind if name in BUILT_IN else None


def possible_values(expr: Expr, template: Template) -> Iterator[Expr]:
    """The expressions that could become this one's value: through variables, branches and what is joined."""
    match expr:
        case Name(name=name) if name in template.variables:
            yield from possible_values(template.variables[name].value, template)
        case Ternary(yes=yes, no=no) | Binary(operator="??", left=yes, right=no):
            yield from possible_values(yes, template)
            yield from possible_values(no, template)
        case Call(function="any", arguments=(inside,)):
            yield from possible_values(inside, template)
        case _:
            yield expr


def items_of(expr: Expr, template: Template) -> Iterator[Expr]:
    """The expressions that could become an item of this one's value."""
    for value in possible_values(expr, template):
        match value:
            case Array(items=items):
                for item in items:
                    yield from possible_values(item, template)
            case For(body=body) | Call(function="map", arguments=(_, Lambda(body=body))):
                yield from possible_values(body, template)
            case Call(function="concat" | "union", arguments=parts):
                for part in parts:
                    yield from items_of(part, template)
            case Call(function="filter", arguments=(items_, _)):
                yield from items_of(items_, template)
            case _:
                pass


def allowed_values(param: Param, template: Template) -> tuple[str | int | bool | None, ...] | None:
    """The only values that a param takes, where its type or @allowed() says so."""
    kind = param.type.item if isinstance(param.type, Nullable) else param.type
    if isinstance(kind, Named) and kind.name in template.types:
        kind = template.types[kind.name].type
    if isinstance(kind, OneOf):
        return kind.values
    decorator = param.decorator("allowed")
    if decorator is None or not isinstance(decorator.arguments[0], Array):
        return None
    return tuple(_literal(item) for item in decorator.arguments[0].items)


def _literal(expr: Expr) -> str | int | bool | None:
    match expr:
        case Text(plain=plain):
            return plain
        case Literal(value=value):
            return value
        case _:
            raise ValueError(f"line {expr.line}: a list of allowed values holds literals")
