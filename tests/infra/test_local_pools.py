"""The pools of a local stack: which ones a command line may ask for, and what the parts and the accounts hear of it."""

import argparse
import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.local.accounts import Accounts, call, first_operator_key
from infra.local.pools import PoolChoice, gateway_settings, pool_choice, stand_ins
from infra.local.state import State
from metering.clock import utc_now
from proxy.settings import Settings
from tests.console.serving import LEDGER_SECRET, serving
from tests.running import NAMESPACE_SECRET


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("shell=shell", PoolChoice("shell", "shell")),
        ("a-node-1=node", PoolChoice("a-node-1", "node")),
        ("second=python", PoolChoice("second", "python")),
        ("mine=custom:node 'my server.js' --x=1:2", PoolChoice("mine", "custom", "node 'my server.js' --x=1:2")),
    ],
)
def test_a_pool_has_a_name_and_a_kind(text: str, choice: PoolChoice) -> None:
    assert pool_choice(text) == choice


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shell", "write NAME=KIND"),
        ("=shell", "no name of a pool"),
        ("My_Pool=shell", "'My_Pool' is no name of a pool"),
        ("a" * 41 + "=shell", "no name of a pool"),
        ("default=shell", "choose another name"),
        ("shell=", "'' is no kind of pool"),
        ("shell=fish", "'fish' is no kind of pool"),
        ("shell=shell:now", "'shell:now' is no kind of pool"),
        ("mine=custom", "custom:<command line"),
        ("mine=custom: ", "custom:<command line"),
        ("mine=custom:'node", "custom:<command line"),
    ],
)
def test_a_pool_that_could_not_be_started_is_explained(text: str, said: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as refused:
        pool_choice(text)

    assert said in str(refused.value)


PLANNED = stand_ins([PoolChoice("2", "shell"), PoolChoice("mine", "custom", "serve 'it all'")], default_endpoints=2)


def test_every_stand_in_has_a_name_and_a_port_of_its_own() -> None:
    assert [one.part for one in PLANNED] == ["pool", "pool.2", "pool-2", "pool-mine"]
    assert len({one.port for one in PLANNED}) == 4


def test_each_stand_in_is_told_which_pool_it_is_whatever_is_inherited() -> None:
    inherited = {"HOME": "/home", "TOLLGATE_LOCAL_POOL_KIND": "node", "TOLLGATE_LOCAL_POOL_CONTAINER": "junk"}

    told = [one.environment(inherited) for one in PLANNED]

    assert {environment["HOME"] for environment in told} == {"/home"}
    assert [
        [environment[f"TOLLGATE_LOCAL_POOL_{name}"] for name in ("NAME", "KIND", "CONTAINER")] for environment in told
    ] == [
        ["default", "python", ""],
        ["default", "python", ""],
        ["2", "shell", ""],
        ["mine", "custom", "serve 'it all'"],
    ]


def test_all_stand_ins_but_the_first_keep_one_session_warm_unless_the_environment_says_otherwise() -> None:
    name = "TOLLGATE_LOCAL_POOL_WARM_SESSIONS"

    assert [one.environment({}).get(name) for one in PLANNED] == [None, "1", "1", "1"]
    assert {one.environment({name: "5"})[name] for one in PLANNED} == {"5"}


def test_the_gateway_understands_what_it_is_told_of_the_pools() -> None:
    told = gateway_settings(PLANNED)
    values: dict[str, Any] = {name.removeprefix("TOLLGATE_").lower(): value for name, value in told.items()}

    settings = Settings.model_validate(
        {
            **values,
            "pools": json.loads(values["pools"]),
            "storage": "UseDevelopmentStorage=true",
            "namespace_secret": NAMESPACE_SECRET,
            "ledger_secret": LEDGER_SECRET,
        }
    )

    default, two, mine = settings.all_pools
    assert (default.name, default.kind.value, default.endpoints) == (
        "default",
        "python",
        (PLANNED[0].url, PLANNED[1].url),
    )
    assert (two.name, two.kind.value, two.endpoints) == ("2", "shell", (PLANNED[2].url,))
    assert (mine.name, mine.kind.value, mine.endpoints) == ("mine", "custom", (PLANNED[3].url,))


@pytest.mark.azurite
def test_the_tenant_demo_has_the_pools_of_each_start_and_keeps_what_an_operator_changed(
    azurite: str, tmp_path: Path
) -> None:
    environment = {**os.environ, "TOLLGATE_STORAGE": azurite, "TOLLGATE_LEDGER_SECRET": LEDGER_SECRET}
    operator_key = asyncio.run(first_operator_key(environment))
    first_start = replace(State.new(300), operator_key=operator_key)
    path = "/operator/tenants/demo"

    with serving(azurite, utc_now) as url:

        def demo() -> Mapping[str, Any]:
            return call(url, "GET", path, operator_key)[1]

        accounts = Accounts(url, tmp_path)
        kept = accounts.ensure_demo(first_start, ["default", "shell"])
        assert (demo()["pools"], demo()["minutes_per_month"]) == (["default", "shell"], 600)
        changed = {"name": "Mine", "minutes_per_month": None, "calls_per_minute": 7, "pools": ["shell"]}
        assert call(url, "PUT", path, operator_key, changed)[0] == 200

        assert accounts.ensure_demo(kept, ["default", "mine", "shell"]) == kept == State.load(tmp_path, 300)

        assert demo() == {
            **changed,
            **{name: demo()[name] for name in ("created_at", "rates", "webhook_url", "alert_percents")},
            "id": "demo",
            "minutes_per_day": None,
            "max_concurrent_sessions": None,
            "rate_per_session_hour": None,
            "pools": ["default", "mine", "shell"],
            "suspended": False,
        }
