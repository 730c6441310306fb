"""The parameter sets that the project's templates are deployed with in the tests."""

from typing import Any

import pytest

OTHER_GROUP = "/subscriptions/99999999-8888-7777-6666-555555555555/resourceGroups/rg-other/providers"


EXISTING_POOL = f"{OTHER_GROUP}/Microsoft.App/sessionPools/old"


REGISTRY = f"{OTHER_GROUP}/Microsoft.ContainerRegistry/registries/images"


ENVIRONMENT = f"{OTHER_GROUP}/Microsoft.App/managedEnvironments/theirs"


CUSTOM: dict[str, Any] = {"poolKind": "custom", "containerImage": "registry.example/image:1"}


CASES: dict[str, dict[str, Any]] = {
    "default": {},
    "node": {"poolKind": "node", "poolMaxSessions": 7},
    "shell": {"poolKind": "shell", "poolCount": 3, "poolEgress": True},
    "custom": CUSTOM | {"poolReadySessions": 3},
    "custom from a registry": CUSTOM | {"containerRegistryId": REGISTRY, "containerEnvironmentId": ENVIRONMENT},
    "further pools": {
        "additionalPools": [
            {"name": "scripts", "kind": "node", "maxSessions": 5},
            {"name": "shells", "kind": "shell", "maxSessions": 9, "egress": True},
            {
                "name": "own-image",
                "kind": "custom",
                "maxSessions": 2,
                "image": "registry.example/image:1",
                "port": 9000,
            },
        ]
    },
    "existing pool": {"existingPoolId": EXISTING_POOL, "poolKind": "node"},
    "private network": {"privateNetwork": True, "operatorIpAddresses": ["203.0.113.7"]},
    "closed network": {"privateNetwork": True},
    "billed tail 0": {"billedTailSeconds": 0, "cooldownSeconds": 600},
    "always ready": {"alwaysReadyInstances": 2, "instanceMemoryMB": 4096, "perInstanceConcurrency": 100},
    "zones": {"zoneRedundant": True, "tags": {"owner": "us"}, "resourceGroupName": "tollgate"},
    "money": {
        "ratePerSessionHour": "0.125",
        "currency": "EUR",
        "poolRatePerSessionHour": "0.02",
        "incrementSeconds": 60,
        "poolBillingIncrementSeconds": 60,
        "issuer": "Example, Inc.",
        "alertWebhook": "https://example.com/alerts",
    },
    "limits": {"maxBodyBytes": 1000, "maxAnswerBytes": 2000, "poolTimeoutSeconds": 60, "tracesPerSecond": 1},
    "alerts": {"alertEmails": ["a@example.com"], "principalId": "77777777-0000-0000-0000-000000000000"},
}


every_case = pytest.mark.parametrize("parameters", CASES.values(), ids=CASES.keys())
