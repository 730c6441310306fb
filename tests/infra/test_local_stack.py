"""The local stack as whoever runs it meets it: started, used, interrupted, started again."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.data.tables import TableServiceClient

from infra.local.accounts import call
from infra.local.processes import LocalError
from infra.local.stack import Options, part_environment
from infra.local.state import State, wipe
from tests.running import ROOT, Running, running_module, running_stack

pytestmark = pytest.mark.stack

GONE_SECONDS = 10


def run(module: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a module that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", module, *options], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def until_gone(pids: list[int]) -> list[int]:
    """Wait until the processes are gone; returns those that are not."""
    deadline = time.monotonic() + GONE_SECONDS
    while pids and time.monotonic() < deadline:
        pids = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        time.sleep(0.05)
    return pids


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One running stack for the tests that leave it as it is."""
    with running_stack(tmp_path_factory.mktemp("stack"), "--increment-seconds", "60") as running:
        yield running


# Storage


def test_storage_keeps_what_was_written_just_before_it_was_stopped(tmp_path: Path) -> None:
    data_dir = str(tmp_path / "kept data")
    for wanted in (0, 1):
        with (
            running_module("infra.local.storage", tmp_path, "--port", "0", "--data-dir", data_dir) as storage,
            TableServiceClient.from_connection_string(storage.ready["connection_string"]) as service,
        ):
            table = service.create_table_if_not_exists("kept")
            assert len(list(table.list_entities())) == wanted
            table.upsert_entity({"PartitionKey": "a", "RowKey": "b"})
        assert storage.process.returncode == 0


