"""One operation of the surface as a value, and how it is written into the document."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from console.openapi.parts import Json
from console.openapi.refusals import Refusals
from proxy.tenants import Scope

# How a key is shown: each of these will do.
KEY_SCHEMES = ("bearerAuth", "apiKey")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation.

    Attributes:
        path: a template, as OpenAPI has it.
        schemes: the ways of showing a key; none: no key is needed.
        scope: what the key needs to carry.
        answers: by status, besides the refusals.
        links: where an answer leads that went well: for each operation by its id, its parameters by place and name,
            as OpenAPI's runtime expressions.
    """

    method: str
    path: str
    id: str
    tag: str
    summary: str
    description: str = ""
    schemes: tuple[str, ...] = KEY_SCHEMES
    scope: Scope | None = None
    parameters: tuple[Json, ...] = ()
    body: Json | None = None
    answers: Mapping[str, Json] = field(default_factory=dict)
    links: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    refusals: Refusals

    def below(self, prefix: str, parameter: Json, name: str, suffix: str) -> Self:
        """Write the same operation as it stands below a prefix with the parameter `name`, and leads to its likes."""
        leads_on = {f"path.{name}": f"$request.path.{name}"}
        return replace(
            self,
            path=prefix + self.path,
            id=self.id + suffix,
            parameters=(parameter, *self.parameters),
            links={target + suffix: {**values, **leads_on} for target, values in self.links.items()},
        )

    def operation(self) -> Json:
        """Write it as OpenAPI's Operation Object."""
        scopes = [] if self.scope is None else [self.scope.value]
        needed = f"Needs a key with the scope `{scopes[0]}`." if scopes else ""
        told = "\n\n".join(filter(None, [self.description, needed]))
        links = {target: {"operationId": target, "parameters": dict(values)} for target, values in self.links.items()}
        answers = {status: {**found, **({"links": links} if links else {})} for status, found in self.answers.items()}
        return {
            "operationId": self.id,
            "summary": self.summary,
            **({"description": told} if told else {}),
            "tags": [self.tag],
            "security": [{scheme: scopes} for scheme in self.schemes],
            **({"parameters": list(self.parameters)} if self.parameters else {}),
            **({} if self.body is None else {"requestBody": self.body}),
            "responses": dict(sorted({**answers, **self.refusals.answers()}.items())),
        }


def paths_of(routes: Iterable[Route]) -> Json:
    """Write operations as OpenAPI's Paths Object.

    Raises:
        ValueError: two of them have the same method and path.
    """
    paths: dict[str, Json] = {}
    for route in routes:
        item = paths.setdefault(route.path, {})
        if route.method.lower() in item:
            raise ValueError(f"{route.method} {route.path} is described twice")
        item[route.method.lower()] = route.operation()
    return paths
