"""From a Bicep file to what it declares.

Anything that the grammar or this reader does not know is a failure that names file and line: a file that is read in
part would be checked in part.
"""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import cast

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

from tests.infra.bicep.declarations import (
    Declaration,
    Decorator,
    Field,
    Function,
    ListOf,
    Module,
    Named,
    Nullable,
    OneOf,
    Output,
    Param,
    Record,
    Resource,
    Template,
    Type,
    TypeDefinition,
    Variable,
)
from tests.infra.bicep.expressions import UnreadableError, line_of, read_expression, read_text, text_of
from tests.infra.bicep.syntax import Call, Expr, For, If, Literal, Object, Text

LANGUAGE = Language(tree_sitter_bicep.language())


@cache
def read_template(path: Path) -> Template:
    """Read a file.

    Raises:
        UnreadableError: if anything in it is not understood; a line for each place.
    """
    root = Parser(LANGUAGE).parse(path.read_bytes()).root_node
    if problems := [f"{path.name}:{problem}" for problem in _broken(root)]:
        raise UnreadableError("\n".join(problems))
    try:
        return _template(path, root)
    except UnreadableError as error:
        raise UnreadableError(f"{path.name}:{error}") from None


def _broken(node: Node) -> Iterator[str]:
    if node.is_error or node.is_missing:
        yield f"{line_of(node)}: not Bicep as the grammar knows it, at {text_of(node)[:40]!r}"
    elif node.has_error:
        for child in node.children:
            yield from _broken(child)


def _template(path: Path, root: Node) -> Template:
    scope = "resourceGroup"
    declared: dict[type[Declaration], dict[str, Declaration]] = {kind: {} for kind, _ in DECLARATIONS.values()}
    decorators: tuple[Decorator, ...] = ()
    names: set[str] = set()
    for node in root.named_children:
        if node.type == "decorators":
            decorators = tuple(_decorator(child) for child in node.named_children if child.type == "decorator")
        elif node.type == "target_scope_assignment":
            scope = read_text(node.named_children[0]).plain or ""
        elif node.type in DECLARATIONS:
            kind, read = DECLARATIONS[node.type]
            declaration = read(node, decorators)
            if declaration.name in names and kind is not Output:
                raise UnreadableError(f"{declaration.line}: {declaration.name} is declared twice")
            names |= {declaration.name} if kind is not Output else set()
            declared[kind][declaration.name] = declaration
            decorators = ()
        elif node.type not in ("comment", "diagnostic_comment", "metadata_declaration"):
            raise UnreadableError(f"{line_of(node)}: {node.type} is not known to the reader")

    def of[D: Declaration](kind: type[D]) -> dict[str, D]:
        return cast("dict[str, D]", declared[kind])

    return Template(
        path=path,
        scope=scope,
        params=of(Param),
        types=of(TypeDefinition),
        variables=of(Variable),
        functions=of(Function),
        resources=of(Resource),
        modules=of(Module),
        outputs=of(Output),
    )


def _decorator(node: Node) -> Decorator:
    call = read_expression(node.named_children[0])
    if not isinstance(call, Call):
        raise UnreadableError(f"{line_of(node)}: a decorator is a call")
    return Decorator(call.line, call.function, call.arguments)


def _words(node: Node) -> list[Node]:
    return [child for child in node.named_children if child.type not in ("comment", "diagnostic_comment")]


def _param(node: Node, decorators: tuple[Decorator, ...]) -> Param:
    name, kind, *default = _words(node)
    value = read_expression(default[0]) if default else None
    return Param(line_of(node), text_of(name), decorators, read_type(kind), value)


def _type(node: Node, decorators: tuple[Decorator, ...]) -> TypeDefinition:
    name, definition = _words(node)
    return TypeDefinition(line_of(node), text_of(name), decorators, read_type(definition))


def _variable(node: Node, decorators: tuple[Decorator, ...]) -> Variable:
    name, *_, value = _words(node)
    return Variable(line_of(node), text_of(name), decorators, read_expression(value))


def _output(node: Node, decorators: tuple[Decorator, ...]) -> Output:
    name, kind, value = _words(node)
    return Output(line_of(node), text_of(name), decorators, read_type(kind), read_expression(value))


def _function(node: Node, decorators: tuple[Decorator, ...]) -> Function:
    name, parameters, _, body = _words(node)
    names = tuple(text_of(parameter.named_children[0]) for parameter in parameters.named_children)
    return Function(line_of(node), text_of(name), decorators, names, read_expression(body))


def _placed(node: Node) -> tuple[str, str, For | None, Expr | None, Object]:
    """The parts that a resource and a module share: symbol, quoted text, loop, condition, body."""
    symbol, quoted, value = _words(node)
    body = read_expression(value)
    loop = condition = None
    if isinstance(body, For):
        loop, body = body, body.body
    if isinstance(body, If):
        condition, body = body.condition, body.body
    if not isinstance(body, Object):
        raise UnreadableError(f"{line_of(node)}: the body of {text_of(symbol)} is not an object")
    return text_of(symbol), read_text(quoted).plain or "", loop, condition, body


def _resource(node: Node, decorators: tuple[Decorator, ...]) -> Resource:
    symbol, quoted, loop, condition, body = _placed(node)
    kind, _, version = quoted.partition("@")
    existing = any(child.type == "existing" for child in node.children)
    return Resource(line_of(node), symbol, decorators, loop, condition, body, kind, version, existing)


def _module(node: Node, decorators: tuple[Decorator, ...]) -> Module:
    symbol, path, loop, condition, body = _placed(node)
    return Module(line_of(node), symbol, decorators, loop, condition, body, path)


def read_type(node: Node) -> Type:
    """Read what stands where a type does."""
    words = _words(node)
    match node.type:
        case "type":
            return read_type(words[0])
        case "primitive_type" | "identifier":
            return Named(text_of(node))
        case "array_type":
            return ListOf(read_type(words[0]))
        case "nullable_type":
            return Nullable(read_type(words[0]))
        case "object":
            return _record(node)
        case _:
            return OneOf(_values(node))


def _values(node: Node) -> tuple[str | int | bool | None, ...]:
    if node.type == "union_type":
        return tuple(value for word in _words(node) for value in _values(word))
    match read_expression(node):
        case Text(plain=str(text)):
            return (text,)
        case Literal(value=value):
            return (value,)
        case _:
            raise UnreadableError(f"{line_of(node)}: a union is of literals")


def _record(node: Node) -> Record:
    fields: dict[str, Field] = {}
    rest: Type | None = None
    decorators: tuple[Decorator, ...] = ()
    for child in _words(node):
        if child.type == "decorators":
            decorators = tuple(_decorator(part) for part in child.named_children if part.type == "decorator")
            continue
        *key, value = _words(child)
        if key:
            name = read_text(key[0]).plain or "" if key[0].type == "string" else text_of(key[0])
            fields[name] = Field(read_type(value), decorators)
        else:
            rest = read_type(value)  # `*: type`
        decorators = ()
    return Record(fields, rest)


type Reader = Callable[[Node, tuple[Decorator, ...]], Declaration]
DECLARATIONS: dict[str, tuple[type[Declaration], Reader]] = {
    "parameter_declaration": (Param, _param),
    "type_declaration": (TypeDefinition, _type),
    "variable_declaration": (Variable, _variable),
    "user_defined_function": (Function, _function),
    "resource_declaration": (Resource, _resource),
    "module_declaration": (Module, _module),
    "output_declaration": (Output, _output),
}