def test_storage_saves_and_goes_when_its_parent_is_killed(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with running_module("infra.local.storage", tmp_path, "--port", "0", "--data-dir", str(data_dir)) as storage:
        with TableServiceClient.from_connection_string(storage.ready["connection_string"]) as service:
            service.create_table("kept").create_entity({"PartitionKey": "a", "RowKey": "lastrow"})
        storage.process.kill()
        storage.process.wait()

        assert until_gone([storage.ready["pid"]]) == []
    assert "lastrow" in (data_dir / "__azurite_db_table__.json").read_text()


def test_storage_in_memory_begins_empty(azurite: str) -> None:
    with TableServiceClient.from_connection_string(azurite) as service:
        assert "kept" not in [table.name for table in service.list_tables()]


@pytest.mark.parametrize("module", ["infra.local", "infra.local.storage"])
def test_a_taken_port_is_one_clear_line(module: str, taken_port: int, tmp_path: Path) -> None:
    ended = run(module, "--port", str(taken_port), "--data-dir", str(tmp_path))

    assert ended.returncode == 1
    assert ended.stderr.strip().partition(": ")[2] == (
        f"port {taken_port} is taken; choose another with --port, or --port 0 for a free one"
    )


@pytest.mark.parametrize("module", ["infra.local", "infra.local.storage"])
def test_a_folder_that_cannot_be_made_is_one_clear_line(module: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    ended = run(module, "--port", "0", "--data-dir", str(tmp_path / "file/data"))

    assert ended.returncode == 1
    assert "Not a directory; choose another --data-dir" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


# The stack


def test_the_ready_file_says_all_that_its_readers_need_and_is_its_owners_alone(stack: Running) -> None:
    assert set(stack.ready) == {
        *("url", "operator_key", "tenants", "pool_url", "pools", "pool_endpoints", "storage", "pids"),
    }
    assert stack.ready["pools"] == {"default": stack.ready["pool_url"]}
    assert stack.ready["pool_endpoints"] == [stack.ready["pool_url"]]
    assert set(stack.ready["pids"]) == {"host", "pool", "storage"}
    assert [tenant["id"] for tenant in stack.ready["tenants"]] == ["demo"]
    assert stack.data_dir is not None
    for path in (stack.data_dir / "stack.json", stack.output.with_name("ready.json")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_both_keys_work_at_once(stack: Running) -> None:
    url, demo = stack.ready["url"], stack.ready["tenants"][0]

    status, usage = call(url, "GET", "/usage", demo["key"])
    assert (status, usage["tenant"], usage["increment_seconds"]) == (200, "demo", 60)

    status, _ = call(url, "GET", "/operator/tenants/demo", stack.ready["operator_key"])
    assert status == 200


def test_the_first_thing_it_says_to_try_runs_code_and_the_second_shows_what_it_cost(stack: Running) -> None:
    guide = stack.output.read_text().replace("\\\n", " ")
    execute, usage = [line for line in guide.splitlines() if line.strip().startswith("curl")]

    answer = json.loads(subprocess.run(["sh", "-c", execute], capture_output=True, text=True, check=True).stdout)
    assert answer["result"]["stdout"] == "3.141592653589793\n"
    spent = json.loads(subprocess.run(["sh", "-c", usage], capture_output=True, text=True, check=True).stdout)
    assert spent["minutes"]["billed"] > 0


def test_a_second_stack_on_the_same_data_is_refused_in_one_line(stack: Running) -> None:
    second = run("infra.local", "--port", "0", "--data-dir", str(stack.data_dir))

    assert second.returncode == 1
    assert second.stderr.strip().splitlines() == [
        f"tollgate: a stack already runs on {stack.data_dir}; stop it or choose another --data-dir"
    ]


def test_a_signal_stops_every_part_and_keys_and_data_are_there_at_the_next_start(tmp_path: Path) -> None:
    with running_stack(tmp_path) as first:
        operator_key = first.ready["operator_key"]
        call(first.ready["url"], "PUT", "/operator/tenants/kept", operator_key, {"minutes_per_month": 5})
        stop_and_see(first, signal.SIGTERM)

    with running_stack(tmp_path) as second:
        assert second.ready["operator_key"] == operator_key
        assert second.ready["tenants"] == first.ready["tenants"]
        status, _ = call(second.ready["url"], "GET", "/operator/tenants/kept", operator_key)
        assert status == 200
        stop_and_see(second, signal.SIGINT)


def stop_and_see(stack: Running, number: signal.Signals) -> None:
    stack.process.send_signal(number)
    assert stack.process.wait(GONE_SECONDS) == 0
    assert until_gone(list(stack.ready["pids"].values())) == []
    assert not stack.output.with_name("ready.json").exists()


@pytest.mark.parametrize("part", ["host", "pool", "pool-more", "storage"])
def test_when_one_part_dies_it_is_named_and_the_rest_stops(
    part: str, local_stack: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    ready = local_stack(*(["--pool", "more=shell"] if part == "pool-more" else []))

    os.kill(ready["pids"][part], signal.SIGKILL)

    assert until_gone(list(ready["pids"].values())) == []
    (output,) = tmp_path.glob("stack-*/output.txt")
    deadline = time.monotonic() + GONE_SECONDS
    while "ended with status" not in output.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert f"tollgate: the {part} ended with status" in output.read_text()


def test_nothing_is_left_when_the_stack_is_killed(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        stack.process.kill()

        assert until_gone(list(stack.ready["pids"].values())) == []


def test_a_second_interrupt_ends_a_stack_that_does_not_stop(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        os.kill(stack.ready["pids"]["host"], signal.SIGSTOP)
        stack.process.send_signal(signal.SIGINT)
        time.sleep(0.7)  # nearer together they count as one, passed on twice
        stack.process.send_signal(signal.SIGINT)

        assert stack.process.wait(GONE_SECONDS) == 130
        assert until_gone(list(stack.ready["pids"].values())) == []


def test_keys_that_no_longer_fit_the_data_are_one_clear_line(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        data_dir = stack.data_dir
    assert data_dir is not None
    for file in (data_dir / "storage").iterdir():
        file.unlink()

    ended = run("infra.local", "--port", "0", "--data-dir", str(data_dir))

    assert ended.returncode == 1
    assert "no longer fits the data beside it" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1

    with running_stack(tmp_path, "--fresh") as fresh:
        assert fresh.ready["operator_key"] != stack.ready["operator_key"]


# Options and state


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--port", "70000"), "70000 is not a port"),
        (("--increment-seconds", "0"), "0 is not a whole number above 0"),
        (("--cooldown-seconds", "-1"), "is not a whole number above 0"),
        (("--billed-tail-seconds", "1.5"), "1.5 is not a whole number, 0 or more"),
        (("--pool-endpoints", "0"), "0 is not a whole number above 0"),
        (("--pool", "default=python"), "the pool default is always there"),
        (("--certificate", "file.pem"), "--certificate and --private-key go together"),
    ],
)
def test_an_option_that_cannot_work_is_explained(options: tuple[str, str], said: str) -> None:
    ended = run("infra.local", f"{options[0]}={options[1]}")

    assert ended.returncode == 2
    assert said in ended.stderr.splitlines()[-1]


def test_each_data_directory_has_secrets_of_its_own_and_keeps_them(tmp_path: Path) -> None:
    first = State.load(tmp_path / "a", 300)

    assert State.load(tmp_path / "a", 300) == first
    assert State.load(tmp_path / "b", 300).namespace_secret != first.namespace_secret
    assert len(first.namespace_secret) == 64


def test_an_unreadable_state_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "stack.json").write_text("{")

    with pytest.raises(LocalError, match="--fresh"):
        State.load(tmp_path, 300)


def test_a_fresh_start_removes_only_what_the_stack_made(tmp_path: Path) -> None:
    State.load(tmp_path, 300)
    (tmp_path / "storage").mkdir()
    (tmp_path / "notes.txt").write_text("mine")

    wipe(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("billed_tail_seconds", [None, 0])
def test_the_billed_tail_is_passed_on_only_where_it_was_chosen(billed_tail_seconds: int | None) -> None:
    options = Options(
        port=0,
        data_dir=Path(),
        increment_seconds=2,
        cooldown_seconds=3,
        billed_tail_seconds=billed_tail_seconds,
    )

    environment = part_environment(options, State.new(2), 1, 2, {"HOME": "/home"})

    assert environment.get("TOLLGATE_BILLED_TAIL_SECONDS") == (None if billed_tail_seconds is None else "0")
    assert environment["TOLLGATE_INCREMENT_SECONDS"] == "2"
    assert environment["TOLLGATE_POOL_ENDPOINTS"] == "http://127.0.0.1:2"
    assert environment["HOME"] == "/home"
