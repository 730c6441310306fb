"""A deployment as an ARM template, for tools that read those."""

from typing import Any

from tests.infra.bicep.deploying import Deployment

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


def to_arm_template(deployment: Deployment) -> dict[str, Any]:
    """The resources as Azure would get them, with everything evaluated."""
    return {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "resources": [
            {"type": resource.type, "apiVersion": resource.version, "name": resource.name, **resource.body}
            | ({"scope": resource.scope} if "/providers/" in resource.scope else {})
            for resource in deployment.resources
        ],
    }
