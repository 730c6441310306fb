"""azure-functions-doctor finds nothing wrong with what is deployed: the package, on what the templates make for it.

The package is laid out beside the deployment's resources as JSON, which is where the doctor reads about the plan, the
runtime and the settings, and it looks with the app's own settings. What it warns of nevertheless is excused below, with
the reason; an excuse that is not needed any more fails the test.
"""

import io
import json
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.package import IGNORE_FILE, build_package
from scripts.setup import STAMPS, checks_step
from scripts.steps import ROOT, failure_of
from tests.infra.bicep.arm import to_arm_template
from tests.infra.bicep.tollgate import app_settings, deployed

pytestmark = pytest.mark.slow

EXCUSED = {
    "check_extension_bundle": "HTTP and timers are part of the host; a bundle would only be loaded at every start",
    "check_extension_bundle_v4": "as above",
    "check_func_cli": "the package is looked at, not a developer's machine; Core Tools are one of two ways to deploy",
    "check_func_core_tools_version": "as above",
    "check_host_json_log_level_conflict": "the host tells of requests at Information; the rest there is noise",
    "check_local_settings": "the local stack makes the settings itself, and leaves no secrets lying about",
    "check_native_dependency_risk": "by default Azure builds, from requirements.txt: there cryptography is Linux's",
    "check_programming_model_v2": "it overlooks `async def`; Azure's runtime finds all, as another test sees",
}
LOOKED_AT = {  # what it can only say once it has read the resources and the settings
    "check_app_insights",
    "check_flex_deployment_storage",
    "check_flex_deprecated_settings",
    "check_flex_runtime_config",
    "check_host_json",
    "check_requirements_txt",
}


def examine(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """Run the doctor; return what it says of each rule: pass, warn, fail or skip."""
    step = checks_step()
    reason = failure_of(step, STAMPS)
    assert reason is None, f"not installed: {reason}. To install it: python3 -m scripts.setup --for test"
    machine = {"PATH": "", "HOME": str(folder), "VIRTUAL_ENV": str(step.result.parent.parent)}
    done = subprocess.run(
        [step.result.with_name("azure-functions-doctor"), "doctor", "--path", folder, "--format", "json"],
        cwd=folder,
        env=dict(settings) | machine,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.startswith("{"), done.stderr[-3000:]
    return {item["rule_id"]: item["status"] for part in json.loads(done.stdout)["results"] for item in part["items"]}


def lay_out(folder: Path) -> dict[str, str]:
    """Unpack the package, with the resources of a deployment beside it; return the app's settings there."""
    deployment = deployed()
    with zipfile.ZipFile(io.BytesIO(build_package())) as package:
        package.extractall(folder)
    shutil.copy(ROOT / IGNORE_FILE, folder)
    (folder / "infra").mkdir()
    (folder / "infra/main.json").write_text(json.dumps(to_arm_template(deployment)))
    return app_settings(deployment)


def said(verdicts: Mapping[str, str], *verdict: str) -> set[str]:
    return {rule for rule, status in verdicts.items() if status in verdict}


def test_the_doctor_finds_nothing_wrong_with_what_is_deployed(tmp_path: Path) -> None:
    verdicts = examine(tmp_path, lay_out(tmp_path))

    assert said(verdicts, "fail", "warn") == EXCUSED.keys()
    assert said(verdicts, "pass") >= LOOKED_AT


def test_the_doctor_finds_what_is_wrong(tmp_path: Path) -> None:
    settings = lay_out(tmp_path)
    infra = tmp_path / "infra/main.json"
    infra.write_text(infra.read_text().replace("AzureWebJobsDisableHomepage", "FUNCTIONS_WORKER_RUNTIME"))
    (tmp_path / "requirements.txt").unlink()

    verdicts = examine(tmp_path, settings)

    assert said(verdicts, "fail", "warn") >= {"check_flex_deprecated_settings", "check_requirements_txt"}
