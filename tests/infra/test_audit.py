"""The audit says that nothing is known only after it has looked; else it says what is known, or that it has not."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scripts.audit import CANARY, LOCKS, NotLookedUpError, audit
from scripts.setup import STAMPS, checks_step
from scripts.steps import ROOT, failure_of

BAD = {"name": "jinja2", "version": "2.10", "vulns": [{"id": "PYSEC-2019-217", "fix_versions": ["2.10.1"]}]}
GOOD = {"name": "aiohttp", "version": "3.14.5", "vulns": []}
PASSED_OVER = {"name": "httpx", "skip_reason": "Dependency not found on PyPI and could not be audited: httpx (0.28.1)"}


@dataclass(slots=True)
class Told:
    """A pip-audit that says what it is told to, of the canary and then of the locks; it ends as the real one does."""

    answers: list[Sequence[dict[str, Any]] | str]
    asked: list[Sequence[str]] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    kept: list[bool] = field(default_factory=list)  # whether anything was, before the question

    def __call__(self, options: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        self.asked.append(options)
        files = [option.partition("=")[2] for option in options if option.startswith("--requirement=")]
        self.read += [Path(file).read_text() for file in files]
        [cache] = [option.partition("=")[2] for option in options if option.startswith("--cache-dir=")]
        self.kept.append(Path(cache).exists())
        answer = self.answers[len(self.asked) - 1]
        if isinstance(answer, str):
            return subprocess.CompletedProcess(options, 1, "", answer)
        status = int(any(dependency.get("vulns") for dependency in answer))
        return subprocess.CompletedProcess(options, status, json.dumps({"dependencies": answer, "fixes": []}), "")


def test_nothing_is_known_if_the_canary_was_found_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    told = Told([[BAD], [GOOD]])

    assert audit(told) == 0

    assert told.read == [f"{CANARY}\n", *((ROOT / lock).read_text() for lock in LOCKS)]
    assert told.kept == [False, False]
    assert capsys.readouterr().out.startswith("Nothing is known against any of the 1 packages")


def test_what_is_known_is_told_by_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit(Told([[BAD], [GOOD, BAD, PASSED_OVER]])) == 1

    assert capsys.readouterr().out == "jinja2 2.10: PYSEC-2019-217 (mended in 2.10.1)\nNot looked up: httpx\n"


@pytest.mark.parametrize("canary", [[BAD | {"vulns": []}], [PASSED_OVER], []])
def test_where_the_canary_is_not_found_nothing_is_looked_up(canary: Sequence[dict[str, Any]]) -> None:
    told = Told([canary, [GOOD]])

    with pytest.raises(NotLookedUpError, match=f"no database .* can be reached: nothing was said against {CANARY}"):
        audit(told)

    assert len(told.asked) == 1


@pytest.mark.parametrize(
    ("locked", "reason"),
    [
        ([GOOD, PASSED_OVER], "these were not looked up: httpx"),
        ([], "these were not looked up: all"),
        ("Traceback:\nConnectionError: name resolution failed\n", "failed: ConnectionError: name resolution failed"),
    ],
)
def test_what_was_passed_over_is_not_clean(locked: Sequence[dict[str, Any]] | str, reason: str) -> None:
    with pytest.raises(NotLookedUpError, match=reason):
        audit(Told([[BAD], locked]))


@pytest.mark.slow
def test_the_real_pip_audit_that_cannot_reach_a_database_is_seen_through() -> None:
    step = checks_step()
    reason = failure_of(step, STAMPS)
    assert reason is None, f"not installed: {reason}. To install it: python3 -m scripts.setup --for test"
    nowhere = {"https_proxy": "http://127.0.0.1:9", "PIP_INDEX_URL": "http://127.0.0.1:9/simple"}  # nothing listens

    def run(options: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        program = step.result.with_name("pip-audit")
        return subprocess.run([program, *options], env=nowhere, capture_output=True, text=True, check=False)

    with pytest.raises(NotLookedUpError):
        audit(run)
