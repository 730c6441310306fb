"""The pool's answers as JSON, in each of its dialects.

Pure. Envelope: everything in `properties`, numbered with `$id`, `Success` or `Failure`. Flat: `Succeeded` or `Failed`,
and other names for the same things; a shell's commands have their exit code in that place.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from infra.local.pool.executions import Execution
from infra.local.pool.files import Entry
from infra.local.pool.outputs import Ending, Outcome
from infra.local.pool.runtimes import Runtime
from infra.local.pool.sessions import Session
from infra.local.pool.versions import ApiVersion


def instant(at: datetime) -> str:
    """Return an instant as RFC 3339, to the microsecond, in UTC."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def enveloped_execution(outcome: Outcome) -> dict[str, Any]:
    """Return the answer of `code/execute`."""
    return {
        "$id": "1",
        "properties": {
            "$id": "2",
            "status": "Success" if outcome.ending is Ending.SUCCEEDED else "Failure",
            "stdout": outcome.stdout,
            "stderr": outcome.stderr,
            "result": outcome.result,
            "executionTimeInMilliseconds": outcome.milliseconds,
        },
    }


def flat_execution(execution: Execution, identifier: str) -> dict[str, Any]:
    """Return an execution as `executions` has it; while it runs, it has no result."""
    outcome = execution.outcome
    if outcome is None:
        return _resource(execution, identifier, "Running")
    status = "Succeeded" if outcome.ending is Ending.SUCCEEDED else "Failed"
    return {
        **_resource(execution, identifier, status),
        "result": {
            "stdout": outcome.stdout,
            "stderr": outcome.stderr,
            "executionResult": outcome.result,
            "executionTimeInMilliseconds": outcome.milliseconds,
        },
    }


def shell_execution(execution: Execution, identifier: str) -> dict[str, Any]:
    """Return a command as `executions` has it: its status is the exit code as text, `Failed` if it has none."""
    outcome = execution.outcome
    if outcome is None:
        return _resource(execution, identifier, "Running")
    status = "Failed" if outcome.exit_code is None else str(outcome.exit_code)
    return {
        **_resource(execution, identifier, status),
        "result": {
            "stdout": outcome.stdout,
            "stderr": outcome.stderr,
            "executionTimeInMilliseconds": outcome.milliseconds,
        },
    }


def _resource(execution: Execution, identifier: str, status: str) -> dict[str, Any]:
    return {
        "id": execution.id,
        "identifier": identifier,
        "executionType": "Asynchronous" if execution.asynchronous else "Synchronous",
        "status": status,
    }


def enveloped_files(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return files as the envelope dialect lists them; it knows no folders."""
    files = [entry for entry in entries if not entry.is_folder]
    return {
        "$id": "1",
        "value": [
            {
                "$id": str(number),
                "properties": {
                    "$id": str(number + 1),
                    "filename": _path(entry),
                    "size": entry.size,
                    "lastModifiedTime": instant(entry.modified_at),
                },
            }
            for number, entry in zip(range(2, 2 * len(files) + 2, 2), files, strict=True)
        ],
    }


def _path(entry: Entry) -> str:
    return f"{entry.directory}/{entry.name}" if entry.directory else entry.name


def flat_file(entry: Entry, version: ApiVersion) -> dict[str, Any]:
    """Return a file or folder of the flat dialect."""
    resource: dict[str, Any] = {"name": entry.name, "type": "Directory" if entry.is_folder else "File"}
    if not entry.is_folder:
        resource |= {"contentType": entry.content_type, "sizeInBytes": entry.size}
    if version >= ApiVersion.OCTOBER_2025:
        resource["directory"] = entry.directory
    return {**resource, "lastModifiedAt": instant(entry.modified_at)}


def session(found: Session[Any]) -> dict[str, Any]:
    """Return a session as `/session` and `/listSessions` have it."""
    return _session(found, "expireAt")


def session_view(found: Session[Any]) -> dict[str, Any]:
    """Return a session as the management calls have it: one letter more."""
    return _session(found, "expiresAt")


def _session(found: Session[Any], end: str) -> dict[str, Any]:
    return {
        "identifier": found.identifier,
        "etag": found.etag,
        "createdAt": instant(found.created_at),
        "lastAccessedAt": instant(found.last_accessed_at),
        end: instant(found.expires_at),
    }


def metadata(runtime: Runtime, started_at: datetime) -> dict[str, Any]:
    """Return what the pool says about itself."""
    return {
        "runtimes": [{"name": runtime.name, "version": runtime.version}],
        "preInstalledPackages": [{"name": name, "version": version} for name, version in runtime.packages],
        "createdAt": instant(started_at),
        "lastUpdatedAt": instant(started_at),
        "jupyterKernel": {
            "name": runtime.evaluator.name,
            "version": runtime.evaluator.version,
            "projectUrl": runtime.evaluator.url,
            "description": runtime.evaluator.description,
        },
    }
