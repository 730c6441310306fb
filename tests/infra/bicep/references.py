"""Resources and modules as other expressions see them: what was set can be read, and what Azure adds (as stand-ins)."""

from dataclasses import dataclass, field

from tests.infra.bicep.declarations import Resource
from tests.infra.bicep.evaluating import EvaluationError
from tests.infra.bicep.functions import Value
from tests.infra.bicep.placeholders import REGION, Subject, known_to_azure
from tests.infra.bicep.shapes import Shape, shape_of


@dataclass(slots=True)
class PlacedResource:
    """A resource at its place.

    Attributes:
        full_name: with the names of the resources above it.
        scope: the id of what it is on.
        there: whether it exists once all is deployed.
    """

    declared: Resource
    full_name: str
    scope: str
    id: str
    there: bool = True
    body: dict[str, Value] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its own name."""
        return self.full_name.split("/")[-1]

    def read(self, name: str) -> Value:
        """A property; the id and the name are known even where the resource is not made."""
        known = {"id": self.id, "name": self.name, "type": self.declared.type, "apiVersion": self.declared.version}
        if name in known:
            return known[name]
        if not self.there:
            raise EvaluationError(f"{self.declared.name}.{name} is read, but it is not deployed")
        shape = shape_of(self.declared.type, self.declared.version)
        if shape is None:
            raise EvaluationError(f"no shape of {self.declared.type}@{self.declared.version}")
        return _Part(self, (), self.body, shape.body).read(name)


@dataclass(frozen=True, slots=True)
class _Part:
    """An object inside a resource, of which some was set and some may come from Azure."""

    resource: PlacedResource
    path: tuple[str, ...]
    written: dict[str, Value]
    shape: Shape

    def read(self, name: str) -> Value:
        """A property: as it was set, or the stand-in for what Azure sets."""
        path, declared = (*self.path, name), self.resource.declared
        known = self.shape.properties.get(name)
        inside = known.shape if known else self.shape.rest
        if inside is None:
            raise EvaluationError(f"{declared.name}.{'.'.join(path)} is no property of {declared.type}")
        if inside.is_object:
            return _Part(self.resource, path, self.written.get(name) or {}, inside)
        if name in self.written:
            return self.written[name]
        location = str(self.resource.body.get("location", REGION))
        return known_to_azure(declared.type, path, Subject(self.resource.id, self.resource.name, location))


@dataclass(frozen=True, slots=True)
class PlacedModule:
    """A module that was deployed, or (without outputs) was not."""

    name: str
    outputs: dict[str, Value] | None

    def read(self, name: str) -> Value:
        """Its outputs."""
        if name == "name":
            return self.name
        if self.outputs is None:
            raise EvaluationError(f"{self.name}.{name} is read, but it is not deployed")
        return self.outputs
