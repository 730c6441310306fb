"""The names in a file: each is declared, each is used, each function is called as it may be."""

from collections.abc import Iterator

from tests.infra.bicep.declarations import Declaration, ListOf, Named, Nullable, OneOf, Param, Record, Template, Type
from tests.infra.bicep.functions import BUILT_IN
from tests.infra.bicep.syntax import Binary, Call, Expr, For, Lambda, Name, Ternary, children, walk

NAMESPACES = ("az", "sys")
OF_RESOURCES = ("getSecret",)  # and list…()
DEFAULTS_ONLY = ("newGuid", "utcNow")
WORDS = ("string", "int", "bool", "object", "array", "any")
DECORATORS = (
    "allowed", "batchSize", "description", "discriminator", "export", "maxLength", "maxValue", "metadata", "minLength",
    "minValue", "onlyIfNotExists", "sealed", "secure",
)  # fmt: skip


def undefined_names(template: Template) -> list[str]:
    """No expression names what is not declared, and no type either."""
    known = {declaration.name for declaration in template.declarations} | set(NAMESPACES)
    problems = [
        f"{template.path.name}:{name.line}: {name.name} is not declared"
        for _, root in template.roots
        for name in free_names(root, frozenset())
        if name.name not in known
    ]
    return problems + [
        f"{template.path.name}:{declaration.line}: {name} is not a type"
        for declaration, kind in _typed(template)
        for name in named_types(kind)
        if name not in WORDS and name not in template.types
    ]


def free_names(expr: Expr, local: frozenset[str]) -> Iterator[Name]:
    """The names that must be declared outside the expression."""
    match expr:
        case Name(name=name):
            yield from [expr] if name not in local else []
        case Lambda(parameters=parameters, body=body):
            yield from free_names(body, local | set(parameters))
        case For(variable=variable, counter=counter, items=items, body=body):
            yield from free_names(items, local)
            yield from free_names(body, local | {variable, counter or variable})
        case _:
            for child in children(expr):
                yield from free_names(child, local)


def _typed(template: Template) -> Iterator[tuple[Declaration, Type]]:
    yield from ((param, param.type) for param in template.params.values())
    yield from ((output, output.type) for output in template.outputs.values())
    yield from ((definition, definition.type) for definition in template.types.values())


def named_types(kind: Type) -> Iterator[str]:
    """The types that a type names."""
    match kind:
        case Named(name=name):
            yield name
        case ListOf(item=item) | Nullable(item=item):
            yield from named_types(item)
        case Record(fields=fields, rest=rest):
            for inside in [*(field.type for field in fields.values()), *([rest] if rest else [])]:
                yield from named_types(inside)
        case OneOf():
            pass


def unused_declarations(template: Template) -> list[str]:
    """Nothing is declared in vain: no param, var, function, type, nor a resource that exists already."""
    used = {
        name.name if isinstance(name, Name) else name.function
        for declaration, root in template.roots
        for name in walk(root)
        if isinstance(name, Name | Call) and getattr(name, "name", None) != declaration.name
    }
    types = {name for _, kind in _typed(template) for name in named_types(kind)}
    idle = [*template.params.values(), *template.variables.values(), *template.functions.values()]
    standing = [resource for resource in template.resources.values() if resource.existing]
    forgotten: list[Declaration] = [declaration for declaration in (*idle, *standing) if declaration.name not in used]
    forgotten += [definition for definition in template.types.values() if definition.name not in types]
    return [f"{template.path.name}:{declaration.line}: {declaration.name} is not used" for declaration in forgotten]


def wrong_calls(template: Template) -> list[str]:
    """Each function exists, takes as many arguments as it is given, and may be called where it is."""
    return [
        f"{template.path.name}:{call.line}: {problem}"
        for declaration, root in template.roots
        for call in walk(root)
        if isinstance(call, Call) and (problem := _wrong(call, declaration, template))
    ]


def _wrong(call: Call, declaration: Declaration, template: Template) -> str | None:
    name, given = call.function, len(call.arguments)
    if call.of is not None and not (isinstance(call.of, Name) and call.of.name in NAMESPACES):
        return None if name in OF_RESOURCES or name.startswith("list") else f"{name}() is no function of a resource"
    if name not in BUILT_IN and name not in template.functions:
        return f"{name}() is not a function"
    if name in DEFAULTS_ONLY and not isinstance(declaration, Param):
        return f"{name}() may only stand in the default of a param"
    if name == "resourceGroup" and not given and template.scope == "subscription":
        return "resourceGroup() needs a name where the target is a subscription"
    own = template.functions.get(name)
    least, most = (len(own.parameters),) * 2 if own else (BUILT_IN[name].least, BUILT_IN[name].most)
    return None if least <= given <= most else f"{name}() takes {least} to {most} arguments, not {given}"


def unguarded_fails(template: Template) -> list[str]:
    """fail() stands where it is only reached if something is wrong: in a branch, or after `??`."""
    guarded = {id(branch) for _, root in template.roots for expr in walk(root) for branch in _guarded(expr)}
    return [
        f"{template.path.name}:{call.line}: fail() is reached whatever the parameters are"
        for _, root in template.roots
        for call in walk(root)
        if isinstance(call, Call) and call.function == "fail" and id(call) not in guarded
    ]


def _guarded(expr: Expr) -> tuple[Expr, ...]:
    match expr:
        case Ternary(yes=yes, no=no):
            return (yes, no)
        case Binary(operator="??", right=right):
            return (right,)
        case _:
            return ()


def unknown_decorators(template: Template) -> list[str]:
    """Each decorator is one of Bicep's."""
    declarations = [*template.declarations, *template.outputs.values(), *template.types.values()]
    return [
        f"{template.path.name}:{decorator.line}: @{decorator.name}() is not a decorator"
        for declaration in declarations
        for decorator in declaration.decorators
        if decorator.name not in DECORATORS
    ]
