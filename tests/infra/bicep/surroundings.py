"""The functions that depend on where and when they are called: file, place and time."""

import json
from dataclasses import dataclass
from pathlib import Path

from tests.infra.bicep.functions import Value
from tests.infra.bicep.placeholders import ENVIRONMENT, REGION, TENANT, Occasion, Place


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a call stands."""

    file: Path
    place: Place
    occasion: Occasion

    def call(self, function: str, arguments: list[Value]) -> Value:
        """The value of a function."""
        match function, arguments:
            case "newGuid", []:
                return self.occasion.new_guid()
            case "utcNow", patterns:
                return self.occasion.utc_now(*patterns)
            case "loadTextContent", [path, *_]:
                return (self.file.parent / path).read_text()
            case "loadJsonContent", [path, *_]:
                return json.loads((self.file.parent / path).read_text())
            case _:
                return self._of_place(function, arguments)

    def _of_place(self, function: str, arguments: list[Value]) -> Value:
        match function, arguments:
            case "subscription", names:
                return Place(*names).shown
            case "resourceGroup", []:
                return self.place.shown
            case "resourceGroup", [*subscription, name]:
                return Place(subscription[0] if subscription else self.place.subscription, name).shown
            case "resourceId", [kind, *names]:
                return resource_id(self.place.id, kind, names)
            case "subscriptionResourceId", [kind, *names]:
                return resource_id(Place(self.place.subscription).id, kind, names)
            case _:
                return self._fixed[function]

    @property
    def _fixed(self) -> dict[str, Value]:
        return {
            "tenant": {"tenantId": TENANT},
            "environment": ENVIRONMENT,
            "deployment": {"name": self.file.stem, "location": REGION},
            "deployer": {"objectId": "<deployer>", "tenantId": TENANT},
        }


def resource_id(where: str, kind: str, names: list[str]) -> str:
    """The id of a resource: the names between the parts of its type."""
    provider, *kinds = kind.split("/")
    return f"{where}/providers/{provider}/" + "/".join(part for pair in zip(kinds, names, strict=True) for part in pair)
