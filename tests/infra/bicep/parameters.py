"""What a param may be given: Azure refuses a deployment, in one line that names the param, before it makes anything."""

from collections.abc import Iterator, Mapping

from tests.infra.bicep.declarations import Decorator, ListOf, Named, Nullable, OneOf, Param, Record, Template, Type
from tests.infra.bicep.functions import DeploymentStopped, Value, contains
from tests.infra.bicep.kinds import allowed_values
from tests.infra.bicep.syntax import Literal, Unary

PYTHON = {"string": str, "int": int, "bool": bool, "array": list, "object": dict}
BOUNDS = ("minValue", "maxValue", "minLength", "maxLength")


def check_parameters(template: Template, given: Mapping[str, Value]) -> None:
    """Check that a file's params can be given these values.

    Raises:
        DeploymentStopped: if one is unknown, missing, or has a value that it does not take.
    """
    for name in given:
        if name not in template.params:
            raise DeploymentStopped(f"{name}: {template.path.name} has no such parameter")
    for param in template.params.values():
        if param.required and param.name not in given:
            raise DeploymentStopped(f"{param.name}: is required")


def check_param(param: Param, value: Value, template: Template) -> None:
    """Check a param's value, whether it was given or is the default.

    Raises:
        DeploymentStopped: if the param does not take it.
    """
    stop_at(_misfits(value, param.type, template), param.name)
    allowed = allowed_values(param, template)
    if allowed is not None and not all(contains(list(allowed), item) for item in _each(value)):
        raise DeploymentStopped(f"{param.name}: is one of {', '.join(map(str, allowed))}, not {value}")
    stop_at(_out_of_bounds(value, param.decorators), param.name)


def check_output(name: str, value: Value, kind: Type, template: Template) -> None:
    """Check that an output is of its type.

    Raises:
        DeploymentStopped: if it is not.
    """
    stop_at(_misfits(value, kind, template), f"output {name}")


def stop_at(problems: Iterator[str], name: str) -> None:
    """Stop at the first problem, if there is one."""
    for problem in problems:
        raise DeploymentStopped(f"{name}{problem}")


def _each(value: Value) -> list[Value]:
    return value if isinstance(value, list) else [value]


def _misfits(value: Value, kind: Type, template: Template) -> Iterator[str]:
    """What is wrong with a value, as text that continues the name of what has it."""
    match kind:
        case Nullable(item=item):
            yield from () if value is None else _misfits(value, item, template)
        case Named(name="any"):
            pass
        case Named(name=name) if name in template.types:
            yield from _misfits(value, template.types[name].type, template)
        case Named(name=name):
            if type(value) is not PYTHON[name]:
                yield f": is {name}, not {value!r}"
        case OneOf(values=values):
            if not contains(list(values), value):
                yield f": is one of {', '.join(map(str, values))}, not {value}"
        case ListOf(item=item):
            yield from _list_misfits(value, item, template)
        case Record():
            yield from _record_misfits(value, kind, template)


def _list_misfits(value: Value, item: Type, template: Template) -> Iterator[str]:
    if not isinstance(value, list):
        yield f": is array, not {value!r}"
        return
    for index, member in enumerate(value):
        yield from (f"[{index}]{problem}" for problem in _misfits(member, item, template))


def _record_misfits(value: Value, kind: Record, template: Template) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f": is object, not {value!r}"
        return
    for name, member in value.items():
        field = kind.fields.get(name)
        inside = field.type if field else kind.rest
        if inside is None:
            yield f": has no property {name}"
        else:
            yield from (f".{name}{problem}" for problem in _misfits(member, inside, template))
            yield from (f".{name}{problem}" for problem in _out_of_bounds(member, field.decorators if field else ()))
    for name, field in kind.fields.items():
        if name not in value and not isinstance(field.type, Nullable):
            yield f": lacks {name}"


def _out_of_bounds(value: Value, decorators: tuple[Decorator, ...]) -> Iterator[str]:
    bounds = {decorator.name: _number(decorator) for decorator in decorators if decorator.name in BOUNDS}
    for name, bound in bounds.items():
        if value is None:
            continue
        size = value if name.endswith("Value") else len(value)
        if (size < bound) if name.startswith("min") else (size > bound):
            what = "is" if name.endswith("Value") else "has a length of"
            yield f": {what} at {'least' if name.startswith('min') else 'most'} {bound}, not {size}"


def _number(decorator: Decorator) -> int:
    match decorator.arguments:
        case (Literal(value=int(number)),):
            return number
        case (Unary(operator="-", operand=Literal(value=int(number))),):
            return -number
        case _:
            raise ValueError(f"line {decorator.line}: @{decorator.name}() takes a number")
