"""The operator and the tenant `demo` of a local stack: made on first use, through the product's own surfaces.

Only the very first operator key is made against the storage, by the command line, as in a new deployment; everything
after that goes through the operator API.
"""

import asyncio
import http.client
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from infra.local.processes import ROOT, LocalError
from infra.local.state import State
from infra.local.tls import Tls

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


@dataclass(frozen=True, slots=True)
class Accounts:
    """Makes the accounts of the host at a URL; `tls` is what that serves https with."""

    url: str
    data_dir: Path
    tls: Tls | None = None

    def ensure_demo(self, state: State, pools: Sequence[str]) -> State:
        """See to it that both keys work and that the tenant has these pools, making what is missing.

        Raises:
            LocalError: A kept key is refused, or the host does not do what is asked.
        """
        operator_key, path, operators = state.operator_key or "", f"/operator/tenants/{DEMO}", "the operator key"
        if state.demo_key is None:
            self._call("PUT", path, operator_key, operators, {**DEMO_ACCOUNT, "pools": pools})
            made = self._call("POST", f"{path}/keys", operator_key, operators, DEMO_KEY)
            state = replace(state, demo_key=made["key"])
            state.save(self.data_dir)
        else:
            tenant = dict(self._call("GET", path, operator_key, operators))
            if tenant.get("pools") != pools:
                del tenant["id"]
                self._call("PUT", path, operator_key, operators, {**tenant, "pools": pools})
        self._call("GET", "/usage", state.demo_key or "", f"the key of the tenant {DEMO}")
        return state

    def _call(
        self, method: str, path: str, key: str, whose: str, content: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        status, body = call(self.url, method, path, key, content, tls=self.tls)
        if status in (401, 403, 404):
            raise LocalError(
                f"{whose} in {self.data_dir / 'stack.json'} no longer fits the data beside it ({status}); "
                "start with --fresh to begin anew"
            )
        if status >= 300:
            reason = body.get("error", {}).get("message", "It gave no reason.")
            raise LocalError(
                f"the host answered {status} to the stack's own call. {reason} See {self.data_dir / 'logs/host.log'}"
            )
        return body


def call(
    url: str,
    method: str,
    path: str,
    key: str,
    content: Mapping[str, Any] | None = None,
    *,
    tls: Tls | None = None,
) -> tuple[int, Mapping[str, Any]]:
    """Call Tollgate with a key; returns the status and the JSON of the answer, empty if it has none.

    An https URL needs `tls`, whose certificate alone is then trusted.

    Raises:
        LocalError: There was no answer.
    """
    connection = _connect(urlsplit(url).netloc, tls)
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


def _connect(address: str, tls: Tls | None) -> http.client.HTTPConnection:
    if tls is None:
        return http.client.HTTPConnection(address, timeout=CALL_SECONDS)
    return http.client.HTTPSConnection(address, timeout=CALL_SECONDS, context=tls.client_context())
