"""What the host takes from `host.json` and `local.settings.json`."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from infra.local.host.configuration import (
    HostConfiguration,
    apply_local_settings,
    is_disabled,
    parse_host_configuration,
)
from infra.local.host.errors import StartError


def parsed(**content: Any) -> HostConfiguration:
    return parse_host_configuration({"version": "2.0", **content})


def http(**settings: Any) -> dict[str, Any]:
    return {"extensions": {"http": settings}}


def test_without_settings_the_hosts_defaults_hold() -> None:
    assert parsed() == HostConfiguration(
        route_prefix="api",
        outstanding_requests_max=None,
        concurrent_requests_max=None,
        custom_headers={},
        function_timeout_seconds=1800,
        log_level=logging.INFO,
    )


def test_the_settings_of_http_are_read() -> None:
    configuration = parsed(
        **http(routePrefix="", maxOutstandingRequests=-1, maxConcurrentRequests=5, customHeaders={"X-A": "b"})
    )

    assert configuration.route_prefix == ""
    assert configuration.outstanding_requests_max is None
    assert configuration.concurrent_requests_max == 5
    assert configuration.custom_headers == {"X-A": "b"}


@pytest.mark.parametrize(("text", "seconds"), [("00:05:00", 300), ("1.00:00:01", 86_401), ("-1", None), (-1, None)])
def test_the_timeout_is_a_time_span_or_none(text: object, seconds: int | None) -> None:
    assert parsed(functionTimeout=text).function_timeout_seconds == seconds


def test_the_default_log_level_becomes_the_root_loggers() -> None:
    assert parsed(logging={"logLevel": {"default": "Warning"}}).log_level == logging.WARNING


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"version": "1.0"}, "version"),
        ({"extensions": []}, "extensions"),
        (http(routePrefix=None), "routePrefix"),
        (http(maxOutstandingRequests=0), "maxOutstandingRequests"),
        (http(maxConcurrentRequests="5"), "maxConcurrentRequests"),
        (http(customHeaders={"X-A": 1}), "customHeaders"),
        ({"functionTimeout": "5 minutes"}, "functionTimeout"),
        ({"functionTimeout": "00:00:00"}, "functionTimeout"),
        ({"logging": {"logLevel": {"default": "Loud"}}}, "logLevel"),
    ],
)
def test_a_wrong_setting_is_named(content: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parsed(**content)


def test_local_settings_fill_only_what_is_not_set(tmp_path: Path) -> None:
    (tmp_path / "local.settings.json").write_text(json.dumps({"Values": {"A": "file", "B": "file"}}))
    environment = {"B": "set"}

    apply_local_settings(tmp_path, environment)

    assert environment == {"A": "file", "B": "set"}


def test_local_settings_are_optional(tmp_path: Path) -> None:
    environment: dict[str, str] = {}

    apply_local_settings(tmp_path, environment)

    assert environment == {}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "must hold a JSON object"),
        ('{"IsEncrypted": true, "Values": {"A": "x"}}', "is encrypted"),
        ('{"Values": {"A": 1}}', "must hold texts"),
    ],
)
def test_local_settings_that_cannot_be_used_are_refused(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "local.settings.json").write_text(content)

    with pytest.raises(StartError, match=reason):
        apply_local_settings(tmp_path, {})


@pytest.mark.parametrize("name", ["AzureWebJobs.alerts.Disabled", "AzureWebJobs__alerts__Disabled"])
@pytest.mark.parametrize(
    ("value", "disabled"), [("true", True), ("True", True), ("1", True), ("false", False), ("", False)]
)
def test_a_function_is_taken_out_of_use_by_its_setting(name: str, value: str, *, disabled: bool) -> None:
    assert is_disabled("alerts", {name: value}) is disabled
    assert not is_disabled("housekeeping", {name: value})
