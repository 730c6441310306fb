"""What must be known before a deployment begins, and what may only stand in certain places of a file.

The compiler decides these, and says no: names, conditions and loops cannot wait for what a resource or a module tells
once it is there; a param's default knows the other params only; a loop is the whole value of something.
"""

from collections.abc import Iterator

from tests.infra.bicep.bodies import chain_of
from tests.infra.bicep.declarations import Declaration, Function, Param, Placed, Template
from tests.infra.bicep.symbols import free_names
from tests.infra.bicep.syntax import Array, Expr, For, If, Name, Object, children, walk

KNOWN_BEFORE = ("id", "name", "type", "apiVersion")


def late_values(template: Template) -> list[str]:
    """Names, conditions, scopes and the items of loops do not depend on what is only known afterwards."""
    placed = [*template.resources.values(), *template.modules.values()]
    return [
        f"{template.path.name}:{expr.line}: {declaration.name}: its {what} needs {late}, which is not known in time"
        for declaration in placed
        for what, expr in _early(declaration)
        for late in sorted(set(_late_in(expr, template)))
    ]


def _early(placed: Placed) -> Iterator[tuple[str, Expr]]:
    for what in ("name", "scope", "parent"):
        if (expr := placed.body.get(what)) is not None:
            yield what, expr
    if placed.condition is not None:
        yield "condition", placed.condition
    if placed.loop is not None:
        yield "loop", placed.loop.items


def _late_in(expr: Expr, template: Template) -> Iterator[str]:
    """What in an expression, and in the variables that it names, is only known once something is deployed."""
    chain = chain_of(expr)
    if chain and (chain[0] in template.resources or chain[0] in template.modules):
        if len(chain) > 1 and chain[1] not in KNOWN_BEFORE:
            yield ".".join(chain)
    elif isinstance(expr, Name):
        if expr.name in template.variables:
            yield from _late_in(template.variables[expr.name].value, template)
    else:
        for child in children(expr):
            yield from _late_in(child, template)


def unreachable_names(template: Template) -> list[str]:
    """A param's default and its decorators name other params only; a function names what it is given only."""
    declarations = {declaration.name: declaration for declaration in template.declarations}
    return [
        f"{template.path.name}:{name.line}: {declaration.name} cannot know {name.name}"
        for declaration, root in template.roots
        if isinstance(declaration, Param | Function)
        for name in free_names(root, frozenset())
        if name.name in declarations and not _is_known(declarations[name.name], declaration)
    ]


def _is_known(named: Declaration, to: Declaration) -> bool:
    return isinstance(to, Param) and isinstance(named, Param)


def misplaced_loops(template: Template) -> list[str]:
    """A loop is the value of a variable, an output, a resource or a module, or of a property of the latter two."""
    return [
        f"{template.path.name}:{loop.line}: {declaration.name}: a loop cannot stand inside an expression; use map()"
        for declaration, root in template.roots
        for loop in _misplaced(root, inside=isinstance(declaration, Placed))
    ]


def _misplaced(root: Expr, *, inside: bool) -> Iterator[For]:
    allowed = {id(root)}
    body = root.body if isinstance(root, For) else root
    if inside:
        allowed |= {id(value) for value in _property_values(body.body if isinstance(body, If) else body)}
    yield from (expr for expr in walk(root) if isinstance(expr, For) and id(expr) not in allowed)


def _property_values(expr: Expr) -> Iterator[Expr]:
    """The values of an object's properties, however deep, through lists and loops too."""
    match expr:
        case Object(entries=entries):
            for entry in entries:
                yield entry.value
                yield from _property_values(entry.value)
        case Array(items=items):
            for item in items:
                yield from _property_values(item)
        case For(body=body):
            yield from _property_values(body)
        case _:
            pass
