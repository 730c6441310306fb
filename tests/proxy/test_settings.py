"""What the environment may say, and how a setting that cannot work is refused: read as the gateway reads it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from tests.running import ROOT

SECRET, LEDGER_SECRET = "namespace-secret-of-enough-bytes", "ledger-secret-of-enough-bytes-too"
NEEDED = {
    "TOLLGATE_POOL_ENDPOINTS": "https://one.example/pool/",
    "TOLLGATE_STORAGE": "https://storage.example",
    "TOLLGATE_NAMESPACE_SECRET": SECRET,
    "TOLLGATE_LEDGER_SECRET": f"k1:{LEDGER_SECRET}",
}

# One process reads them all, one after the other: starting one for each would take longer than all else here.
READ_ALL = """
import json, os, sys
from proxy.settings import Settings, SettingsError, read_settings

outcomes = []
for environment in json.load(sys.stdin):
    os.environ.update(environment)
    try:
        settings = read_settings(Settings)
    except SettingsError as error:
        outcomes.append(str(error))
    else:
        pools = [[pool.name, pool.kind.value, *pool.endpoints] for pool in settings.all_pools]
        outcomes.append({"pools": pools, "max_answer_bytes": settings.max_answer_bytes, "shown": repr(settings)})
    for name in environment:
        del os.environ[name]
