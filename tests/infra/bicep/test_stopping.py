"""Parameters that cannot work stop a deployment before anything is made, in one line that names the parameter."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.infra.bicep.cases import CUSTOM, ENVIRONMENT, EXISTING_POOL, REGISTRY
from tests.infra.bicep.functions import DeploymentStopped
from tests.infra.bicep.reading import read_template
from tests.infra.bicep.syntax import Object, Text, walk
from tests.infra.bicep.tollgate import MAIN, App, deployed


def one_pool(**parts: Any) -> dict[str, Any]:
    return {"additionalPools": [{"name": "more", "kind": "node"} | parts]}


def custom_pool(**parts: Any) -> dict[str, Any]:
    return one_pool(kind="custom", image="image", **parts)


CONTRADICTIONS: list[tuple[str, dict[str, Any]]] = [
    ("alwaysReadyInstances", {"alwaysReadyInstances": 3, "maximumInstances": 2}),
    ("alwaysReadyInstances", {"zoneRedundant": True, "alwaysReadyInstances": 1}),
    ("storageRedundancy", {"zoneRedundant": True, "storageRedundancy": "LRS"}),
    ("containerImage", {"poolKind": "custom"}),
    ("containerImage", {"containerImage": "image"}),
    ("existingPoolId", {"existingPoolId": EXISTING_POOL, "containerImage": "image"}),
    ("existingPoolId", {"existingPoolId": EXISTING_POOL, "cooldownSeconds": 600}),
    ("existingPoolId", {"existingPoolId": EXISTING_POOL, "poolCount": 2}),
    ("existingPoolId", {"existingPoolId": "old"}),
    ("existingPoolId", {"existingPoolId": REGISTRY}),
    ("additionalPools", {"existingPoolId": EXISTING_POOL} | one_pool()),
    ("poolReadySessions", {"poolReadySessions": 1}),
    ("poolReadySessions", CUSTOM | {"poolReadySessions": 101}),
    ("containerRegistryId", {"containerRegistryId": REGISTRY}),
    ("containerRegistryId", CUSTOM | {"containerRegistryId": "images"}),
    ("containerEnvironmentId", {"containerEnvironmentId": ENVIRONMENT}),
    ("additionalPools", one_pool(name="More")),
    ("additionalPools", one_pool(name="")),
    ("additionalPools", one_pool(name="a" * 41)),
    ("additionalPools", one_pool(name="more-")),
    ("additionalPools", one_pool(name="default")),
    ("additionalPools", {"additionalPools": [{"name": "a", "kind": "node"}, {"name": "a", "kind": "shell"}]}),
    ("additionalPools", one_pool(kind="ruby")),
    ("additionalPools", {"additionalPools": [{"name": "a"}]}),
    ("additionalPools", one_pool(maxSessions=0)),
    ("additionalPools", one_pool(maxSessions=601)),
    ("additionalPools", one_pool(kind="custom")),
    ("additionalPools", one_pool(image="image")),
    ("additionalPools", one_pool(readySessions=1)),
    ("additionalPools", one_pool(port=80)),
    ("additionalPools", one_pool(cpu="1.0")),
    ("additionalPools", one_pool(memory="1Gi")),
    ("additionalPools", one_pool(max_sessions=50)),
    ("additionalPools", one_pool(cooldownSeconds=900)),
    ("additionalPools", custom_pool(readySessions=-1)),
    ("additionalPools", custom_pool(readySessions=6, maxSessions=5)),
    ("additionalPools", custom_pool(readySessions=101)),
    ("additionalPools", custom_pool(port=0)),
    ("additionalPools", custom_pool(port=65536)),
    ("additionalPools", custom_pool(cpu="9")),
    ("containerMemory", custom_pool(memory="lots")),
    ("containerMemory", custom_pool(memory=1)),
    ("containerMemory", {"containerMemory": "1"}),
    ("containerMemory", {"containerMemory": "1Mi"}),
    ("containerMemory", {"containerMemory": "Gi"}),
    ("containerMemory", {"containerMemory": ""}),
    ("operatorIpAddresses", {"operatorIpAddresses": ["203.0.113.7"]}),
    ("operatorIpAddresses", {"privateNetwork": True, "operatorIpAddresses": ["home"]}),
    ("operatorIpAddresses", {"privateNetwork": True, "operatorIpAddresses": ["1.2.3"]}),
    ("operatorIpAddresses", {"privateNetwork": True, "operatorIpAddresses": ["203.0.113.7/32"]}),
    ("ratePerSessionHour", {"ratePerSessionHour": "3 cents"}),
    ("ratePerSessionHour", {"ratePerSessionHour": ""}),
    ("poolRatePerSessionHour", {"poolRatePerSessionHour": "0,03"}),
    ("currency", {"currency": "usd"}),
    ("alertWebhook", {"alertWebhook": "http://example.com"}),
    ("alertEmails", {"alertEmails": ["me"]}),
    ("logDailyCapGb", {"logDailyCapGb": 0}),
]


OUT_OF_BOUNDS: list[tuple[str, dict[str, Any]]] = [
    ("environmentName", {"environmentName": ""}),
    ("environmentName", {"environmentName": "a" * 21}),
    ("location", {"location": ""}),
    ("cooldownSeconds", {"cooldownSeconds": 299}),
    ("cooldownSeconds", {"cooldownSeconds": 3601}),
    ("instanceMemoryMB", {"instanceMemoryMB": 1024}),
    ("poolKind", {"poolKind": "ruby"}),
    ("principalType", {"principalType": "Robot"}),
    ("billedTailSeconds", {"billedTailSeconds": -2}),
    ("poolTimeoutSeconds", {"poolTimeoutSeconds": 230}),
    ("maxAnswerBytes", {"maxAnswerBytes": 1023}),
    ("currency", {"currency": "EURO"}),
    ("issuer", {"issuer": ""}),
    ("colour", {"colour": "red"}),
]


@pytest.mark.parametrize(("named", "parameters"), CONTRADICTIONS + OUT_OF_BOUNDS, ids=str)
def test_parameters_that_cannot_work_stop_the_deployment_in_one_line(named: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(DeploymentStopped) as stopped:
        deployed(**parameters)

    assert re.fullmatch(rf"{named}: [^\n]+", str(stopped.value)), str(stopped.value)


def test_every_contradiction_has_a_case() -> None:
    written = {
        entry.value.plain
        for variable in read_template(MAIN.resolve()).variables.values()
        for expr in walk(variable.value)
        if isinstance(expr, Object)
        for entry in expr.entries
        if entry.key.plain == "says" and isinstance(entry.value, Text)
    }
    said = set()
    for _, parameters in CONTRADICTIONS:
        with pytest.raises(DeploymentStopped) as stopped:
            deployed(**parameters)
        said.add(str(stopped.value))

    assert said == written


PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "poolKind": st.sampled_from(["python", "node", "shell", "custom"]),
        "containerImage": st.sampled_from(["", "image:1"]),
        "poolCount": st.integers(1, 3),
        "cooldownSeconds": st.integers(300, 3600),
        "incrementSeconds": st.integers(1, 3600),
        "billedTailSeconds": st.integers(-1, 4000),
        "currency": st.text("EURu1 ", min_size=3, max_size=3),
        "ratePerSessionHour": st.text("0123.-e ", max_size=4),
        "poolRatePerSessionHour": st.text("0123.-e ", max_size=4),
        "poolBillingIncrementSeconds": st.integers(1, 3600),
        "maxBodyBytes": st.integers(1, 10**9),
        "maxAnswerBytes": st.integers(1024, 10**9),
        "poolTimeoutSeconds": st.integers(1, 229),
        "additionalPools": st.lists(
            st.fixed_dictionaries(
                {"name": st.text("ab-1A", max_size=4), "kind": st.sampled_from(["python", "shell"])},
                optional={"maxSessions": st.integers(0, 601), "egress": st.booleans()},
            ),
            max_size=2,
        ),
    },
)


@given(parameters=PARAMETERS)
@settings(deadline=None)
def test_what_the_deployment_lets_through_the_app_accepts(parameters: dict[str, Any], app: App) -> None:
    try:
        deployment = deployed(**parameters)
    except DeploymentStopped as stopped:
        named, _, _ = str(stopped).partition(":")
        assert named in read_template(MAIN.resolve()).params
    else:
        found = app.read(deployment)
        assert "error" not in found, found["error"]
