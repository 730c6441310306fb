"""The deployment that clients are driven against: a local stack with pools of each kind, over http and over https."""

import contextlib
import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.infra.certificates import make_certificate
from tests.running import ROOT, Running, running_module, running_stack
from tests.stack.tenants import Operator

CONTAINER = ROOT / "tests/clients/prefect/container.py"
POOLS = ("default", "shell", "agents")


@dataclass(frozen=True, slots=True)
class Deployment:
    """Where it is, and how to become its tenant.

    Attributes:
        certificate: what a client has to trust to use the https address.
    """

    operator: Operator
    url: str
    https_url: str
    certificate: Path

    def environment(self, client: str) -> dict[str, str]:
        """Make tenants for a client, and return what its driver is told."""
        tenant = client.replace(".", "-")
        revoked = self.operator.tenant(f"{tenant}-revoked", pools=POOLS)
        key_id = revoked.key.split("_")[1]
        answer = self.operator.call("DELETE", f"/tenants/{tenant}-revoked/keys/{key_id}")
        assert answer.status_code == 200, answer.text
        return {
            "PROXY": self.url,
            "PROXY_TLS": self.https_url,
            "CA_FILE": str(self.certificate),
            "SHELL_PROXY": f"{self.url}/pools/shell",
            "CONTAINER_PROXY": f"{self.url}/pools/agents",
            "KEY": self.operator.tenant(tenant, pools=POOLS).key,
            "SPENT_KEY": self.operator.tenant(f"{tenant}-spent", pools=POOLS, minutes_per_month=0).key,
            "REVOKED_KEY": revoked.key,
        }


@contextlib.contextmanager
def running_deployment(folder: Path) -> Iterator[Deployment]:
    """Start it, with all data in the folder, and stop it at the end."""
    container = shlex.join([sys.executable, str(CONTAINER)])
    options = ["--pool", "shell=shell", "--pool", f"agents=custom:{container}"]
    certificate, private_key = make_certificate(folder)
    served_with = ["--port", "0", "--certificate", str(certificate), "--private-key", str(private_key)]
    with contextlib.ExitStack() as ending:
        stack = ending.enter_context(running_stack(folder / "stack", *options))
        https_host = ending.enter_context(
            running_module("infra.local.host", folder / "https", *served_with, environment=_environment(stack))
        )
        operator = Operator(stack.ready)
        yield Deployment(operator, stack.ready["url"], https_host.ready["url"], certificate)


def _environment(stack: Running) -> Mapping[str, str]:
    """Tell a second host what the stack's own host was told."""
    assert stack.data_dir is not None
    secrets = json.loads((stack.data_dir / "stack.json").read_text())
    pools = stack.ready["pools"]
    kinds = {"shell": "shell", "agents": "custom"}
    return {
        **os.environ,
        "TOLLGATE_POOL_ENDPOINTS": pools["default"],
        "TOLLGATE_POOLS": json.dumps(
            {name: {"kind": kind, "endpoints": [pools[name]]} for name, kind in kinds.items()}
        ),
        "TOLLGATE_POOL_AUTH": "none",
        "TOLLGATE_STORAGE": stack.ready["storage"],
        "TOLLGATE_NAMESPACE_SECRET": secrets["namespace_secret"],
        "TOLLGATE_LEDGER_SECRET": secrets["ledger_secret"],
    }
