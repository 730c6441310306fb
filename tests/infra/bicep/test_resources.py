"""What a deployment makes: who may do what, what is closed, what a further deployment leaves as it is."""

import json
import re
from typing import Any

import pytest

from tests.infra.bicep.cases import CASES, CUSTOM, every_case
from tests.infra.bicep.functions import guid
from tests.infra.bicep.shapes import known_roles
from tests.infra.bicep.tollgate import (
    App,
    app_settings,
    deployed,
    identity_of,
    site_of,
)

MINUTES_LATE = 5  # a minute until metrics leave, and up to three until they can be asked for


@every_case
def test_the_app_may_use_each_of_its_pools(parameters: dict[str, Any], app: App) -> None:
    deployment = deployed(**parameters)

    executor = next(role for role, name in known_roles().items() if name == "Azure ContainerApps Session Executor")
    granted = {
        assignment.scope
        for assignment in deployment.of_type("Microsoft.Authorization/roleAssignments")
        if assignment.body["properties"]["roleDefinitionId"].endswith(executor)
        and assignment.body["properties"]["principalId"] == guid(identity_of(deployment), "principalId")
    }
    pools = {pool.id for pool in deployment.of_type("Microsoft.App/sessionPools")}
    assert granted == pools | {value for name, value in parameters.items() if name == "existingPoolId"}


@pytest.mark.parametrize(
    ("kind", "container"),
    [("python", "PythonLTS"), ("node", "NodeLTS"), ("shell", "Shell"), ("custom", "CustomContainer")],
)
def test_a_pool_runs_what_its_kind_says(kind: str, container: str) -> None:
    deployment = deployed(**(CUSTOM if kind == "custom" else {"poolKind": kind}))

    (pool,) = deployment.of_type("Microsoft.App/sessionPools")
    assert pool.body["properties"]["containerType"] == container
    assert pool.body["properties"]["sessionNetworkConfiguration"] == {"status": "EgressDisabled"}
    assert bool(pool.body["properties"]["customContainerTemplate"]) is (kind == "custom")
    assert bool(pool.body["properties"]["environmentId"]) is (kind == "custom")


@every_case
def test_nobody_may_do_more_than_the_job_takes(parameters: dict[str, Any]) -> None:
    deployment = deployed(**parameters)

    app = guid(identity_of(deployment), "principalId")
    granted = {
        (
            {app: "app", parameters.get("principalId"): "deployer"}.get(it.body["properties"]["principalId"], "puller"),
            it.scope.split("/")[-2],
            known_roles()[it.body["properties"]["roleDefinitionId"].split("/")[-1]],
        )
        for it in deployment.of_type("Microsoft.Authorization/roleAssignments")
    }
    for_the_app = {
        ("app", "storageAccounts", "Storage Blob Data Owner"),
        ("app", "storageAccounts", "Storage Table Data Contributor"),
        ("app", "vaults", "Key Vault Secrets User"),
        ("app", "components", "Monitoring Metrics Publisher"),
        ("app", "sessionPools", "Azure ContainerApps Session Executor"),
    }
    tables, images = "Storage Table Data Contributor", "AcrPull"
    for_others = {("deployer", "storageAccounts", tables)} if "principalId" in parameters else set()
    for_others |= {("puller", "registries", images)} if "containerRegistryId" in parameters else set()
    assert granted == for_the_app | for_others


@every_case
def test_roles_are_assigned_by_known_ids_to_known_kinds_of_principal(parameters: dict[str, Any]) -> None:
    assignments = deployed(**parameters).of_type("Microsoft.Authorization/roleAssignments")

    roles = [assignment.body["properties"]["roleDefinitionId"].split("/")[-1] for assignment in assignments]
    assert roles
    assert set(roles) <= set(known_roles())
    assert {assignment.body["properties"]["principalType"] for assignment in assignments} <= {
        "ServicePrincipal",
        "User",
    }


@every_case
def test_a_further_deployment_keeps_names_and_secrets(parameters: dict[str, Any]) -> None:
    first, second = deployed(**parameters), deployed(2, **parameters)

    assert [resource.id for resource in first.resources] == [resource.id for resource in second.resources]
    assert len({resource.id for resource in first.resources}) == len(first.resources)
    secrets = second.of_type("Microsoft.KeyVault/vaults/secrets")
    assert {secret.name.split("/")[1] for secret in secrets} == {"tollgate-namespace-secret", "tollgate-ledger-secret"}
    assert {secret.decorators for secret in secrets} == {("onlyIfNotExists",)}
    changed = {
        (one.type, one.name) for one, other in zip(first.resources, second.resources, strict=True) if one != other
    }
    assert changed == {(secret.type, secret.name) for secret in secrets}


@every_case
def test_secrets_are_nowhere_but_in_the_vault(parameters: dict[str, Any]) -> None:
    deployment = deployed(**parameters)

    secrets = [
        resource.body["properties"]["value"] for resource in deployment.of_type("Microsoft.KeyVault/vaults/secrets")
    ]
    elsewhere = json.dumps(deployment.outputs) + "".join(
        json.dumps(resource.body) for resource in deployment.resources if not resource.type.endswith("/secrets")
    )
    assert len(secrets) == 2
    assert not [secret for secret in secrets if secret[-36:] in elsewhere]


