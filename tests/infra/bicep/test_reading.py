"""What a file says is read as Bicep means it, wherever the grammar binds otherwise."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.infra.bicep.declarations import ListOf, Named, Nullable, OneOf, Record, Template
from tests.infra.bicep.reading import read_template
from tests.infra.bicep.syntax import (
    Array,
    Binary,
    Call,
    Expr,
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


def read(tmp_path: Path, text: str) -> Template:
    path = tmp_path / "main.bicep"
    path.write_text(text)
    return read_template(path)


SHOWN: dict[type, Callable[[Any], str]] = {
    Name: lambda it: it.name,
    Literal: lambda it: str(it.value),
    Text: lambda it: "'" + "".join(p if isinstance(p, str) else f"${{{shown(p)}}}" for p in it.parts) + "'",
    Unary: lambda it: f"({it.operator}{shown(it.operand)})",
    Binary: lambda it: f"({shown(it.left)} {it.operator} {shown(it.right)})",
    Ternary: lambda it: f"({shown(it.condition)} ? {shown(it.yes)} : {shown(it.no)})",
    Lambda: lambda it: f"({' '.join(it.parameters)} => {shown(it.body)})",
    Member: lambda it: f"{shown(it.of)}{'.?' if it.safe else '.'}{it.name}",
    Index: lambda it: f"{shown(it.of)}[{'?' if it.safe else ''}{shown(it.index)}]",
    Call: lambda it: f"{shown(it.of) + '.' if it.of else ''}{it.function}({', '.join(map(shown, it.arguments))})",
    Array: lambda it: f"[{', '.join(map(shown, it.items))}]",
    Object: lambda it: f"{{{', '.join(f'{shown(entry.key)}: {shown(entry.value)}' for entry in it.entries)}}}",
}


def shown(expr: Expr) -> str:
    """An expression with brackets around everything that belongs together."""
    return SHOWN[type(expr)](expr)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("!a.b", "(!a.b)"),
        ("!f(a).b && c", "((!f(a).b) && c)"),
        ("-a.b + c", "((-a.b) + c)"),
        ("a == 1 && b.c", "((a == 1) && b.c)"),
        ("a || b.c && d.e", "(a || (b.c && d.e))"),
        ("a + b.c * d", "(a + (b.c * d))"),
        ("a - b - c", "((a - b) - c)"),
        ("a < b == c >= d", "((a < b) == (c >= d))"),
        ("a ?? b ?? c", "((a ?? b) ?? c)"),
        ("(a ?? b) == c", "((a ?? b) == c)"),
        ("a ? b.c : d ? e : f.g", "(a ? b.c : (d ? e : f.g))"),
        ("map(a, b => b.c)", "map(a, (b => b.c))"),
        ("map(a, b => b.c == d && e[0].f)", "map(a, (b => ((b.c == d) && e[0].f)))"),
        ("map(a, (b, i) => i > 0 ? b.c : b.d)", "map(a, (b i => ((i > 0) ? b.c : b.d)))"),
        ("reduce(a, {}, (b, c) => union(b, { d: c.e }))", "reduce(a, {}, (b c => union(b, {'d': c.e})))"),
        ("a.?b.?c ?? 'd'", "(a.?b.?c ?? 'd')"),
        ("a[?0].?b", "a[?0].?b"),
        ("a[0]!.b!.c", "a[0].b.c"),
        ("a.listKeys().keys[0].value", "a.listKeys().keys[0].value"),
        ("az.resourceGroup().id", "az.resourceGroup().id"),
        ("[f(a), b[0], (c)]", "[f(a), b[0], c]"),
        ("[\n  f(a)\n  // why\n  b.c[0]\n  {\n    d: e\n  }\n]", "[f(a), b.c[0], {'d': e}]"),
        ("[\n  a\n    ? b\n    : c\n  d\n]", "[(a ? b : c), d]"),
        ("{\n  a: 1 // one\n  'b-c': f(d)\n  '${e}': [g]\n}", "{'a': 1, 'b-c': f(d), '${e}': [g]}"),
        ("'a ${b.c} d${e ? 'f' : 'g'}'", "'a ${b.c} d${(e ? 'f' : 'g')}'"),
    ],
)
def test_an_expression_is_bound_as_bicep_binds_it(written: str, meant: str, tmp_path: Path) -> None:
    template = read(tmp_path, f"var value = {written}\n")

    assert shown(template.variables["value"].value) == meant


def test_types_are_read(tmp_path: Path) -> None:
    template = read(
        tmp_path,
        "param a 'x' | 'y'\nparam b f[]\nparam c string?\n"
        "type f = {\n  @minValue(1)\n  d: int?\n  *: e\n}\ntype e = bool\n",
    )

    assert template.params["a"].type == OneOf(("x", "y"))
    assert template.params["b"].type == ListOf(Named("f"))
    assert not template.params["c"].required
    record = template.types["f"].type
    assert isinstance(record, Record)
    assert record.fields["d"].type == Nullable(Named("int"))
    assert [decorator.name for decorator in record.fields["d"].decorators] == ["minValue"]
    assert record.rest == Named("e")


def test_loops_and_conditions_of_resources_are_read(tmp_path: Path) -> None:
    template = read(
        tmp_path,
        "resource a 'B/c@1' existing = if (d) { name: 'a' }\n"
        "@batchSize(1)\nresource e 'B/c@2' = [for (f, i) in g: if (f.h) { name: f.name }]\n",
    )

    a, e = template.resources["a"], template.resources["e"]
    assert (a.type, a.version, a.existing, a.loop) == ("B/c", "1", True, None)
    assert a.condition is not None
    assert shown(a.condition) == "d"
    assert e.loop is not None
    assert (e.loop.variable, e.loop.counter, shown(e.loop.items), e.decorators[0].name) == ("f", "i", "g", "batchSize")
    assert e.condition is not None
    assert shown(e.condition) == "f.h"
