"""From syntax nodes to expressions.

The grammar finds the words, strings and brackets well but binds them wrongly: `!a.b` becomes `(!a).b`, `a => a.b`
becomes `(a => a).b`, and in a list `f(a)` becomes two items. So its trees of operators are taken apart into their words
and put together again here by precedence; what stands in brackets of its own is taken as it is.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from tree_sitter import Node

from tests.infra.bicep.syntax import (
    Array,
    Binary,
    Call,
    Entry,
    Expr,
    For,
    If,
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

PRECEDENCE = {
    operator: strength
    for strength, operators in enumerate(
        (("??",), ("||",), ("&&",), ("==", "!=", "=~", "!~"), ("<", "<=", ">", ">="), ("+", "-"), ("*", "/", "%")), 1
    )
    for operator in operators
}
OPERATED = frozenset(
    {
        "binary_expression",
        "unary_expression",
        "ternary_expression",
        "lambda_expression",
        "member_expression",
        "subscript_expression",
        "call_expression",
        "resource_expression",
    }
)
ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]+)\}|(.))")
ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'", "$": "$"}


class UnreadableError(Exception):
    """A file holds what this reader does not know; the text says where and what."""


def line_of(node: Node) -> int:
    """The line of a node, from 1."""
    return node.start_point[0] + 1


def text_of(node: Node) -> str:
    """What the file says there."""
    return (node.text or b"").decode()


def read_expression(node: Node) -> Expr:
    """Read an expression of any kind."""
    return _expression(_words(node))


def _expression(nodes: Iterable[Node]) -> Expr:
    words = _Words(nodes)
    expr = _operated(words, 0)
    if (left := words.peek()) is not None:
        raise UnreadableError(f"{line_of(left)}: unexpected {text_of(left)!r}")
    return expr


def _words(node: Node) -> Iterator[Node]:
    if node.type in OPERATED:
        for child in node.children:
            yield from _words(child)
    elif node.type not in ("comment", "diagnostic_comment"):
        yield node


class _Words:
    """The words of an expression, taken one after the other."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._nodes = list(nodes)
        self._next = 0

    def peek(self, ahead: int = 0) -> Node | None:
        place = self._next + ahead
        return self._nodes[place] if place < len(self._nodes) else None

    def take(self) -> Node:
        node = self._nodes[self._next]
        self._next += 1
        return node

    def taken(self, kind: str) -> bool:
        """Take the next word if it is of this kind."""
        node = self.peek()
        found = node is not None and node.type == kind
        self._next += found
        return found


def _operated(words: _Words, floor: int) -> Expr:
    """Read operators that bind at least as strongly as the floor; 0 takes a ternary or lambda too."""
    left = _unary(words)
    while (node := words.peek()) is not None and PRECEDENCE.get(node.type, 0) > floor:
        words.take()
        left = Binary(line_of(node), node.type, left, _operated(words, PRECEDENCE[node.type]))
    if floor == 0 and words.taken("?"):
        yes = _operated(words, 0)
        words.taken(":")
        return Ternary(left.line, left, yes, _operated(words, 0))
    return left


def _unary(words: _Words) -> Expr:
    node = words.take()
    if node.type in ("!", "-"):
        return Unary(line_of(node), node.type, _unary(words))
    arrow = words.peek()
    if arrow is not None and arrow.type == "=>":
        words.take()
        parameters = [text_of(child) for child in (node, *node.children) if child.type == "identifier"]
        return Lambda(line_of(node), tuple(parameters), _operated(words, 0))
    return _postfixed(_atom(node), words)


def _postfixed(expr: Expr, words: _Words) -> Expr:
    while (node := words.peek()) is not None:
        line = line_of(node)
        if node.type in (".", ".?", "::"):
            words.take()
            expr = Member(line, expr, text_of(words.take()), safe=node.type == ".?")
        elif node.type == "[":
            words.take()
            safe = words.taken("?")
            expr = Index(line, expr, _operated(words, 0), safe)
            words.taken("]")
        elif node.type == "array":  # in a list, `a[0]`
            expr = Index(line, expr, _inside(words.take()))
        elif node.type in ("arguments", "parenthesized_expression"):  # the latter in a list, `f(a)`
            expr = _called(expr, line, tuple(map(read_expression, filter(_meant, words.take().named_children))))
        elif node.type == "!":
            words.take()  # "not null, believe me"
        else:
            break
    return expr


