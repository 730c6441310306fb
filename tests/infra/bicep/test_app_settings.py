"""What the app gets from a deployment it accepts, and it means what the parameters say."""

from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.settings import Settings
from tests.infra.bicep.cases import CASES, every_case
from tests.infra.bicep.functions import guid
from tests.infra.bicep.placeholders import COOLDOWN_OF_OTHERS, SESSIONS_OF_OTHERS
from tests.infra.bicep.tollgate import App, app_settings, deployed, identity_of

FORBIDDEN_ON_FLEX = {
    "ENABLE_ORYX_BUILD",
    "FUNCTIONS_EXTENSION_VERSION",
    "FUNCTIONS_WORKER_PROCESS_COUNT",
    "FUNCTIONS_WORKER_RUNTIME",
    "SCM_DO_BUILD_DURING_DEPLOYMENT",
    "WEBSITE_RUN_FROM_PACKAGE",
}
MEANT = {
    "poolKind": "pool_kind",
    "poolMaxSessions": "pool_max_sessions",
    "cooldownSeconds": "pool_cooldown_seconds",
    "incrementSeconds": "increment_seconds",
    "ratePerSessionHour": "rate_per_session_hour",
    "currency": "currency",
    "poolRatePerSessionHour": "pool_rate_per_session_hour",
    "poolBillingIncrementSeconds": "pool_billing_increment_seconds",
    "issuer": "issuer",
    "alertWebhook": "alert_webhook",
    "maxBodyBytes": "max_body_bytes",
    "maxAnswerBytes": "max_answer_bytes",
    "poolTimeoutSeconds": "pool_timeout_seconds",
}


@every_case
def test_the_app_accepts_its_settings(parameters: dict[str, Any], app: App) -> None:
    found = app.read(deployed(**parameters))

    assert "error" not in found, found["error"]


@every_case
def test_a_parameter_means_the_same_to_the_app(parameters: dict[str, Any], app: App) -> None:
    asked = {MEANT[name]: value for name, value in parameters.items() if name in MEANT}
    if "poolCount" in parameters:
        asked["pool_max_sessions"] = parameters["poolCount"] * 100

    found = app.read(deployed(**parameters))
    assert {name: found[name] for name in asked} == asked


def test_without_further_parameters_the_app_counts_as_its_documentation_says(app: App) -> None:
    places = ("storage", "ledger_secret", "namespace_secret", "pool_endpoints", "pool_max_sessions")
    defaults = {name: field.default for name, field in Settings.model_fields.items() if name not in places}
    defaults["pools"] = {}

    found = app.read(deployed())
    assert {name: found[name] for name in defaults} == {
        name: str(value) if isinstance(value, Decimal) else value for name, value in defaults.items()
    }


def test_a_billed_tail_of_nothing_is_nothing(app: App) -> None:
    assert app.read(deployed(**CASES["billed tail 0"]))["billed_tail_seconds"] == 0


def test_with_a_pool_that_exists_the_app_counts_with_its_cooldown_and_size(app: App) -> None:
    found = app.read(deployed(**CASES["existing pool"]))

    assert found["pool_cooldown_seconds"] == COOLDOWN_OF_OTHERS
    assert found["pool_max_sessions"] == SESSIONS_OF_OTHERS
    (endpoint,) = found["pool_endpoints"]
    assert endpoint.endswith("/resourceGroups/rg-other/sessionPools/old")


@every_case
def test_the_pools_of_the_app_are_those_that_are_deployed(parameters: dict[str, Any], app: App) -> None:
    deployment = deployed(**parameters)
    found = app.read(deployment)

    endpoints = [*found["pool_endpoints"], *(url for pool in found["pools"].values() for url in pool["endpoints"])]
    made = {
        f"https://westeurope.dynamicsessions.io{pool.scope}/sessionPools/{pool.name}": pool
        for pool in deployment.of_type("Microsoft.App/sessionPools")
    }
    if "existingPoolId" in parameters:
        assert not made
    else:
        assert sorted(endpoints) == sorted(made)
        held = [made[url].body["properties"]["scaleConfiguration"]["maxConcurrentSessions"] for url in endpoints]
        said = [found["pool_max_sessions"], *(pool["max_sessions"] for pool in found["pools"].values())]
        assert sum(held) == sum(said)


def test_further_pools_are_told_to_the_app_as_they_are_asked_for(app: App) -> None:
    parameters = CASES["further pools"]

    pools = app.read(deployed(**parameters))["pools"]
    assert {(name, pool["kind"], pool["max_sessions"]) for name, pool in pools.items()} == {
        (pool["name"], pool["kind"], pool["maxSessions"]) for pool in parameters["additionalPools"]
    }


@every_case
def test_every_setting_is_set_and_every_one_set_is_a_setting(parameters: dict[str, Any]) -> None:
    written = {name for name in app_settings(deployed(**parameters)) if name.startswith("TOLLGATE_")}

    assert written == {f"TOLLGATE_{name.upper()}" for name in Settings.model_fields}


@given(cooldown=st.integers(300, 3600))
@settings(max_examples=25, deadline=None)
def test_pools_and_app_have_one_cooldown(cooldown: int) -> None:
    deployment = deployed(cooldownSeconds=cooldown, **CASES["further pools"])

    pools = deployment.of_type("Microsoft.App/sessionPools")
    kept = [pool.body["properties"]["dynamicPoolConfiguration"]["lifecycleConfiguration"] for pool in pools]
    assert len(kept) == 4
    assert {cycle["cooldownPeriodInSeconds"] for cycle in kept} == {cooldown}
    assert {cycle["lifecycleType"] for cycle in kept} == {"Timed"}
    assert app_settings(deployment)["TOLLGATE_POOL_COOLDOWN_SECONDS"] == str(cooldown)


@every_case
def test_the_app_gets_texts_and_nothing_that_flex_consumption_refuses(parameters: dict[str, Any]) -> None:
    settings = app_settings(deployed(**parameters))

    assert not FORBIDDEN_ON_FLEX & set(settings)
    assert {type(value) for value in settings.values()} == {str}


@every_case
def test_the_host_reaches_its_storage_by_identity(parameters: dict[str, Any]) -> None:
    deployment = deployed(**parameters)

    settings = app_settings(deployment)
    (account,) = deployment.of_type("Microsoft.Storage/storageAccounts")
    assert "AzureWebJobsStorage" not in settings
    assert settings["AzureWebJobsStorage__accountName"] == account.name
    assert settings["AzureWebJobsStorage__credential"] == "managedidentity"
    assert settings["AzureWebJobsStorage__clientId"] == settings["AZURE_CLIENT_ID"]
    assert settings["AZURE_CLIENT_ID"] == guid(identity_of(deployment), "clientId")
    assert settings["TOLLGATE_STORAGE"].rstrip("/") == f"https://{account.name}.table.core.windows.net"
    assert account.body["properties"]["allowSharedKeyAccess"] is False
    assert not [value for value in settings.values() if "AccountKey=" in value or "SharedAccessSignature" in value]
