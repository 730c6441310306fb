"""Secrets stay where they belong: in secure params and in the vault.

A deployment keeps its outputs and the plain params of its modules for anyone who may read it. So no output may reach a
secret, through however many variables and modules, and none is passed on to a param that is not secure.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.infra.bicep.bodies import chain_of
from tests.infra.bicep.declarations import Param, Template
from tests.infra.bicep.modules import passed_params, template_of
from tests.infra.bicep.syntax import Call, Expr, Name, Text, children, walk

VAULT_SECRET = "Microsoft.KeyVault/vaults/secrets"  # its type


@dataclass(frozen=True, slots=True)
class _Place:
    """A file, and what the params got where it is called as a module."""

    template: Template
    given: Mapping[str, tuple[Expr, "_Place"]] = field(default_factory=dict)


def secret_outputs(template: Template) -> list[str]:
    """No output holds a secret."""
    return [
        f"{template.path.name}:{output.line}: output {output.name} holds {secret}"
        for output in template.outputs.values()
        for secret in sorted(set(_secrets_in(output.value, _Place(template))))
    ]


def bared_secrets(template: Template) -> list[str]:
    """No secret is passed to a param that is not secure, nor written into any resource but a vault's secret."""
    place = _Place(template)
    passed = [
        f"{template.path.name}:{value.line}: {module.name}: {name} gets {secret} and is not secure"
        for module in template.modules.values()
        if (target := template_of(module, template))
        for name, value in passed_params(module).items()
        if name in target.params and not is_secure(target.params[name])
        for secret in sorted(set(_secrets_in(value, place)))
    ]
    return passed + [
        f"{template.path.name}:{resource.line}: {resource.name} holds {secret}; only a vault's secret may"
        for resource in template.resources.values()
        if resource.type != VAULT_SECRET
        for secret in sorted(set(_secrets_in(resource.body, place)))
    ]


def is_secure(param: Param) -> bool:
    """Whether a param's value is kept out of the deployment's history."""
    return param.decorator("secure") is not None


def _secrets_in(expr: Expr, place: _Place) -> Iterator[str]:
    """What secrets the value would be made of."""
    template, chain = place.template, chain_of(expr)
    if isinstance(expr, Call) and (expr.function.startswith("list") or expr.function == "getSecret"):
        yield f"{expr.function}()"
    if chain and chain[0] in template.modules:
        yield from _secrets_of_module(chain, place)
    elif chain and chain[0] in template.resources:
        of_vault = template.resources[chain[0]].type == VAULT_SECRET
        if of_vault and chain[1:] in ((), ("properties",), ("properties", "value")):
            yield f"the value of {chain[0]}"
    elif isinstance(expr, Name):
        yield from _secrets_of_name(expr.name, place)
    else:
        for child in children(expr):
            yield from _secrets_in(child, place)


def _secrets_of_name(name: str, place: _Place) -> Iterator[str]:
    template = place.template
    if name in template.variables:
        yield from _secrets_in(template.variables[name].value, place)
    elif name in place.given:
        value, elsewhere = place.given[name]
        yield from _secrets_in(value, elsewhere)
    elif name in template.params and is_secure(template.params[name]):
        yield name


def _secrets_of_module(chain: tuple[str, ...], place: _Place) -> Iterator[str]:
    module = place.template.modules[chain[0]]
    target = template_of(module, place.template)
    if target is None:
        return
    inside = _Place(target, {name: (value, place) for name, value in passed_params(module).items()})
    read = [target.outputs[chain[2]]] if len(chain) > 2 and chain[2] in target.outputs else target.outputs.values()
    for output in read:
        yield from _secrets_in(output.value, inside)


def written_out_secrets(template: Template) -> list[str]:
    """A secure param has no default but one that is made up anew, or none at all."""
    return [
        f"{template.path.name}:{param.line}: the default of {param.name} is written out; make it with newGuid()"
        for param in template.params.values()
        if is_secure(param) and param.default is not None and not _is_made_up(param.default)
    ]


def _is_made_up(default: Expr) -> bool:
    calls = {expr.function for expr in walk(default) if isinstance(expr, Call)}
    return "newGuid" in calls or default == Text(default.line, ())