def _called(function: Expr, line: int, arguments: tuple[Expr, ...]) -> Expr:
    match function:
        case Name(name=name):
            return Call(line, name, arguments)
        case Member(of=of, name=name):
            return Call(line, name, arguments, of)
        case _:
            raise UnreadableError(f"{line}: only a function can be called")


def _meant(node: Node) -> bool:
    return node.type not in ("comment", "diagnostic_comment")


def _atom(node: Node) -> Expr:
    if node.type not in ATOMS:
        raise UnreadableError(f"{line_of(node)}: {node.type} is not known to the reader")
    return ATOMS[node.type](node)


def _inside(node: Node) -> Expr:
    (inside,) = filter(_meant, node.named_children)
    return read_expression(inside)


def _array(node: Node) -> Array:
    """Read a list, whose items are apart by a comma or a new line."""
    items: list[list[Node]] = [[]]
    for child in filter(_meant, node.children[1:-1]):
        if child.type == "," or (items[-1] and line_of(child) > items[-1][-1].end_point[0] + 1):
            items.append([])
        if child.type != ",":
            items[-1] += _words(child)
    return Array(line_of(node), tuple(_expression(item) for item in items if item))


def _if(node: Node) -> If:
    condition, body = filter(_meant, node.named_children)
    return If(line_of(node), read_expression(condition), read_expression(body))


def read_object(node: Node) -> Object:
    """Read an object; its keys are words, strings, or strings with something interpolated."""
    entries = []
    for child in filter(_meant, node.named_children):
        parts = list(filter(_meant, child.named_children))
        if child.type != "object_property" or len(parts) != 2:
            raise UnreadableError(f"{line_of(child)}: in an object, write properties only")
        key, value = parts
        name = read_text(key) if key.type == "string" else Text(line_of(key), (text_of(key),))
        entries.append(Entry(line_of(child), name, read_expression(value)))
    return Object(line_of(node), tuple(entries))


def read_for(node: Node) -> For:
    """Read `[for item in items: body]` or `[for (item, i) in items: body]`."""
    variables, items, body = filter(_meant, node.named_children)
    names = [text_of(child) for child in variables.named_children] or [text_of(variables)]
    counter = names[1] if len(names) > 1 else None
    return For(line_of(node), names[0], counter, read_expression(items), read_expression(body))


def read_text(node: Node) -> Text:
    """Read a string: `'…'` with escapes and interpolation, or `'''…'''`, in which both are plain text."""
    source, start = node.text or b"", node.start_byte
    if source.startswith(b"'''"):
        return Text(line_of(node), (source[3:-3].decode().removeprefix("\r").removeprefix("\n"),))
    parts: list[str | Expr] = []
    place = 1
    for child in node.children:
        if child.type == "interpolation":
            parts += [_unescaped(source[place : child.start_byte - start]), _inside(child)]
            place = child.end_byte - start
    parts.append(_unescaped(source[place:-1]))
    return Text(line_of(node), tuple(part for part in parts if part != ""))


def _unescaped(source: bytes) -> str:
    return ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else ESCAPED[found[2]], source.decode())


ATOMS: dict[str, Callable[[Node], Expr]] = {
    "identifier": lambda node: Name(line_of(node), text_of(node)),
    "number": lambda node: Literal(line_of(node), int(text_of(node))),
    "boolean": lambda node: Literal(line_of(node), text_of(node) == "true"),
    "null": lambda node: Literal(line_of(node), None),
    "string": read_text,
    "parenthesized_expression": _inside,
    "array": _array,
    "object": read_object,
    "for_statement": read_for,
    "if_statement": _if,
}
