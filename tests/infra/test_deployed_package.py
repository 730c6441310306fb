"""The package runs where only `requirements.txt` is installed, loaded and called as Azure's worker does it."""

import io
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.audit import LOCKS
from scripts.licences import locked_packages
from scripts.package import build_package
from scripts.setup import STAMPS, deployed_step
from scripts.steps import ROOT, failure_of

pytestmark = pytest.mark.slow

STATIC = ROOT / "console/dashboard/static"
SETTINGS = {
    "TOLLGATE_POOL_ENDPOINTS": "https://pool.example",
    "TOLLGATE_STORAGE": "https://storage.example",
    "TOLLGATE_NAMESPACE_SECRET": "the namespace secret of the tests 01",
    "TOLLGATE_LEDGER_SECRET": "k1:the ledger's secret of the tests 0123",
}
HOST_PARTS = ("__init__.py", "host/__init__.py", "host/errors.py", "host/protos.py", "host/worker.py")
CALLS = (
    ("healthz", "GET", "/healthz"),
    ("openapi", "GET", "/openapi.json"),
    ("dashboard", "GET", "/dashboard"),
    ("dashboard", "GET", "/dashboard/vendor/uplot/uPlot.iife.min.js"),
    ("usage", "GET", "/usage/statement"),
    ("zz_session_pool", "POST", "/code/execute?identifier=s1"),
)
INSTALLED = """
import json
from importlib.metadata import distributions
print(json.dumps([(found.name, found.version) for found in distributions()]))
"""


@pytest.fixture(scope="module")
def deployed_python() -> Path:
    """The Python of an environment with nothing but what `requirements.txt` names."""
    step = deployed_step()
    reason = failure_of(step, STAMPS)
    assert reason is None, f"not installed: {reason}. To install it: python3 -m scripts.setup --for test"
    return step.result


def run_deployed(python: Path, *arguments: str | Path, text: str = "", **environment: str) -> Any:
    """Run something in the environment of a deployment, which knows nothing of this one; its output is JSON."""
    done = subprocess.run(
        [python, "-P", *arguments],
        env=environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_what_is_installed_there_is_exactly_what_the_requirements_name(deployed_python: Path) -> None:
    installed = {canonicalize_name(name): version for name, version in run_deployed(deployed_python, "-c", INSTALLED)}
    lines = (ROOT / "requirements.txt").read_text().replace("\\\n", "").splitlines()
    pinned = [Requirement(line.partition("--hash")[0]) for line in lines if re.match(r"\w", line)]

    assert installed == {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in pinned
        if pin.marker is None or pin.marker.evaluate()
    }


def test_what_is_deployed_is_what_was_tested() -> None:
    deployed, tested = (
        {(package.name, package.version) for package in locked_packages((ROOT / name).read_text())} for name in LOCKS
    )

    assert deployed
    assert deployed <= tested


@pytest.fixture(scope="module")
def served(deployed_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    """What the package makes of some calls where nothing else is, besides what stands in for the worker's shell."""
    folder, host = tmp_path_factory.mktemp("app"), tmp_path_factory.mktemp("host")
    with zipfile.ZipFile(io.BytesIO(build_package())) as package:
        package.extractall(folder)
    for part in HOST_PARTS:
        place = host / "infra/local" / part
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / "infra/local" / part, place)
    probe = Path(__file__).with_name("deployed_app.py")
    served: dict[str, Any] = run_deployed(
        deployed_python, probe, folder, text=json.dumps(CALLS), PYTHONPATH=str(host), **SETTINGS
    )
    return served


def test_the_worker_finds_every_function_in_the_package(served: Mapping[str, Any]) -> None:
    written = re.findall(r'app\.function_name\("(\w+)"\)', (ROOT / "function_app.py").read_text())

    assert served["functions"] == sorted(written)


def test_the_package_needs_nothing_but_its_environment(served: Mapping[str, Any]) -> None:
    assert served["strangers"] == []


def test_the_package_answers_calls(served: Mapping[str, Any]) -> None:
    health, openapi, page, script, usage, execute = served["answers"]

    assert health[0] == 200
    assert json.loads(openapi[1])["openapi"].startswith("3.")
    assert (page[0], page[1]) == (200, (STATIC / "index.html").read_text())
    assert (script[0], script[1]) == (200, (STATIC / "vendor/uplot/uPlot.iife.min.js").read_text())
    for status, body in (usage, execute):
        assert (status, json.loads(body)["error"]["code"]) == (401, "InvalidApiKey")