@every_case
def test_telemetry_is_taken_from_identities_alone(parameters: dict[str, Any]) -> None:
    deployment = deployed(**parameters)

    (component,) = deployment.of_type("Microsoft.Insights/components")
    (workspace,) = deployment.of_type("Microsoft.OperationalInsights/workspaces")
    settings = app_settings(deployment)
    assert component.body["properties"]["DisableLocalAuth"] is True
    assert workspace.body["properties"]["features"]["disableLocalAuth"] is True
    assert settings["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"].endswith(f"ClientId={settings['AZURE_CLIENT_ID']}")


@pytest.mark.parametrize(("case", "access"), [("closed network", "Disabled"), ("private network", "Enabled")])
def test_a_private_network_closes_storage_and_vault(case: str, access: str) -> None:
    deployment = deployed(**CASES[case])

    closed = [
        *deployment.of_type("Microsoft.Storage/storageAccounts"),
        *deployment.of_type("Microsoft.KeyVault/vaults"),
    ]
    assert {resource.body["properties"]["publicNetworkAccess"] for resource in closed} == {access}
    assert {resource.body["properties"]["networkAcls"]["defaultAction"] for resource in closed} == {"Deny"}
    reached = {
        (connection["properties"]["privateLinkServiceId"], *connection["properties"]["groupIds"])
        for endpoint in deployment.of_type("Microsoft.Network/privateEndpoints")
        for connection in endpoint.body["properties"]["privateLinkServiceConnections"]
    }
    account, vault = (resource.id for resource in closed)
    assert reached == {(account, "blob"), (account, "table"), (vault, "vault")}
    (network,) = deployment.of_type("Microsoft.Network/virtualNetworks")
    assert site_of(deployment).body["properties"]["virtualNetworkSubnetId"].startswith(f"{network.id}/subnets/")


def test_the_app_is_sized_by_the_parameters() -> None:
    sizes = site_of(deployed(**CASES["always ready"])).body["properties"]["functionAppConfig"]["scaleAndConcurrency"]

    assert sizes == {
        "instanceMemoryMB": 4096,
        "maximumInstanceCount": 100,
        "alwaysReady": [{"name": "http", "instanceCount": 2}],
        "triggers": {"http": {"perInstanceConcurrency": 100}},
    }


@every_case
def test_the_app_takes_calls_over_tls_alone(parameters: dict[str, Any]) -> None:
    deployment = deployed(**parameters)

    properties = site_of(deployment).body["properties"]
    assert properties["httpsOnly"] is True
    assert properties["siteConfig"]["minTlsVersion"] in ("1.2", "1.3")
    assert properties["siteConfig"]["ftpsState"] == "Disabled"
    policies = deployment.of_type("Microsoft.Web/sites/basicPublishingCredentialsPolicies")
    assert {(policy.name.split("/")[1], policy.body["properties"]["allow"]) for policy in policies} == {
        ("ftp", False),
        ("scm", False),
    }


@every_case
def test_everything_is_made_before_it_is_used(parameters: dict[str, Any]) -> None:
    forwards, backwards = deployed(**parameters), deployed(backwards=True, **parameters)

    assert not forwards.premature
    assert not backwards.premature
    assert forwards.outputs == backwards.outputs
    assert {resource.id: resource.body for resource in forwards.resources} == {
        resource.id: resource.body for resource in backwards.resources
    }


@every_case
def test_no_two_modules_are_one_deployment(parameters: dict[str, Any]) -> None:
    modules = deployed(**parameters).modules

    assert len({(where, name.lower()) for where, name in modules}) == len(modules)
    assert not [name for _, name in modules if not re.fullmatch(r"[\w.()-]{1,64}", name)]


@every_case
def test_no_metric_is_late_for_every_window_of_a_rule(parameters: dict[str, Any]) -> None:
    rules = deployed(**parameters).of_type("Microsoft.Insights/scheduledQueryRules")

    assert rules
    for rule in rules:
        window, every = (minutes(rule.body["properties"][name]) for name in ("windowSize", "evaluationFrequency"))
        assert window >= every + MINUTES_LATE, rule.name


def minutes(duration: str) -> int:
    found = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?", duration)
    assert found is not None
    return 60 * int(found[1] or 0) + int(found[2] or 0)


def test_of_custom_pools_the_workspace_is_told_what_becomes_of_sessions_and_not_what_they_print() -> None:
    settings = deployed(**CUSTOM).of_type("Microsoft.Insights/diagnosticSettings")

    told = {log.get("category", log.get("categoryGroup")) for s in settings for log in s.body["properties"]["logs"]}
    assert told == {"audit", "AppEnvSessionLifeCycleLogs", "AppEnvSessionPoolEventLogs", "ContainerAppSystemLogs"}
