"""An app whose settings cannot work does not start, and says in one line why."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import LEDGER_SECRET, NAMESPACE_SECRET, ROOT

pytestmark = pytest.mark.stack

SOUND = {
    "TOLLGATE_POOL_ENDPOINTS": "https://pool.example",
    "TOLLGATE_STORAGE": "https://account.table.example",
    "TOLLGATE_NAMESPACE_SECRET": NAMESPACE_SECRET,
    "TOLLGATE_LEDGER_SECRET": LEDGER_SECRET,
}
REFERENCE = "@Microsoft.KeyVault(SecretUri=https://vault.example/secrets/hidden)"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"NAMESPACE_SECRET": ""}, "TOLLGATE_NAMESPACE_SECRET: is not set"),
        ({"NAMESPACE_SECRET": REFERENCE}, "TOLLGATE_NAMESPACE_SECRET: its Key Vault reference is not resolved"),
        ({"LEDGER_SECRET": "k1:hidden"}, "TOLLGATE_LEDGER_SECRET: write <key id>:<secret>"),
        ({"STORAGE": "hidden"}, "TOLLGATE_STORAGE: write the table endpoint"),
        ({"POOL_ENDPOINTS": "http://pool.example"}, "TOLLGATE_POOL_ENDPOINTS: http:// would show the pool's token"),
        ({"BILLED_TAIL_SECOND": "0"}, "did you mean TOLLGATE_BILLED_TAIL_SECONDS?"),
    ],
)
def test_settings_that_cannot_work_stop_the_start_with_one_line(
    settings: dict[str, str], said: str, tmp_path: Path
) -> None:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("TOLLGATE_")}
    environment = {**plain, **SOUND, **{f"TOLLGATE_{name}": value for name, value in settings.items()}}
    ready = tmp_path / "ready.json"

    ended = subprocess.run(
        [sys.executable, "-m", "infra.local.host", "--port", "0", "--ready-file", str(ready)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert said in ended.stderr
    assert "hidden" not in ended.stderr
    assert not ready.exists()