json.dump(outcomes, sys.stdout)
"""

SHELL = {"kind": "shell", "endpoints": ["http://127.0.0.1:1/", "http://127.0.0.1:2"]}
NODE = {"kind": "node", "endpoints": ["https://node.example/pool"]}
UNRESOLVED = "@Microsoft.KeyVault(SecretUri=https://vault.example/secrets/hidden-value)"
DEFAULT = ["default", "python", "https://one.example/pool"]

ACCEPTED: tuple[tuple[Mapping[str, str], list[list[str]]], ...] = (
    ({}, [DEFAULT]),
    ({"TOLLGATE_POOLS": ""}, [DEFAULT]),
    ({"TOLLGATE_POOLS": "{}"}, [DEFAULT]),
    (
        {"TOLLGATE_POOLS": json.dumps({"shell": SHELL, "a-node-1": NODE})},
        [
            DEFAULT,
            ["a-node-1", "node", "https://node.example/pool"],
            ["shell", "shell", "http://127.0.0.1:1", "http://127.0.0.1:2"],
        ],
    ),
    (
        {"TOLLGATE_POOL_ENDPOINTS": "https://one.example, https://two.example/", "TOLLGATE_POOL_KIND": "custom"},
        [["default", "custom", "https://one.example", "https://two.example"]],
    ),
    (
        {"TOLLGATE_POOL_ENDPOINTS": "http://pool.example", "TOLLGATE_POOL_AUTH": "none"},
        [["default", "python", "http://pool.example"]],
    ),
    ({"TOLLGATE_STORAGE": "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=a2V5"}, [DEFAULT]),
    (
        {"TOLLGATE_URL": "https://other.example", "TOLLGATE_KEY": "x", "TOLLGATE_LOCAL_POOL_MAX_SESSIONS": "3"},
        [DEFAULT],
    ),
)

REFUSED: tuple[tuple[Mapping[str, str], str], ...] = (
    ({"TOLLGATE_POOLS": "shell"}, "TOLLGATE_POOLS: write JSON"),
    ({"TOLLGATE_POOLS": '{"shell": '}, "TOLLGATE_POOLS: write JSON"),
    ({"TOLLGATE_POOLS": "[]"}, "TOLLGATE_POOLS: "),
    ({"TOLLGATE_POOLS": '{"shell": "http://127.0.0.1:1"}'}, "TOLLGATE_POOLS (shell): "),
    ({"TOLLGATE_POOLS": json.dumps({"default": SHELL})}, "not 'default'"),
    ({"TOLLGATE_POOLS": json.dumps({"My_Pool": SHELL})}, "lower-case letters"),
    ({"TOLLGATE_POOLS": json.dumps({"": SHELL})}, "lower-case letters"),
    ({"TOLLGATE_POOLS": json.dumps({"shell": {**SHELL, "kind": "fish"}})}, "'python', 'node', 'shell' or 'custom'"),
    ({"TOLLGATE_POOLS": json.dumps({"shell": {**SHELL, "endpoints": []}})}, "TOLLGATE_POOLS (shell.endpoints): "),
    (
        {"TOLLGATE_POOLS": json.dumps({"shell": {**SHELL, "endpoints": ["one.example"]}})},
        "TOLLGATE_POOLS (shell.endpoints.0): ",
    ),
    ({"TOLLGATE_POOLS": json.dumps({"shell": {**SHELL, "token": "hidden-value"}})}, "TOLLGATE_POOLS (shell.token): "),
    ({"TOLLGATE_POOL_KIND": "perl"}, "TOLLGATE_POOL_KIND: "),
    ({"TOLLGATE_POOL_ENDPOINTS": " , "}, "TOLLGATE_POOL_ENDPOINTS: "),
    ({"TOLLGATE_MAX_ANSWER_BYTES": "1023"}, "TOLLGATE_MAX_ANSWER_BYTES: "),
    ({"TOLLGATE_NAMESPACE_SECRET": "hidden-value"}, "TOLLGATE_NAMESPACE_SECRET: a secret has at least"),
    ({"TOLLGATE_NAMESPACE_SECRET": "0123456" * 10}, "TOLLGATE_NAMESPACE_SECRET: a secret has at least"),
    ({"TOLLGATE_NAMESPACE_SECRET": ""}, "TOLLGATE_NAMESPACE_SECRET: is not set"),
    ({"TOLLGATE_NAMESPACE_SECRET": LEDGER_SECRET}, "TOLLGATE_NAMESPACE_SECRET: is the ledger's secret as well"),
    ({"TOLLGATE_NAMESPACE_SECRET": UNRESOLVED}, "TOLLGATE_NAMESPACE_SECRET: its Key Vault reference is not resolved"),
    ({"TOLLGATE_LEDGER_SECRET": UNRESOLVED}, "TOLLGATE_LEDGER_SECRET: its Key Vault reference is not resolved"),
    ({"TOLLGATE_LEDGER_SECRET": "k1:hidden-value"}, "TOLLGATE_LEDGER_SECRET: write <key id>:<secret>"),
    ({"TOLLGATE_LEDGER_SECRET": f"k1:{'ab' * 30}"}, "TOLLGATE_LEDGER_SECRET: write <key id>:<secret>"),
    ({"TOLLGATE_LEDGER_SECRET": LEDGER_SECRET}, "TOLLGATE_LEDGER_SECRET: write <key id>:<secret>"),
    ({"TOLLGATE_STORAGE": ""}, "TOLLGATE_STORAGE: is not set"),
    ({"TOLLGATE_STORAGE": "http://hidden-value.example"}, "TOLLGATE_STORAGE: the endpoint is https://"),
    ({"TOLLGATE_STORAGE": "https://one.example/?sig=hidden-value"}, "TOLLGATE_STORAGE: the endpoint is https://"),
    ({"TOLLGATE_STORAGE": "https://one.example/Table"}, "TOLLGATE_STORAGE: the endpoint is https://"),
    ({"TOLLGATE_STORAGE": "hidden-value"}, "TOLLGATE_STORAGE: write the table endpoint"),
    ({"TOLLGATE_STORAGE": "AccountKey=hidden-value"}, "TOLLGATE_STORAGE: write the table endpoint"),
    ({"TOLLGATE_STORAGE": "AccountName=hidden-value"}, "TOLLGATE_STORAGE: write the table endpoint"),
    ({"TOLLGATE_POOL_ENDPOINTS": "http://pool.example"}, "TOLLGATE_POOL_ENDPOINTS: http:// would show"),
    ({"TOLLGATE_POOL_ENDPOINTS": "https://one.example/?code=hidden-value"}, "TOLLGATE_POOL_ENDPOINTS"),
    ({"TOLLGATE_POOL_ENDPOINTS": "https://user:hidden-value@one.example"}, "TOLLGATE_POOL_ENDPOINTS"),
    (
        {"TOLLGATE_POOLS": json.dumps({"shell": {**SHELL, "endpoints": ["http://pool.example"]}})},
        "TOLLGATE_POOLS (shell): http:// would show",
    ),
    (
        {"TOLLGATE_POOL_COOLDOWN_SECOND": "600"},
        "TOLLGATE_POOL_COOLDOWN_SECOND: is no setting; did you mean TOLLGATE_POOL_COOLDOWN_SECONDS?",
    ),
    ({"TOLLGATE_POOL_COOLDOWN_SECONDS": "five"}, "TOLLGATE_POOL_COOLDOWN_SECONDS: "),
    ({"TOLLGATE_INCREMENT_SECONDS": "0"}, "TOLLGATE_INCREMENT_SECONDS: "),
)


@cache
def outcomes() -> tuple[list[Any], list[Any]]:
    """Read all of them as the gateway does, in a process with no other settings: of the accepted, of the refused."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TOLLGATE_")}
    environments = [{**NEEDED, **environment} for environment, _ in (*ACCEPTED, *REFUSED)]
    ended = subprocess.run(
        [sys.executable, "-c", READ_ALL],
        cwd=ROOT,
        env=clean,
        input=json.dumps(environments),
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(ended.stdout)
    return found[: len(ACCEPTED)], found[len(ACCEPTED) :]


@pytest.mark.parametrize("number", range(len(ACCEPTED)))
def test_the_default_pool_comes_first_and_the_others_by_name(number: int) -> None:
    read, expected = outcomes()[0][number], ACCEPTED[number][1]

    assert read["pools"] == expected


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_a_setting_that_cannot_work_is_refused_in_a_line_that_names_it(number: int) -> None:
    said, expected = outcomes()[1][number], REFUSED[number][1]

    assert isinstance(said, str)
    assert expected in said
    assert all(line.startswith("TOLLGATE_") for line in said.splitlines())


def test_no_refusal_and_no_settings_show_a_value_that_may_be_secret() -> None:
    accepted, refused = outcomes()

    assert not [said for said in refused if "hidden-value" in said]
    assert not [read for read in accepted if SECRET in read["shown"]]


def test_an_answer_may_be_as_large_as_the_largest_file_of_a_pool() -> None:
    assert outcomes()[0][0]["max_answer_bytes"] == 128 * 1024 * 1024
