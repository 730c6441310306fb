"""checkov finds nothing insecure in what the templates deploy, as they stand and with everything that can be closed.

It is given the resources with their evaluated values, since its own reader of Bicep passes over what it does not know.
What it finds fault with nevertheless is excused below, with the reason; an excuse that is not needed any more fails the
test.
"""

import json
import subprocess
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from scripts.setup import STAMPS, checks_step
from scripts.steps import failure_of
from tests.infra.bicep.arm import to_arm_template
from tests.infra.bicep.tollgate import deployed

pytestmark = pytest.mark.slow

DEPLOYMENTS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "private": {"privateNetwork": True},
    "closed": {"privateNetwork": True, "zoneRedundant": True, "storageRedundancy": "GZRS"},
}
EXCUSED = {
    "CKV_AZURE_17": "tenants prove themselves by API keys; nobody has given them certificates",
    "CKV_AZURE_41": "the secrets do not end: a ledger's key proves old entries, and the other would lose all sessions",
    "CKV_AZURE_212": "Flex Consumption adds instances itself, and alwaysReadyInstances says how many wait",
    "CKV_AZURE_213": "Flex Consumption has no health check of the platform's; load balancers in front ask /healthz",
    "CKV_AZURE_222": "tenants call from the internet: the app is what stands there",
}
EXCUSED_UNLESS_REDUNDANT = {
    "CKV_AZURE_206": "copies in another region cost more: storageRedundancy, by choice",
    "CKV_AZURE_225": "not every region has zones: zoneRedundant, by choice",
}
EXCUSED_UNLESS_PRIVATE = {
    "CKV_AZURE_35": "a network costs more than the rest together; the storage takes identities only: privateNetwork",
    "CKV_AZURE_59": "as above",
    "CKV_AZURE_109": "the same for the vault, which takes identities only as well",
    "CKV_AZURE_189": "as above",
}
EXPECTED = {
    "default": EXCUSED.keys() | EXCUSED_UNLESS_REDUNDANT.keys() | EXCUSED_UNLESS_PRIVATE.keys(),
    "private": EXCUSED.keys() | EXCUSED_UNLESS_REDUNDANT.keys(),
    "closed": EXCUSED.keys(),
}


def careless() -> dict[str, Any]:
    """The default deployment with what somebody might have overlooked."""
    template = deepcopy(to_arm_template(deployed()))
    for resource in template["resources"]:
        match resource["type"]:
            case "Microsoft.Storage/storageAccounts":
                resource["properties"]["minimumTlsVersion"] = "TLS1_0"
            case "Microsoft.KeyVault/vaults":
                resource["properties"]["enablePurgeProtection"] = False
            case "Microsoft.Web/sites":
                resource["properties"]["httpsOnly"] = False
            case _:
                pass
    return template


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, set[str]]:
    """Run checkov once over all deployments, without a network; by deployment, the checks that it did not pass."""
    step = checks_step()
    reason = failure_of(step, STAMPS)
    assert reason is None, f"not installed: {reason}. To install it: python3 -m scripts.setup --for test"
    folder = tmp_path_factory.mktemp("deployments")
    templates = {name: to_arm_template(deployed(**parameters)) for name, parameters in DEPLOYMENTS.items()}
    templates["careless"] = careless()
    for name, template in templates.items():
        (folder / f"{name}.json").write_text(json.dumps(template))
    options = ["--framework", "arm", "--output", "json", "--skip-download", "--soft-fail"]
    done = subprocess.run(
        [step.result.with_name("checkov"), "--directory", folder, *options],
        cwd=folder,
        env={"PATH": "", "HOME": str(folder), "LOG_LEVEL": "ERROR", "https_proxy": "http://127.0.0.1:9"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    assert report["results"]["parsing_errors"] == []
    assert report["summary"]["resource_count"] == sum(len(template["resources"]) for template in templates.values())
    found = report["results"]["failed_checks"]
    return {name: {check["check_id"] for check in found if check["file_path"] == f"/{name}.json"} for name in templates}


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_nothing_is_insecure_but_what_is_excused(failed: Mapping[str, set[str]], deployment: str) -> None:
    assert failed[deployment] == EXPECTED[deployment]


def test_checkov_finds_what_is_insecure(failed: Mapping[str, set[str]]) -> None:
    no_https, no_tls_1_2, secrets_may_be_lost = {"CKV_AZURE_14", "CKV_AZURE_70"}, {"CKV_AZURE_44"}, {"CKV_AZURE_110"}

    assert failed["careless"] - failed["default"] >= no_https | no_tls_1_2 | secrets_may_be_lost
