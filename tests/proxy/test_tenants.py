"""Tenants, the format of API keys, and what a principal may do."""

import random
import secrets
import string
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.requests import Quota
from proxy.errors import ErrorCode, GatewayError
from proxy.tenants import (
    DEFAULT_POOL,
    OPERATOR_SCOPES,
    TENANT_SCOPES,
    ApiKey,
    ParsedKey,
    Principal,
    Scope,
    Tenant,
    credential_from,
    mint_key,
    parse_key,
)
from tests.support.building import MORNING, granularity

ALPHANUMERICS = string.ascii_letters + string.digits


def seeded_key(seed: int) -> ParsedKey:
    return mint_key(random.Random(seed).choice)


keys = st.integers(0, 2**32).map(seeded_key)


def api_key(of: ParsedKey, **changes: object) -> ApiKey:
    key = ApiKey(id=of.id, tenant_id="acme", label="", scopes=TENANT_SCOPES, sha256=of.sha256, created_at=MORNING)
    return replace(key, **changes)  # type: ignore[arg-type]


@given(keys)
def test_a_minted_key_parses_to_itself(key: ParsedKey) -> None:
    assert parse_key(key.text) == key


@given(keys)
def test_a_minted_key_has_the_form_that_scanners_know(key: ParsedKey) -> None:
    prefix, key_id, rest = key.text.split("_")

    assert (prefix, len(key_id), len(rest)) == ("tg", 12, 38)
    assert key.id == key_id
    assert set(key_id + rest) <= set(ALPHANUMERICS)


@given(keys, st.data())
def test_any_single_changed_character_is_refused(key: ParsedKey, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(key.text) - 1))
    other = data.draw(st.sampled_from(ALPHANUMERICS + "_-é٣ ").filter(lambda c: c != key.text[at]))

    assert parse_key(key.text[:at] + other + key.text[at + 1 :]) is None


@given(st.text())
def test_junk_is_refused(text: str) -> None:
    assert parse_key(text) is None


@pytest.mark.parametrize("spoil", [lambda t: t + "\n", lambda t: t[:-1], lambda t: t + "0", str.upper, str.lower])
def test_a_key_is_the_whole_text_and_nothing_else(spoil: object) -> None:
    assert callable(spoil)
    assert parse_key(spoil(seeded_key(1).text)) is None


def test_keys_are_minted_from_the_systems_randomness_without_repeating() -> None:
    assert len({mint_key(secrets.choice).text for _ in range(100)}) == 100


def test_the_text_of_a_key_stands_in_no_repr() -> None:
    key = seeded_key(1)

    assert key.text not in repr(key)
    assert key.sha256 not in repr(api_key(key))


def test_only_the_same_text_proves_a_key() -> None:
    key = seeded_key(1)

    assert api_key(key).is_proven_by(key)
    assert not api_key(key).is_proven_by(ParsedKey(key.id, seeded_key(2).text))


def test_a_key_is_valid_until_it_expires_or_is_revoked() -> None:
    key = api_key(seeded_key(1), expires_at=MORNING + timedelta(hours=1))

    assert key.is_valid(MORNING + timedelta(minutes=59))
    assert not key.is_valid(MORNING + timedelta(hours=1))
    assert not replace(key, revoked_at=MORNING).is_valid(MORNING)


@pytest.mark.parametrize(
    ("tenant_id", "scopes"),
    [
        ("acme", frozenset()),
        ("acme", OPERATOR_SCOPES),
        ("acme", TENANT_SCOPES | OPERATOR_SCOPES),
        (None, TENANT_SCOPES),
    ],
)
def test_no_key_mixes_what_operators_and_tenants_may_do(tenant_id: str | None, scopes: frozenset[Scope]) -> None:
    with pytest.raises(ValueError, match="scopes"):
        api_key(seeded_key(1), tenant_id=tenant_id, scopes=scopes)


