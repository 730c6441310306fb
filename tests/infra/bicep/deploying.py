"""What a deployment would make of the files: the resources with their evaluated bodies, and the outputs.

The files are evaluated as Azure does it: a value when it is needed, a module for itself, with its own params and place.
What only Azure knows is a stand-in (`placeholders`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.infra.bicep.declarations import Module, Placed, Resource, Template
from tests.infra.bicep.evaluating import EvaluationError, evaluate, loop_variables
from tests.infra.bicep.functions import Value
from tests.infra.bicep.modules import passed_params
from tests.infra.bicep.parameters import check_output, check_param, check_parameters
from tests.infra.bicep.placeholders import Occasion, Place
from tests.infra.bicep.reading import read_template
from tests.infra.bicep.references import PlacedModule, PlacedResource
from tests.infra.bicep.surroundings import Surroundings, resource_id
from tests.infra.bicep.syntax import Expr, Object

GROUP = "Microsoft.Resources/resourceGroups"
NOT_SENT = ("name", "parent", "scope", "dependsOn")


@dataclass(frozen=True, slots=True)
class DeployedResource:
    """A resource as it would be sent to Azure.

    Attributes:
        name: with the names of the resources above it, `vault/secret`.
        scope: the id of the subscription, the resource group or the resource that it is on.
        body: location, properties and so on.
    """

    id: str
    type: str
    version: str
    name: str
    scope: str
    body: dict[str, Value]
    decorators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deployment:
    """What comes of it.

    Attributes:
        premature: what is used as existing before the same deployment has made it; Azure would not find it.
        modules: the modules, each with the id of where it goes: Azure keeps a deployment of that name there.
    """

    resources: tuple[DeployedResource, ...]
    outputs: dict[str, Value]
    premature: tuple[str, ...]
    modules: tuple[tuple[str, str], ...]

    def of_type(self, kind: str) -> list[DeployedResource]:
        """The resources of a type."""
        return [resource for resource in self.resources if resource.type == kind]


def deploy(main: Path, parameters: Mapping[str, Value], *, number: int = 1, backwards: bool = False) -> Deployment:
    """Deploy a file to a subscription, for the first or a further time.

    Azure deploys in any order that keeps to the dependencies. So does this: from the first declaration to the last, or
    backwards, each after what it depends on.

    Raises:
        DeploymentStopped: if a parameter, or a contradiction between them, ends it; the text is what Azure would show.
        EvaluationError: if the files are wrong.
    """
    progress = _Progress(Occasion(number), backwards)
    outputs = _File(read_template(main.resolve()), Place(), dict(parameters), progress).deployed()
    made = {resource.id for resource in progress.resources}
    premature = tuple(sorted(made & progress.not_found))
    return Deployment(tuple(progress.resources), outputs, premature, tuple(progress.modules))


@dataclass(slots=True)
class _Progress:
    """What all files of a deployment share."""

    occasion: Occasion
    backwards: bool
    resources: list[DeployedResource] = field(default_factory=list)
    modules: list[tuple[str, str]] = field(default_factory=list)
    not_found: set[str] = field(default_factory=set)  # ids of what was used as existing and not made here before

    def found(self, resource_id: str) -> dict[str, Value]:
        """What was set on a resource that is used as existing, if this deployment has made it."""
        for resource in self.resources:
            if resource.id == resource_id:
                return resource.body
        self.not_found.add(resource_id)
        return {}


@dataclass(slots=True)
class _File:
    """A file that is being deployed, once."""

    template: Template
    place: Place
    given: dict[str, Value]
    progress: _Progress
    values: dict[str, Value] = field(default_factory=dict)
    under_way: list[str] = field(default_factory=list)

    def deployed(self) -> dict[str, Value]:
        """Place everything and return the outputs."""
        check_parameters(self.template, self.given)
        for name in self.template.params:
            self.value(name)
        placed = [*self.template.resources, *self.template.modules]
        for name in reversed(placed) if self.progress.backwards else placed:
            self.value(name)
        outputs = {name: self.of(output.value) for name, output in self.template.outputs.items()}
        for name, value in outputs.items():
            check_output(name, value, self.template.outputs[name].type, self.template)
        return outputs

    def of(self, expr: Expr, local: Mapping[str, Value] | None = None) -> Value:
        """Evaluate an expression that stands in the file."""
        try:
            return evaluate(expr, self, local)
        except EvaluationError as error:
            where = f"{self.template.path.name}, " if str(error).startswith("line ") else ""
            raise EvaluationError(f"{where}{error}") from error

    def value(self, name: str) -> Value:
        """The value of a name, found when it is first asked for."""
        if name not in self.values:
            if name in self.under_way:
                raise EvaluationError(f"{self.template.path.name}: {' → '.join([*self.under_way, name])}: a circle")
            self.under_way.append(name)
            self.values[name] = self._value(name)
            self.under_way.pop()
        return self.values[name]

    def _value(self, name: str) -> Value:
        template = self.template
        if param := template.params.get(name):
            default = param.default and self.of(param.default) if name not in self.given else None
            value = self.given.get(name, default)
            check_param(param, value, template)
            return value
        if name in template.variables:
            return self.of(template.variables[name].value)
        if placed := template.resources.get(name) or template.modules.get(name):
            return self._placed(placed)
        raise EvaluationError(f"{template.path.name}: {name} is not declared")

    def _placed(self, placed: Placed) -> Value:
        place = self._resource if isinstance(placed, Resource) else self._module
        if placed.loop is None:
            return place(placed, {})
        return [place(placed, local) for local in loop_variables(placed.loop, self.of(placed.loop.items))]

    def _resource(self, placed: Placed, local: dict[str, Value]) -> PlacedResource:
        assert isinstance(placed, Resource)
        parent, scope = (self._at(placed.body, name, local) for name in ("parent", "scope"))
        name = str(self._at(placed.body, "name", local))
        where = self._where(scope)
        if isinstance(parent, PlacedResource):
            full_name, where = f"{parent.full_name}/{name}", parent.scope
            made = PlacedResource(placed, full_name, where, f"{parent.id}/{placed.type.split('/')[-1]}/{name}")
        elif placed.type == GROUP:
            made = PlacedResource(placed, name, where, f"{where}/resourceGroups/{name}")
        else:
            made = PlacedResource(placed, name, where, resource_id(where, placed.type, [name]))
        made.there = placed.condition is None or bool(self.of(placed.condition, local))
        if made.there and placed.existing:
            made.body = self.progress.found(made.id)
        elif made.there:
            self._at(placed.body, "dependsOn", local)
            sent = [entry for entry in placed.body.entries if entry.key.plain not in NOT_SENT]
            made.body = self.of(Object(placed.line, tuple(sent)), local)
            decorators = tuple(decorator.name for decorator in placed.decorators)
            self.progress.resources.append(
                DeployedResource(made.id, placed.type, placed.version, made.full_name, where, made.body, decorators)
            )
        return made

    def _where(self, scope: Value) -> str:
        return str(scope.id if isinstance(scope, PlacedResource) else scope["id"] if scope else self.place.id)

    def _at(self, body: Object, name: str, local: dict[str, Value]) -> Value:
        expr = body.get(name)
        return None if expr is None else self.of(expr, local)

    def _module(self, placed: Placed, local: dict[str, Value]) -> PlacedModule:
        assert isinstance(placed, Module)
        if placed.condition is not None and not self.of(placed.condition, local):
            return PlacedModule(placed.name, None)
        self._at(placed.body, "dependsOn", local)
        where = self._where(self._at(placed.body, "scope", local))
        self.progress.modules.append((where, str(self._at(placed.body, "name", local) or placed.name)))
        given = {name: self.of(value, local) for name, value in passed_params(placed).items()}
        path = (self.template.path.parent / placed.path).resolve()
        file = _File(read_template(path), Place.of(where), given, self.progress)
        return PlacedModule(placed.name, file.deployed())

    def call(self, function: str, arguments: list[Value]) -> Value:
        """A function of the file's own, or one that depends on file, place or time."""
        if own := self.template.functions.get(function):
            return self.of(own.body, dict(zip(own.parameters, arguments, strict=True)))
        return Surroundings(self.template.path, self.place, self.progress.occasion).call(function, arguments)
