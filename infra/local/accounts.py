"""The operator and the tenant `demo` of a local stack: made on first use, through the product's own surfaces.

Only the very first operator key is made against the storage, by the command line, as in a new deployment; everything
after that goes through the operator API.
"""

import asyncio
import http.client
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from infra.local.processes import ROOT, LocalError
from infra.local.state import State

DEMO = "demo"
DEMO_ACCOUNT = {"name": "Demo", "minutes_per_month": 600}
DEMO_KEY = {"label": "local", "scopes": ["execute", "files", "usage"]}
CALL_SECONDS = 30


async def first_operator_key(environment: Mapping[str, str]) -> str:
    """Make an operator key directly in the storage that the environment names.

    Raises:
        LocalError: The command line refused; its last line says why.
    """
    command = ["-m", "console", "keys", "create", "--operator", "--label", "local", "--direct", "--json"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    try:
        key: str = json.loads(output)["key"]
    except (ValueError, KeyError, TypeError):
        reason = errors.decode(errors="replace").strip().splitlines() or ["it gave no reason"]
        raise LocalError(f"the operator key could not be made: {reason[-1]}") from None
    return key


def ensure_demo(url: str, state: State, data_dir: Path) -> State:
    """See to it that both keys work, making the tenant and its key where they are missing.

    Raises:
        LocalError: A kept key is refused, or the host does not do what is asked.
    """
    operator_key = state.operator_key or ""
    if state.demo_key is None:
        status, body = call(url, "PUT", f"/operator/tenants/{DEMO}", operator_key, DEMO_ACCOUNT)
        _expect(status, body, "the operator key", data_dir)
        status, body = call(url, "POST", f"/operator/tenants/{DEMO}/keys", operator_key, DEMO_KEY)
        _expect(status, body, "the operator key", data_dir)
        state = replace(state, demo_key=body["key"])
        state.save(data_dir)
    else:
        status, body = call(url, "GET", f"/operator/tenants/{DEMO}", operator_key)
        _expect(status, body, "the operator key", data_dir)
    status, body = call(url, "GET", "/usage", state.demo_key or "")
    _expect(status, body, f"the key of the tenant {DEMO}", data_dir)
    return state


def call(
    url: str, method: str, path: str, key: str, content: Mapping[str, Any] | None = None
) -> tuple[int, Mapping[str, Any]]:
    """Call Tollgate with a key; returns the status and the JSON of the answer, empty if it has none.

    Raises:
        LocalError: There was no answer.
    """
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=CALL_SECONDS)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, json.dumps(content) if content else None, headers)
        answer = connection.getresponse()
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise LocalError(f"the host gave no answer to {method} {path}: {error}") from None
    finally:
        connection.close()
    try:
        body: Mapping[str, Any] = json.loads(text)
    except ValueError:
        body = {}
    return answer.status, body


def _expect(status: int, body: Mapping[str, Any], whose: str, data_dir: Path) -> None:
    if status in (401, 403, 404):
        raise LocalError(
            f"{whose} in {data_dir / 'stack.json'} no longer fits the data beside it ({status}); "
            "start with --fresh to begin anew"
        )
    if status >= 300:
        reason = body.get("error", {}).get("message", "It gave no reason.")
        raise LocalError(
            f"the host answered {status} to the stack's own call. {reason} See {data_dir / 'logs/host.log'}"
        )
