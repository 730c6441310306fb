"""The managed identity's endpoint: a key for a key, and only for what it is good for."""

import json
from datetime import UTC, datetime

import pytest

from proxy.answering import answer
from proxy.identity_endpoint import IdentityEndpoint
from proxy.messages import GatewayRequest, GatewayResponse
from proxy.tenants import Tenant
from tests.support.gates import KeyRing, error_of

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


async def ask(query: str, key: str | None = "acme", **headers: str) -> GatewayResponse:
    keys = KeyRing({"acme": Tenant(id="acme", name="Acme")})
    endpoint = IdentityEndpoint(authenticator=keys, clock=lambda: NOW)
    given = {"metadata": "true", **headers} | ({} if key is None else {"x-identity-header": key})
    return await answer(
        endpoint.handle, GatewayRequest(id="r", method="GET", path="/msi/token", query=query, headers=given)
    )


@pytest.mark.parametrize(
    "query",
    [
        "api-version=2019-08-01&resource=https://dynamicsessions.io",
        "api-version=2019-08-01&resource=https%3A%2F%2Fdynamicsessions.io&client_id=1234",
        "api-version=2019-08-01&resource=https://dynamicsessions.io/",
        "resource=https://acasessions.io&api-version=2019-08-01",
    ],
)
async def test_a_key_comes_back_as_a_token_in_app_services_shape(query: str) -> None:
    response = await ask(query)

    told = json.loads(response.body)
    assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
    assert (told["access_token"], told["token_type"]) == ("acme", "Bearer")
    assert told["resource"].startswith("https://")
    assert isinstance(told["expires_on"], str)
    assert int(told["expires_on"]) - NOW.timestamp() == 24 * 3600


@pytest.mark.parametrize("query", ["", "resource=https://management.azure.com", "resource=https://vault.azure.net"])
async def test_tokens_are_for_sessions_only(query: str) -> None:
    assert error_of(await ask(query))["target"] == "resource"


@pytest.mark.parametrize("key", [None, "", "wrong"])
async def test_without_a_good_key_there_is_no_token(key: str | None) -> None:
    refused = await ask("resource=https://dynamicsessions.io", key, authorization="Bearer acme")

    assert (refused.status, error_of(refused)["code"]) == (401, "InvalidApiKey")


async def test_an_operators_key_is_no_identity() -> None:
    assert error_of(await ask("resource=https://dynamicsessions.io", "operator"))["code"] == "ScopeNotAllowed"