@pytest.mark.parametrize(
    ("headers", "credential"),
    [
        ({}, None),
        ({"authorization": "Bearer k"}, "k"),
        ({"authorization": "bEARER   k "}, "k"),
        ({"x-api-key": "k"}, "k"),
        ({"authorization": "Bearer k", "x-api-key": "k"}, "k"),
        ({"authorization": "Bearer k", "x-api-key": "other"}, None),
        ({"authorization": "Basic k"}, None),
        ({"authorization": "Basic b", "x-api-key": "k"}, "k"),
        ({"authorization": "Bearer"}, None),
        ({"authorization": "k"}, None),
        ({"x-api-key": " "}, None),
        ({"other": "k"}, None),
    ],
)
def test_the_credential_is_a_bearer_or_an_api_key_and_never_ambiguous(
    headers: Mapping[str, str], credential: str | None
) -> None:
    assert credential_from(headers) == credential


def test_the_credential_may_stand_in_another_header_instead() -> None:
    assert credential_from({"identifier": "k", "x-api-key": "other"}, header="identifier") == "k"
    assert credential_from({"identifier": "k", "authorization": "Bearer other"}, header="identifier") is None


@pytest.mark.parametrize("tenant_id", ["a", "acme", "a-1", "0" * 40])
def test_a_tenant_id_fits_into_a_pool_identifier(tenant_id: str) -> None:
    assert len(f"{Tenant(id=tenant_id, name='').id}-{'f' * 64}") <= 128


@pytest.mark.parametrize("tenant_id", ["", "-a", "a-", "A", "a_b", "a/b", "é", "a" * 41, "a\n"])
def test_other_tenant_ids_are_refused(tenant_id: str) -> None:
    with pytest.raises(ValueError, match="tenant id"):
        Tenant(id=tenant_id, name="")


def test_a_tenant_reaches_the_default_pool_unless_told_otherwise() -> None:
    assert Tenant(id="acme", name="").pools == (DEFAULT_POOL,) == ("default",)


@pytest.mark.parametrize("pools", [(), ("shell", "shell"), ("a", "b", "a")])
def test_a_tenant_has_a_pool_and_none_of_them_twice(pools: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="one pool or more, each named once"):
        Tenant(id="acme", name="", pools=pools)


def test_limits_become_whole_increments_rounded_down() -> None:
    tenant = Tenant(
        id="acme",
        name="",
        minutes_per_month=Decimal("12.5"),
        minutes_per_day=Decimal("4.9"),
        max_concurrent_sessions=3,
    )

    assert tenant.quota(granularity()) == Quota(increments_per_period=2, increments_per_day=0, sessions=3)
    assert Tenant(id="acme", name="").quota(granularity()) == Quota()


def refusal(principal: Principal, scope: Scope) -> ErrorCode | None:
    try:
        principal.require(scope)
    except GatewayError as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("suspended", "scopes", "scope", "code"),
    [
        (False, TENANT_SCOPES, Scope.EXECUTE, None),
        (False, {Scope.USAGE}, Scope.EXECUTE, ErrorCode.SCOPE_NOT_ALLOWED),
        (False, TENANT_SCOPES, Scope.OPERATOR, ErrorCode.SCOPE_NOT_ALLOWED),
        (True, TENANT_SCOPES, Scope.FILES, ErrorCode.TENANT_SUSPENDED),
        (True, TENANT_SCOPES, Scope.USAGE, None),
        (True, {Scope.USAGE}, Scope.FILES, ErrorCode.SCOPE_NOT_ALLOWED),
    ],
)
def test_a_call_needs_its_scope_and_a_suspended_tenant_may_only_read_its_usage(
    *, suspended: bool, scopes: set[Scope], scope: Scope, code: ErrorCode | None
) -> None:
    tenant = Tenant(id="acme", name="", suspended=suspended)

    assert refusal(Principal.of(api_key(seeded_key(1), scopes=frozenset(scopes)), tenant), scope) == code


def test_an_operator_is_no_tenant() -> None:
    operator = Principal.of(api_key(seeded_key(1), tenant_id=None, scopes=OPERATOR_SCOPES), None)

    assert refusal(operator, Scope.OPERATOR) is None
    assert refusal(operator, Scope.USAGE) is ErrorCode.SCOPE_NOT_ALLOWED


def test_expiry_compares_instants_and_not_texts() -> None:
    key = api_key(seeded_key(1), expires_at=datetime.fromisoformat("2026-11-23T11:00:00+02:00"))

    assert not key.is_valid(datetime(2026, 11, 23, 9, tzinfo=UTC))
