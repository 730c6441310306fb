"""The project's own deployment: its files, the app's settings that come out of it, and what the app makes of them."""

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from tests.infra.bicep.deploying import DeployedResource, Deployment, deploy

ROOT = Path(__file__).resolve().parents[3]
MAIN = ROOT / "infra" / "main.bicep"
NEEDED = {"environmentName": "test", "location": "westeurope"}
VAULT_REFERENCE = re.compile(r"@Microsoft\.KeyVault\(SecretUri=(https://[\w-]+\.vault\.azure\.net/secrets/[\w-]+)/?\)")
READ_SETTINGS = """
import json, os, sys
from proxy.settings import Settings, SettingsError, read_settings
for line in sys.stdin:
    os.environ.clear()
    os.environ.update(json.loads(line))
    try:
        settings = read_settings(Settings)
    except SettingsError as error:
        found = {"error": str(error)}
    else:
        found = settings.model_dump(mode="json") | {"storage": settings.storage.get_secret_value()}
    print(json.dumps(found), flush=True)
"""


def bicep_files() -> list[Path]:
    """The files, the main one first."""
    return [MAIN, *sorted((MAIN.parent / "modules").glob("*.bicep"))]


def deployed(number: int = 1, *, backwards: bool = False, **parameters: Any) -> Deployment:
    """Deploy with these parameters besides the ones that are needed, for the first or a further time."""
    return _deployed(json.dumps(NEEDED | parameters), number, backwards)


@cache
def _deployed(parameters: str, number: int, backwards: bool) -> Deployment:  # noqa: FBT001 - positions make the key
    return deploy(MAIN, json.loads(parameters), number=number, backwards=backwards)


def site_of(deployment: Deployment) -> DeployedResource:
    """The function app."""
    (site,) = deployment.of_type("Microsoft.Web/sites")
    return site


def identity_of(deployment: Deployment) -> str:
    """The id of the identity that the app is."""
    (identity,) = site_of(deployment).body["identity"]["userAssignedIdentities"]
    return str(identity)


def app_settings(deployment: Deployment) -> dict[str, str]:
    """The app's settings as they are written."""
    pairs = site_of(deployment).body["properties"]["siteConfig"]["appSettings"]
    names = [pair["name"] for pair in pairs]
    assert len(names) == len(set(names)), "a setting is set twice"
    return {pair["name"]: pair["value"] for pair in pairs}


def resolved_settings(deployment: Deployment) -> dict[str, str]:
    """The app's settings as the app sees them: what refers to the vault is replaced by what is in there."""
    secrets = {
        f"https://{resource.name.split('/')[0]}.vault.azure.net/secrets/{resource.name.split('/')[1]}": resource
        for resource in deployment.of_type("Microsoft.KeyVault/vaults/secrets")
    }
    return {
        name: secrets[found[1]].body["properties"]["value"] if (found := VAULT_REFERENCE.fullmatch(value)) else value
        for name, value in app_settings(deployment).items()
    }


class App:
    """The app's own reading of its environment, in a process of its own, which has no other environment."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", READ_SETTINGS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={},
        )

    def read(self, deployment: Deployment) -> dict[str, Any]:
        """What it reads out of the settings that it is given, or `error` with what it says."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(resolved_settings(deployment)) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
