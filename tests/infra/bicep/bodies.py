"""What is written into resources, and read out of them, against the shapes that Azure takes.

A value is followed through variables, branches, loops and joined objects to what is written out; what comes from
somewhere else (a param's value) is only checked for its kind. So a misspelt name is found wherever it is written.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.infra.bicep.declarations import Resource, Template
from tests.infra.bicep.kinds import allowed_values, items_of, kind_of, possible_values
from tests.infra.bicep.shapes import Shape, shape_of
from tests.infra.bicep.syntax import Array, Call, Expr, For, Index, Lambda, Literal, Member, Name, Object, Text, walk

OF_BICEP = ("parent", "scope", "dependsOn")  # they say where and when, and are not sent to Azure
OF_EXISTING = ("name", "parent", "scope")
ALWAYS_READABLE = ("id", "type", "apiVersion")
type Found = tuple[int, str]


@dataclass(frozen=True, slots=True)
class _Checked:
    """Where one value is being checked."""

    template: Template
    path: str

    def below(self, name: str) -> "_Checked":
        return _Checked(self.template, f"{self.path}.{name}" if self.path else name)


def misfitting_bodies(template: Template) -> list[str]:
    """Property names, nesting, literals, required and read-only properties fit the shape of the resource's type."""
    return [
        f"{template.path.name}:{line}: {resource.name}: {problem}"
        for resource in template.resources.values()
        for line, problem in _misfits_of(resource, template)
    ]


def _misfits_of(resource: Resource, template: Template) -> Iterator[Found]:
    shape = shape_of(resource.type, resource.version)
    if shape is None:
        yield resource.line, f"no shape of {resource.type}@{resource.version} is known; add its facts to shapes/"
    elif resource.existing:
        yield from (
            (entry.line, f"{entry.key.plain} cannot be set on what exists")
            for entry in resource.body.entries
            if entry.key.plain not in OF_EXISTING
        )
    else:
        body = tuple(entry for entry in resource.body.entries if entry.key.plain not in OF_BICEP)
        yield from _misfits(Object(resource.body.line, body), shape.body, _Checked(template, ""))


def _misfits(expr: Expr, shape: Shape, at: _Checked) -> Iterator[Found]:
    if "any" in shape.words:
        return
    for value in possible_values(expr, at.template):
        match value:
            case Object():
                yield from _object_misfits(value, shape, at, whole=True)
            case Call(function="union", arguments=parts) if shape.is_object:
                written = (option for part in parts for option in possible_values(part, at.template))
                for option in written:
                    yield from _object_misfits(option, shape, at, whole=False) if isinstance(option, Object) else ()
            case Call(function="toObject", arguments=(_, _, Lambda(body=body))) if shape.rest is not None:
                yield from _misfits(body, shape.rest, at.below("…"))
            case _ if shape.item is not None and _is_list(value, at.template):
                for item in items_of(value, at.template):
                    yield from _misfits(item, shape.item, at.below("[]"))
            case _:
                yield from _scalar_misfits(value, shape, at)


def _is_list(value: Expr, template: Template) -> bool:
    return isinstance(value, Array | For) or kind_of(value, template) in ("array", None)


def _object_misfits(value: Object, shape: Shape, at: _Checked, *, whole: bool) -> Iterator[Found]:
    if not shape.is_object:
        yield value.line, f"{at.path} is not an object"
        return
    for entry in value.entries:
        name = entry.key.plain
        known = shape.properties.get(name) if name is not None else None
        inside = known.shape if known else shape.rest
        if known and known.readonly:
            yield entry.line, f"{at.below(str(name)).path} is read-only"
        elif inside is None:
            yield entry.line, f"{at.below(name or '…').path} is not a property; there are {', '.join(shape.properties)}"
        else:
            yield from _misfits(entry.value, inside, at.below(name or "…"))
    computed = any(entry.key.plain is None for entry in value.entries)
    missing = [name for name, known in shape.properties.items() if known.required and value.get(name) is None]
    if whole and not computed:
        yield from ((value.line, f"{at.below(name).path} is missing") for name in missing)


def _scalar_misfits(value: Expr, shape: Shape, at: _Checked) -> Iterator[Found]:
    options = [value]
    if isinstance(value, Name) and (param := at.template.params.get(value.name)):
        allowed = allowed_values(param, at.template) or ()
        options = [
            Text(value.line, (item,)) if isinstance(item, str) else Literal(value.line, item) for item in allowed
        ] or options
    for option in options:
        kind = kind_of(option, at.template)
        if isinstance(option, Text) and option.plain is not None and "string" not in shape.words and shape.texts:
            if option.plain not in shape.texts:
                yield value.line, f"{at.path} is one of {', '.join(sorted(shape.texts))}, not {option.plain!r}"
        elif kind is not None and kind not in _kinds(shape):
            yield value.line, f"{at.path} is {' or '.join(sorted(_kinds(shape)))}, not {kind}"


def _kinds(shape: Shape) -> set[str]:
    structure = {"object"} if shape.is_object else {"array"} if shape.item else set()
    return set(shape.words) | ({"string"} if shape.texts else set()) | structure


def unknown_reads(template: Template) -> list[str]:
    """What is read of a resource is a property of its type."""
    chains = [
        (expr, chain)
        for _, root in template.roots
        for expr in walk(root)
        if (chain := chain_of(expr)) and chain[0] in template.resources
    ]
    return [
        f"{template.path.name}:{expr.line}: {'.'.join(chain)} is not a property of {resource.type}@{resource.version}"
        for expr, chain in chains
        for resource in [template.resources[chain[0]]]
        if not _is_readable(chain[1:], resource)
    ]


def chain_of(expr: Expr) -> tuple[str, ...]:
    """The names in `a.b.c`; what stands in brackets after a loop's symbol is passed over."""
    match expr:
        case Name(name=name):
            return (name,)
        case Member(of=of, name=name):
            chain = chain_of(of)
            return (*chain, name) if chain else ()
        case Index(of=Name() as of):
            return chain_of(of)
        case _:
            return ()


def _is_readable(path: tuple[str, ...], resource: Resource) -> bool:
    shape = shape_of(resource.type, resource.version)
    if shape is None or not path or path[0] in ALWAYS_READABLE:
        return True  # a missing shape is reported where the resource stands
    inside: Shape | None = shape.body
    for name in path:
        if inside is None or "any" in inside.words:
            return inside is not None
        inside = inside.properties[name].shape if name in inside.properties else inside.rest
    return inside is not None
