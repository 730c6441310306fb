"""What the APIs' bodies and queries may say; refusals name the field, and never repeat what stood in it."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from console.bodies import (
    BODY_BYTES_MAX,
    AdjustmentBody,
    Body,
    ExpiryBody,
    OperatorKeyBody,
    TenantBody,
    TenantKeyBody,
    read_body,
)
from console.queries import UsageQuery, read_usage_query
from metering.periods import Period
from proxy.errors import ErrorCode, GatewayError
from proxy.tenants import TENANT_SCOPES

POOLS_51 = [f"p{number}" for number in range(51)]


def test_only_the_monthly_quota_has_to_be_said_of_a_tenant() -> None:
    body = read_body(TenantBody, b'{"minutes_per_month": null}')

    assert set(dict(body).values()) == {None, False}


@pytest.mark.parametrize(
    ("text", "minutes"), [("600", "600"), ("0", "0"), ("0.1", "0.1"), ("6e2", "600.0"), ("29.99", "29.99")]
)
def test_minutes_are_exactly_what_was_written(text: str, minutes: str) -> None:
    body = read_body(TenantBody, b'{"minutes_per_month": %s}' % text.encode())

    assert body.minutes_per_month == Decimal(minutes)


@pytest.mark.parametrize(
    ("model", "content", "target"),
    [
        (TenantBody, "{}", "minutes_per_month"),
        (TenantBody, '{"minutes_per_month": "600"}', "minutes_per_month"),
        (TenantBody, '{"minutes_per_month": true}', "minutes_per_month"),
        (TenantBody, '{"minutes_per_month": -1}', "minutes_per_month"),
        (TenantBody, '{"minutes_per_month": NaN}', "minutes_per_month"),
        (TenantBody, '{"minutes_per_month": Infinity}', "minutes_per_month"),
        (TenantBody, '{"minutes_per_month": 1e400}', "minutes_per_month"),
        (TenantBody, '{"minutes_per_month": 1e12}', "minutes_per_month"),
        (TenantBody, '{"minutes_per_month": 1, "max_concurrent_sessions": 0}', "max_concurrent_sessions"),
        (TenantBody, '{"minutes_per_month": 1, "max_concurrent_sessions": 1.0}', "max_concurrent_sessions"),
        (TenantBody, '{"minutes_per_month": 1, "calls_per_minute": 0}', "calls_per_minute"),
        (TenantBody, '{"minutes_per_month": 1, "calls_per_minute": 1.5}', "calls_per_minute"),
        (TenantBody, '{"minutes_per_month": 1, "calls_per_minute": "60"}', "calls_per_minute"),
        (TenantBody, '{"minutes_per_month": 1, "calls_per_minute": true}', "calls_per_minute"),
        (TenantBody, '{"minutes_per_month": 1, "pools": []}', "pools"),
        (TenantBody, '{"minutes_per_month": 1, "pools": "shell"}', "pools"),
        (TenantBody, '{"minutes_per_month": 1, "pools": {"shell": 1}}', "pools"),
        (TenantBody, '{"minutes_per_month": 1, "pools": ["shell", "shell"]}', "pools"),
        (TenantBody, json.dumps({"minutes_per_month": 1, "pools": POOLS_51}), "pools"),
        (TenantBody, '{"minutes_per_month": 1, "pools": ["default", "Shell"]}', "pools.1"),
        (TenantBody, '{"minutes_per_month": 1, "pools": ["a/b"]}', "pools.0"),
        (TenantBody, '{"minutes_per_month": 1, "pools": ["shell\\n"]}', "pools.0"),
        (TenantBody, '{"minutes_per_month": 1, "pools": [""]}', "pools.0"),
        (TenantBody, '{"minutes_per_month": 1, "pools": [null]}', "pools.0"),
        (TenantBody, '{"minutes_per_month": 1, "suspended": "yes"}', "suspended"),
        (TenantBody, '{"minutes_per_month": 1, "rate_per_session_hour": -0.1}', "rate_per_session_hour"),
        (TenantBody, '{"minutes_per_month": 1, "name": "a\\nb"}', "name"),
        (TenantBody, '{"minutes_per_month": 1, "colour": "red"}', "colour"),
        (TenantKeyBody, '{"scopes": []}', "scopes"),
        (TenantKeyBody, '{"scopes": "usage"}', "scopes"),
        (TenantKeyBody, '{"scopes": ["everything"]}', "scopes.0"),
        (OperatorKeyBody, '{"scopes": ["operator"]}', "scopes"),
        (ExpiryBody, "{}", "expires_at"),
        (ExpiryBody, '{"expires_at": "2027-01-31"}', "expires_at"),
        (ExpiryBody, '{"expires_at": "2027-01-31T12:00:00"}', "expires_at"),
        (ExpiryBody, '{"expires_at": "2027-02-31T12:00:00Z"}', "expires_at"),
        (ExpiryBody, '{"expires_at": "1900000000"}', "expires_at"),
        (ExpiryBody, '{"expires_at": "9999-12-31T23:59:59-14:00"}', "expires_at"),
        (ExpiryBody, '{"expires_at": 1900000000}', "expires_at"),
        (AdjustmentBody, '{"minutes": 5}', "reason"),
        (AdjustmentBody, '{"minutes": 5, "reason": ""}', "reason"),
        (AdjustmentBody, '{"minutes": null, "reason": "r"}', "minutes"),
        (AdjustmentBody, "[]", "body"),
        (AdjustmentBody, "", "body"),
        (AdjustmentBody, "{", "body"),
        (AdjustmentBody, '{"minutes": 5, "reason": "\\ud800"}', "body"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(model: type[Body], content: str, target: str) -> None:
    with pytest.raises(GatewayError) as refused:
        read_body(model, content.encode())

    assert (refused.value.code, refused.value.target) == (ErrorCode.VALIDATION_FAILED, target)
    assert "Value error" not in refused.value.message


def test_a_refusal_never_repeats_what_stood_in_the_field() -> None:
    with pytest.raises(GatewayError) as refused:
        read_body(TenantKeyBody, b'{"label": "", "expires_at": "tg_secret"}')

    assert "secret" not in refused.value.message


def test_a_body_has_a_bound() -> None:
    with pytest.raises(GatewayError, match="RequestTooLarge"):
        read_body(TenantBody, b" " * (BODY_BYTES_MAX + 1))


def test_a_tenant_may_have_fifty_pools_in_an_order_that_stays() -> None:
    names = POOLS_51[:0:-1]

    body = read_body(TenantBody, json.dumps({"minutes_per_month": None, "pools": names}).encode())

    assert body.pools == tuple(names)
    assert len(names) == 50


def test_a_tenants_key_has_all_of_a_tenants_scopes_unless_told_otherwise() -> None:
    assert read_body(TenantKeyBody, b"{}").scopes == TENANT_SCOPES


@pytest.mark.parametrize("text", ["2027-01-31T12:00:00Z", "2027-01-31t13:00:00.000+01:00", "2027-01-31 12:00:00z"])
def test_an_instant_has_an_offset(text: str) -> None:
    body = read_body(ExpiryBody, b'{"expires_at": "%s"}' % text.encode())

    assert body.expires_at == datetime(2027, 1, 31, 12, tzinfo=UTC)
    assert body.expires_at.tzinfo in {UTC, timezone(timedelta(hours=1))}


@pytest.mark.parametrize(
    ("query", "read"),
    [
        ("", UsageQuery(None, 0, 200)),
        ("api-version=1&period=2026-11", UsageQuery(Period(2026, 11), 0, 200)),
        ("after=7&limit=1000", UsageQuery(None, 7, 1000)),
    ],
)
def test_a_usage_query_has_defaults(query: str, read: UsageQuery) -> None:
    assert read_usage_query(query) == read


@pytest.mark.parametrize(
    ("query", "target"),
    [
        ("period=", "period"),
        ("period=2026-13", "period"),
        ("period=november", "period"),
        ("after=-1", "after"),
        ("after=99999999999999999999", "after"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("limit=%D9%A3", "limit"),
    ],
)
def test_a_usage_query_that_cannot_be_is_refused(query: str, target: str) -> None:
    with pytest.raises(GatewayError) as refused:
        read_usage_query(query)

    found: Any = refused.value.response().body.decode()
    assert refused.value.target == target
    assert f'"target":"{target}"' in found
