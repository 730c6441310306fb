"""The official client of the Model Context Protocol, unmodified, with Tollgate's URL and a key."""

import json
import os
import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.running import ROOT, running_stack
from tests.stack.tenants import Operator

pytestmark = [pytest.mark.stack, pytest.mark.slow]

PYTHON = ROOT / ".tools/clients/mcp/bin/python"
CSV = "name,age\nada,36\n"
DRIVE_SECONDS = 120


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run a stack, and say what the client has to know of it."""
    assert PYTHON.exists(), "the client is not installed; run: python3 -m scripts.setup --for test"
    with running_stack(tmp_path_factory.mktemp("stack")) as stack:
        operator = Operator(stack.ready)
        tenant = operator.tenant("agents")
        files_only = operator.call("POST", "/tenants/agents/keys", json={"label": "files", "scopes": ["files"]})
        yield {
            "URL": stack.ready["url"],
            "KEY": tenant.key,
            "FRUGAL_KEY": operator.tenant("frugal", minutes_per_month=5).key,
            "FILES_KEY": files_only.json()["key"],
        }


def run(told: dict[str, str], *arguments: str) -> str:
    """Run a program in the client's environment, and return what it printed."""
    done = subprocess.run(
        [PYTHON, *arguments],
        env={"PATH": os.environ["PATH"], **told},
        capture_output=True,
        text=True,
        timeout=DRIVE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr  # the client warns of what is not as it expects it
    return done.stdout


def test_agents_work_in_sessions_in_both_eras_of_the_protocol(told: dict[str, str]) -> None:
    seen = json.loads(run(told, str(ROOT / "tests/clients/mcp/agent.py")))

    for mode, version in (("legacy", "2025-11-25"), ("auto", "2026-07-28")):
        agent = seen[mode]
        assert (agent["version"], agent["server"], agent["tells"]) == (version, "Tollgate", True)
        assert agent["tools"] == ["run_code", "list_files", "read_file", "write_file", "new_session", "end_session"]
        assert agent["ran"] == ["hello\nResult: 42", 42, False]
        assert agent["charged"] == 5
        assert agent["again"] == [6, "existing"]
        assert agent["plot"] == ["image", "89504e47"]
        assert agent["failed"] == [True, "ZeroDivisionError: division by zero"]
        assert (agent["written"], agent["mean"], agent["listed"], agent["read"]) == (len(CSV), 36, ["people.csv"], CSV)
        assert agent["wrong"] == [True, "The arguments are not valid: timeout: Extra inputs are not permitted"]
        assert agent["afterwards"] == "NameError: name 'x' is not defined"
    assert seen["legacy"]["session"] != seen["auto"]["session"]

    assert seen["overspent"] == [[False, "Result"], [True, "QuotaExceeded"]]
    assert seen["wrong_key"] == ["InvalidApiKey", "The API key is missing, unknown, expired or revoked."]
    assert seen["not_covered"][0] == "ScopeNotAllowed"
    assert seen["files_only"] == ["list_files", "read_file", "write_file"]


def test_the_example_of_the_documentation_runs(told: dict[str, str]) -> None:
    [example] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/mcp.md").read_text(), re.DOTALL)

    assert run(told, "-c", example) == "42 5\n"
