"""The unmodified package langchain-azure-dynamic-sessions, with Tollgate's URL and a key."""

import json
import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.running import ROOT

pytestmark = [pytest.mark.stack, pytest.mark.slow]

PYTHON = ROOT / ".tools/clients/langchain/bin/python"
PNG = "89504e470d0a1a0a"


@pytest.fixture
def seen(local_stack: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """Drive the client once, and return what it saw."""
    assert PYTHON.exists(), 'the client is not installed; run: make test, or "python3 scripts/setup.py --for test"'
    stack = local_stack()
    environment = {"PATH": os.environ["PATH"], "PROXY": stack["url"], "KEY": stack["tenants"][0]["key"]}
    done = subprocess.run(
        [PYTHON, ROOT / "tests/clients/langchain/drive.py"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_every_method_and_an_agents_loop_work_as_against_the_pool(seen: dict[str, Any]) -> None:
    assert seen["sum"]["result"] == 42
    assert seen["sum"]["stderr"] == ""
    assert seen["state"] == 6
    assert seen["uploaded"] == ["people.csv", 33]
    assert seen["mean"] == pytest.approx(40.666, abs=0.001)
    assert seen["listed"] == ["people.csv"]
    assert seen["downloaded"].startswith("name,age\nada,36")
    assert seen["image"] == ["image", "png", PNG]
    assert "ZeroDivisionError: division by zero" in seen["error"]
    assert seen["other_session"] == "NameError: name 'x' is not defined"
    assert seen["agent"] == {"tool_results": [122, pytest.approx(40.666, abs=0.001)], "said": "The mean is known."}
