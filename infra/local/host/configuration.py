"""What the host reads from the app folder: `host.json` and `local.settings.json`.

A file that cannot be read as the host would read it stops the start: a setting that is silently not in force here would
only show in Azure.
"""

import json
import logging
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local.host.errors import StartError

_TIME_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})")
_UNLIMITED = -1
_FLEX_TIMEOUT_SECONDS = 30 * 60

_LOG_LEVELS: Mapping[str, int] = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "information": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "none": logging.CRITICAL + 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostConfiguration:
    """The part of `host.json` that this host honours. None means unlimited."""

    route_prefix: str = "api"
    outstanding_requests_max: int | None = None
    concurrent_requests_max: int | None = None
    custom_headers: Mapping[str, str] = field(default_factory=dict)
    function_timeout_seconds: int | None = _FLEX_TIMEOUT_SECONDS
    log_level: int = logging.INFO


def read_host_configuration(app_directory: Path) -> HostConfiguration:
    """Read `host.json`.

    Raises:
        StartError: if the file is missing, is not JSON, or holds a value that the host would not accept.
    """
    path = app_directory / "host.json"
    content = _read_json_object(path)
    if content is None:
        raise StartError(f"{path} is missing: a function app needs a host.json")
    try:
        return parse_host_configuration(content)
    except ValueError as error:
        raise StartError(f"{path}: {error}") from error


def parse_host_configuration(content: Mapping[str, Any]) -> HostConfiguration:
    """Turn the content of `host.json` into settings; `ValueError` says which one is wrong."""
    if content.get("version") != "2.0":
        raise ValueError('"version" must be "2.0"')
    http = _section(_section(content, "extensions"), "http")
    prefix = http.get("routePrefix", "api")
    if not isinstance(prefix, str):
        raise ValueError('"extensions.http.routePrefix" must be text')  # noqa: TRY004 -- one kind of error for a wrong file
    headers = _section(http, "customHeaders")
    if not all(isinstance(value, str) for value in headers.values()):
        raise ValueError('"extensions.http.customHeaders" must hold texts')
    return HostConfiguration(
        route_prefix=prefix.strip("/"),
        outstanding_requests_max=_limit(http, "maxOutstandingRequests"),
        concurrent_requests_max=_limit(http, "maxConcurrentRequests"),
        custom_headers=headers,
        function_timeout_seconds=_function_timeout_seconds(content.get("functionTimeout", "00:30:00")),
        log_level=_log_level(_section(_section(content, "logging"), "logLevel").get("default", "Information")),
    )


def apply_local_settings(app_directory: Path, environment: MutableMapping[str, str]) -> None:
    """Copy the `Values` of `local.settings.json`, if there is one, into the environment; what is set there stays.

    Raises:
        StartError: if the file is not JSON, is encrypted, or holds a value that is not text.
    """
    path = app_directory / "local.settings.json"
    content = _read_json_object(path)
    if content is None:
        return
    if content.get("IsEncrypted"):
        raise StartError(f"{path} is encrypted: decrypt it with `func settings decrypt`")
    values = content.get("Values", {})
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise StartError(f'{path}: "Values" must hold texts')
    for name, value in values.items():
        environment.setdefault(name, value)


def _read_json_object(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StartError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise StartError(f"{path} must hold a JSON object")
    return content


def _section(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    section = content.get(name, {})
    if not isinstance(section, dict):
        raise ValueError(f'"{name}" must be an object')  # noqa: TRY004 -- as above
    return section


def _limit(http: Mapping[str, Any], name: str) -> int | None:
    value = http.get(name, _UNLIMITED)
    if type(value) is not int or (value < 1 and value != _UNLIMITED):
        raise ValueError(f'"extensions.http.{name}" must be a positive number, or -1 for no limit')
    return None if value == _UNLIMITED else value


def _function_timeout_seconds(value: object) -> int | None:
    if value in (_UNLIMITED, str(_UNLIMITED)):
        return None
    match = _TIME_SPAN.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('"functionTimeout" must be "hh:mm:ss", or "-1" for none')
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    if (total := ((days * 24 + hours) * 60 + minutes) * 60 + seconds) < 1:
        raise ValueError('"functionTimeout" must be at least a second')
    return total


def _log_level(value: object) -> int:
    level = _LOG_LEVELS.get(value.lower()) if isinstance(value, str) else None
    if level is None:
        raise ValueError(f'"logging.logLevel.default" must be one of {", ".join(_LOG_LEVELS)}')
    return level


def is_disabled(function: str, environment: Mapping[str, str]) -> bool:
    """Say whether an app setting takes a function out of use.

    Source: Azure Functions documentation, "How to disable functions" (read 2026-11): `AzureWebJobs.<name>.Disabled`, on
    Linux with two underscores for each point.
    """
    names = (f"AzureWebJobs.{function}.Disabled", f"AzureWebJobs__{function}__Disabled")
    return any(environment.get(name, "").lower() in {"1", "true"} for name in names)
