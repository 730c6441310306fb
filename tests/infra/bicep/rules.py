"""Rules for every resource and param: version, place, role, description."""

import re
from collections.abc import Iterator

from tests.infra.bicep.declarations import Resource, Template
from tests.infra.bicep.kinds import possible_values
from tests.infra.bicep.shapes import known_roles, shape_of
from tests.infra.bicep.syntax import Call, Entry, Expr, Name, Object, Text, walk

GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
GROUP = "Microsoft.Resources/resourceGroups"
ROLE_ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
ANY_NAME = {"role", "roles", "id", "guid", "definition"}  # words that say nothing about which role it is


def unversioned_resources(template: Template) -> list[str]:
    """Every resource says which version of the API it is written for."""
    return [
        f"{template.path.name}:{resource.line}: {resource.name}: write <type>@<api version>"
        for resource in template.resources.values()
        if VERSION.fullmatch(resource.version) is None
    ]


def misplaced_resources(template: Template) -> list[str]:
    """What can have a location has one; a child has a parent of the right type; only extensions have another scope."""
    return [
        f"{template.path.name}:{resource.line}: {resource.name}: {problem}"
        for resource in template.resources.values()
        for problem in _misplacements(resource, template)
    ]


def _misplacements(resource: Resource, template: Template) -> Iterator[str]:
    shape, body = shape_of(resource.type, resource.version), resource.body
    if body.get("name") is None:
        yield "name is missing"
    if shape is None:
        return
    if (
        not resource.existing
        and not shape.is_child
        and "location" in shape.body.properties
        and not body.get("location")
    ):
        yield "location is missing"
    elsewhere = shape.extension or shape.is_child or resource.type == GROUP or body.get("scope") is not None
    if template.scope == "subscription" and not elsewhere:
        yield "it stands in a resource group, not in a subscription"
    if not resource.existing and not shape.extension and body.get("scope") is not None:
        yield f"{resource.type} goes where its file goes; only extensions have a scope"
    if shape.is_child:
        parent = body.get("parent")
        above = template.resources.get(parent.name) if isinstance(parent, Name) else None
        if above is None:
            yield "name its parent"
        elif above.type.lower() != resource.type.rpartition("/")[0].lower():
            yield f"a {above.type} is no parent of a {resource.type}"


def wrong_role_assignments(template: Template) -> list[str]:
    """A role has a known id and goes by its own name; the kind of principal is set; the name is a guid()."""
    assignments = [resource for resource in template.resources.values() if resource.type == ROLE_ASSIGNMENT]
    problems = [
        f"{template.path.name}:{resource.line}: {resource.name}: {problem}"
        for resource in assignments
        for problem in _misassignments(resource, template)
    ]
    return problems + [problem for problem in _misnamed_roles(template) if assignments]


def _misassignments(resource: Resource, template: Template) -> Iterator[str]:
    name, properties = resource.body.get("name"), resource.body.get("properties")
    if not (isinstance(name, Call) and name.function == "guid"):
        yield "the name is not guid(…), so that another deployment would assign the role again"
    if not isinstance(properties, Object):
        yield "properties are missing"
        return
    if properties.get("principalType") is None:
        yield "principalType is missing: without it a new identity may not be found yet"
    role = properties.get("roleDefinitionId")
    if role is not None and not any(isinstance(expr, Call) for expr in walk(role)) and not _is_lookup(role, template):
        yield "roleDefinitionId is the id of a role definition: subscriptionResourceId(…)"


def _is_lookup(role: Expr, template: Template) -> bool:
    return any(not isinstance(value, Text) for value in possible_values(role, template))


def _misnamed_roles(template: Template) -> Iterator[str]:
    """GUIDs that are no role's, or stand under a name that is not the role's."""
    for declaration, root in template.roots:
        for holder in [Entry(root.line, Text(root.line, (declaration.name,)), root), *_entries(root)]:
            for guid in _guids(holder.value):
                role = known_roles().get(guid)
                if role is None:
                    yield f"{template.path.name}:{holder.line}: {guid} is the id of no known role"
                elif strange := _words(holder.key.plain or "") - _words(role) - ANY_NAME:
                    yield f"{template.path.name}:{holder.line}: {guid} is {role}, not {' '.join(sorted(strange))}"


def _entries(root: Expr) -> Iterator[Entry]:
    for expr in walk(root):
        if isinstance(expr, Object):
            yield from expr.entries


def _guids(value: Expr) -> list[str]:
    return GUID.findall((value.plain or "").lower()) if isinstance(value, Text) else []


def _words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


def undescribed_params(template: Template) -> list[str]:
    """Every param says what it is for."""
    return [
        f"{template.path.name}:{param.line}: {param.name} has no @description()"
        for param in template.params.values()
        if param.decorator("description") is None
    ]
