"""What passes between a file and its modules: params that exist and fit, outputs that exist."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.infra.bicep.bodies import chain_of
from tests.infra.bicep.declarations import Module, Param, Template
from tests.infra.bicep.kinds import allowed_values, kind_of, kind_of_type, possible_values
from tests.infra.bicep.reading import read_template
from tests.infra.bicep.syntax import Expr, Name, Object, Text, walk

OF_MODULES = ("name", "scope", "params", "dependsOn")


def template_of(module: Module, template: Template) -> Template | None:
    """The file that a module names, if there is one."""
    path = template.path.parent / module.path
    return read_template(path.resolve()) if path.is_file() else None


def wrong_module_calls(template: Template) -> list[str]:
    """The module exists; its required params are passed, no others than it has, and literals fit their types."""
    return [
        f"{template.path.name}:{line}: {module.name}: {problem}"
        for module in template.modules.values()
        for line, problem in _misfits(module, template)
    ]


def _misfits(module: Module, template: Template) -> Iterator[tuple[int, str]]:
    target = template_of(module, template)
    if target is None:
        yield module.line, f"there is no {module.path}"
        return
    for entry in module.body.entries:
        if entry.key.plain not in OF_MODULES:
            yield entry.line, f"a module takes {', '.join(OF_MODULES)}, not {entry.key.plain}"
    passed = passed_params(module)
    for name, value in passed.items():
        if name not in target.params:
            yield value.line, f"{module.path} has no param {name}"
        else:
            yield from _Fit(template, target, target.params[name]).problems(value)
    for param in target.params.values():
        if param.required and param.name not in passed:
            yield module.line, f"{param.name} is not passed"
    if template.scope == "subscription" and target.scope != "subscription" and module.body.get("scope") is None:
        yield module.line, "from a subscription, say which resource group it goes to (scope)"


def passed_params(module: Module) -> dict[str, Expr]:
    """What a module is given, by param."""
    params = module.body.get("params")
    entries = params.entries if isinstance(params, Object) else ()
    return {entry.key.plain or "": entry.value for entry in entries}


@dataclass(frozen=True, slots=True)
class _Fit:
    """A param of the target that the template gives a value."""

    template: Template
    target: Template
    param: Param

    def problems(self, value: Expr) -> Iterator[tuple[int, str]]:
        wanted = kind_of_type(self.param.type, self.target)
        allowed = allowed_values(self.param, self.target)
        for option in possible_values(value, self.template):
            kind = kind_of(option, self.template)
            if wanted and kind and kind != wanted:
                yield value.line, f"{self.param.name} is {wanted}, not {kind}"
            literal = option.plain if isinstance(option, Text) else getattr(option, "value", None)
            if allowed is not None and literal is not None and literal not in allowed:
                yield value.line, f"{self.param.name} does not take {literal!r}"
            if allowed is not None and isinstance(option, Name) and option.name in self.template.params:
                # The compiler does not follow conditions: a variable is all that any branch of it may be.
                given = allowed_values(self.template.params[option.name], self.template)
                if given is None or not set(given) <= set(allowed):
                    yield value.line, f"{self.param.name} does not take all that {option.name} may be"


def unknown_outputs(template: Template) -> list[str]:
    """What is read of a module is one of its outputs."""
    return [
        f"{template.path.name}:{expr.line}: {'.'.join(chain)}: {problem}"
        for _, root in template.roots
        for expr in walk(root)
        if (chain := chain_of(expr)) and chain[0] in template.modules
        for problem in _misread(chain, template)
    ]


def _misread(chain: tuple[str, ...], template: Template) -> Iterator[str]:
    module = template.modules[chain[0]]
    target = template_of(module, template)
    if len(chain) > 1 and chain[1] not in ("outputs", "name"):
        yield "of a module, outputs and name can be read"
    elif len(chain) > 2 and target is not None and chain[2] not in target.outputs:
        yield f"{module.path} has no output {chain[2]}"
