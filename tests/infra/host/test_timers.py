"""Timers: fired through the admin endpoint, and when they are due."""

import time
from pathlib import Path

import pytest

from tests.infra.host.support import Host, running_host, write_app

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("name", ["tick", "tock"])
def test_the_admin_endpoint_runs_a_timer_whatever_the_case_of_its_name(host: Host, name: str) -> None:
    before = host.call("GET", "/runs").json()[name]

    assert host.call("POST", f"/admin/functions/{name.upper()}", b"{}").status == 202

    assert host.call("GET", "/runs").json()[name] == before + 1


def test_the_admin_endpoint_shows_why_a_timer_failed(host: Host) -> None:
    answer = host.call("POST", "/admin/functions/broken")

    assert (answer.status, answer.body) == (500, b"ValueError: the timer is broken")


@pytest.mark.parametrize("name", ["unknown", "echo"])
def test_the_admin_endpoint_runs_nothing_but_timers(host: Host, name: str) -> None:
    assert host.call("POST", f"/admin/functions/{name}").status == 404


def test_a_due_timer_runs_by_itself_and_goes_on_after_a_failure(tmp_path: Path) -> None:
    app = write_app(
        tmp_path,
        """
        runs = 0

        @app.timer_trigger(arg_name="timer", schedule="* * * * * *")
        async def every_second(timer: func.TimerRequest) -> None:
            global runs
            runs += 1
            raise RuntimeError("again")

        @app.route(route="runs")
        async def count(req: func.HttpRequest) -> str:
            return str(runs)
        """,
    )
    with running_host(app) as host:
        deadline = time.monotonic() + 10
        while int(host.call("GET", "/runs").body) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.1)
