"""Tollgate is called by its own description, with what that allows and with what it does not.

Schemathesis makes the calls and looks at the answers: no 500, no status, no header and no body that the description
does not have. What it is told is in `tests/clients/schemathesis`; from there it has an environment of its own, too.
`TOLLGATE_SCHEMATHESIS_EXAMPLES` says how many calls it makes up for each operation, besides those that follow from the
description one by one; with it each run makes up others.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.setup import STAMPS, client_steps
from scripts.steps import TOOLS, failure_of
from tests.running import ROOT, running_stack
from tests.stack.tenants import Operator, TenantClient

pytestmark = [pytest.mark.stack, pytest.mark.slow]

NAME = "schemathesis"
CONFIGURATION = ROOT / "tests/clients" / NAME / "schemathesis.toml"
EXAMPLES = os.environ.get("TOLLGATE_SCHEMATHESIS_EXAMPLES")
FEW = "10"
RUN_SECONDS = 14_400 if EXAMPLES else 400

SESSION, ENDED_SESSION = "mysession1234", "endedsession"
EXECUTION = "8963ad02-7d3c-4a0e-9b5e-0d3f0c3c7d11"
SESSIONS_MAX = 4  # what is made up names many, and each takes a while to start

# Only pools of containers have it.
WITHOUT_SUCCESS = {"POST /.management/stopSession"}

type Document = dict[str, Any]


@pytest.fixture(scope="module")
def program() -> Path:
    """Find the environment's programs."""
    reason = failure_of(dict(client_steps())[NAME], STAMPS)
    assert reason is None, f"not installed: {reason}. To install it: python3 -m scripts.setup --for test"
    return TOOLS / "clients" / NAME / "bin"


@pytest.fixture(scope="module")
def fresh_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Run a stack that nobody else uses: whatever an operator can do to it will be done."""
    with running_stack(tmp_path_factory.mktemp("described")) as running:
        yield running.ready


@pytest.fixture(scope="module")
def document(fresh_stack: dict[str, Any]) -> Document:
    found: Document = httpx.get(f"{fresh_stack['url']}/openapi.json").raise_for_status().json()
    return found


def test_the_description_is_valid(program: Path, document: Document, tmp_path: Path) -> None:
    written = tmp_path / "openapi.json"
    written.write_text(json.dumps(document))

    checked = subprocess.run([program / "openapi-spec-validator", written], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_no_call_of_a_tenant_is_answered_as_is_not_described(
    program: Path, fresh_stack: dict[str, Any], document: Document, tmp_path: Path
) -> None:
    tenant = Operator(fresh_stack).tenant("described", max_concurrent_sessions=SESSIONS_MAX)
    _fill(tenant)

    run = _run(program, tmp_path, document, fresh_stack["url"], tenant.key, "--exclude-tag", "operator")

    assert tenant.call("GET", "/usage").status_code == 200, "the key is no good any more"
    expected = {_in_first_pool(path) for path in _operations(document) if " /operator/" not in path}
    assert expected - {_in_first_pool(path) for path in run} == WITHOUT_SUCCESS


def test_no_call_of_an_operator_is_answered_as_is_not_described(
    program: Path, fresh_stack: dict[str, Any], document: Document, tmp_path: Path
) -> None:
    operator = Operator(fresh_stack)
    examples = operator.tenant("acme")
    assert examples.flat("GET", "/files", SESSION).status_code == 200  # a session to be ended
    spare = operator.call("POST", "/keys", json={}).json()["id"]

    key, options = fresh_stack["operator_key"], ("--include-tag", "operator")
    run = _run(program, tmp_path, document, fresh_stack["url"], key, *options, spare=spare)

    assert operator.call("GET", "/tenants").status_code == 200, "the key is no good any more"
    assert {path for path in _operations(document) if " /operator/" in path} <= run


def _fill(tenant: TenantClient) -> None:
    """Make what the examples in the description speak of."""
    headers = {"Operation-Id": EXECUTION}
    assert tenant.flat("POST", "/executions", SESSION, json={"code": "40 + 2"}, headers=headers).status_code == 200
    assert tenant.flat("POST", "/files", SESSION, files={"file": ("data.csv", b"1,2")}).status_code == 200
    assert tenant.flat("GET", "/files", ENDED_SESSION).status_code == 200


def _operations(document: Document) -> set[str]:
    return {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item}


def _in_first_pool(operation: str) -> str:
    return operation.replace(" /pools/{pool}/", " /")


def _run(
    program: Path, folder: Path, document: Document, url: str, key: str, *options: str, spare: str = ""
) -> set[str]:
    """Make the calls; return the operations that succeeded at least once."""
    described, report = folder / "openapi.json", folder / "report.ndjson"
    described.write_text(json.dumps(_closed(document)))
    made_up = ["--max-examples", EXAMPLES or FEW]
    made_up += [] if EXAMPLES else ["--generation-deterministic"]
    done = subprocess.run(
        [
            program / "schemathesis",
            *("--config-file", CONFIGURATION),
            *("run", described, "--url", url, "--no-color"),
            *("--report", "ndjson", "--report-ndjson-path", report),
            *made_up,
            *options,
        ],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "TOLLGATE_KEY": key, "TOLLGATE_SPARE_KEY_ID": spare},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return _successes(report)


def _closed(document: Document) -> Document:
    """Leave out that the pool may refuse a call in ways of its own: the local one has no others than are described."""
    closed: Document = json.loads(json.dumps(document))
    for item in closed["paths"].values():
        for operation in item.values():
            operation["responses"].pop("4XX", None)
    return closed


def _successes(report: Path) -> set[str]:
    found: set[str] = set()
    with report.open() as lines:
        for line in lines:
            recorder = json.loads(line).get("ScenarioFinished", {}).get("recorder", {})
            for name, exchange in recorder.get("interactions", {}).items():
                call = recorder["cases"][name]["value"]
                if (exchange.get("response") or {}).get("status_code", 500) < 300:
                    found.add(f"{call['method']} {call['path']}")
    return found
