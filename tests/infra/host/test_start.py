"""How the host starts, fails to start, and stops."""

import json
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.infra.host.support import Answer, failed_start, running_host, write_app

pytestmark = pytest.mark.stack

NO_FUNCTION = ""
HTTP_FUNCTION = """
@app.route(route="{route}", methods=["GET"])
async def {name}(req: func.HttpRequest) -> str:
    return ""
"""


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def broken(:", "SyntaxError: invalid syntax"),
        ("import no_such_module", "No module named 'no_such_module'"),
        ("second = func.FunctionApp()", "More than one FunctionApp"),
        ("del app", "Could not find top level function app instances"),
        ("raise SystemExit(3)", "ended the process while it was loaded (status 3)"),
        ("@app.route()\ndef typed(req: int) -> str: ...", "cannot load the typed function"),
    ],
    ids=["syntax", "module", "two-apps", "no-app-object", "exit", "annotation"],
)
def test_a_broken_app_ends_the_start_with_the_runtimes_message(tmp_path: Path, source: str, reason: str) -> None:
    assert reason in failed_start(write_app(tmp_path, source))[0]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (
            HTTP_FUNCTION.format(route="a/{x}", name="one") + HTTP_FUNCTION.format(route="A/{x}", name="two"),
            "functions one and two both claim the route",
        ),
        (HTTP_FUNCTION.format(route="admin/x", name="one"), "starts with admin or runtime"),
        (
            """
            @app.timer_trigger(arg_name="t", schedule="* * * * *")
            def late(t: func.TimerRequest) -> None: ...
            """,
            "a schedule has six fields",
        ),
        (
            """
            class SettingsError(Exception): ...

            raise SettingsError("ONE is missing\\nTWO is missing")
            """,
            "ONE is missing; TWO is missing",
        ),
        (
            """
            @app.queue_trigger(arg_name="m", queue_name="q", connection="c")
            def take(m: func.QueueMessage) -> None: ...
            """,
            "has a binding of type queueTrigger",
        ),
    ],
    ids=["conflict", "reserved", "schedule", "settings", "trigger"],
)
def test_what_the_host_cannot_serve_ends_the_start_in_one_line(tmp_path: Path, source: str, reason: str) -> None:
    (line,) = failed_start(write_app(tmp_path, source))

    assert reason in line


def test_a_folder_without_an_app_ends_the_start_in_one_line(tmp_path: Path) -> None:
    (write_app(tmp_path, NO_FUNCTION) / "function_app.py").unlink()

    (line,) = failed_start(tmp_path)

    assert "holds no function_app.py" in line


@pytest.mark.parametrize("content", [None, "{"], ids=["missing", "malformed"])
def test_a_bad_host_json_ends_the_start_in_one_line(tmp_path: Path, content: str | None) -> None:
    (write_app(tmp_path, NO_FUNCTION) / "host.json").unlink()
    if content is not None:
        (tmp_path / "host.json").write_text(content)

    (line,) = failed_start(tmp_path)

    assert "host.json" in line


def test_a_taken_port_ends_the_start_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (line,) = failed_start(write_app(tmp_path, NO_FUNCTION), "--port", str(port))

    assert f"port {port} cannot be used: Address already in use" in line


SLOW_APP = """
import asyncio, pathlib, time

@app.route(route="slow/{seconds}")
async def slow(req: func.HttpRequest) -> str:
    pathlib.Path("entered").touch()
    await asyncio.sleep(float(req.route_params["seconds"]))
    return "done"

@app.route(route="blocked")
def blocked(req: func.HttpRequest) -> str:
    pathlib.Path("entered").touch()
    time.sleep(20)
    return "late"
"""


def stopped_while_calling(app: Path, target: str, number: signal.Signals) -> tuple[Answer, str]:
    """Send the signal while a function runs; return what the client got, and what stood on standard error."""
    with running_host(app, "--grace-seconds", "1") as host, ThreadPoolExecutor() as pool:
        request = pool.submit(host.call, "GET", target)
        while not (app / "entered").exists():
            assert not request.done()
        host.process.send_signal(number)
        return request.result(), remaining_errors(host.process)


def remaining_errors(process: subprocess.Popen[str]) -> str:
    _, errors = process.communicate(timeout=10)
    return errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_request_in_flight_finish(tmp_path: Path, number: signal.Signals) -> None:
    answer, errors = stopped_while_calling(write_app(tmp_path, SLOW_APP), "/slow/0.4", number)

    assert (answer.status, answer.body) == (200, b"done")
    assert errors == ""


@pytest.mark.parametrize("target", ["/slow/20", "/blocked"])
def test_a_request_that_outlasts_the_grace_does_not_hold_up_the_end(tmp_path: Path, target: str) -> None:
    answer, errors = stopped_while_calling(write_app(tmp_path, SLOW_APP), target, signal.SIGTERM)

    assert answer.status == 503
    assert "Traceback" not in errors


def test_the_announcement_is_one_line_with_the_url_and_every_function(tmp_path: Path) -> None:
    source = HTTP_FUNCTION.format(route="items/{n:int}", name="one") + (
        "@app.timer_trigger(arg_name='t', schedule='0 0 * * * *')\ndef hourly(t: func.TimerRequest) -> None: ...\n"
    )
    with running_host(write_app(tmp_path, source)) as host:
        assert host.process.stdout is not None
        line = host.process.stdout.readline()

    assert line == f"Functions host on {host.url}: one [GET] /items/{{n:int}}; hourly (0 0 * * * *)\n"


def test_a_set_variable_wins_over_the_local_settings(tmp_path: Path) -> None:
    app = write_app(
        tmp_path,
        """
        import os

        AT_IMPORT = [os.environ["FROM_FILE"], os.environ["FROM_BOTH"]]

        @app.route(route="settings")
        async def settings(req: func.HttpRequest) -> str:
            return ",".join(AT_IMPORT)
        """,
    )
    values: dict[str, Any] = {"Values": {"FROM_FILE": "file", "FROM_BOTH": "file"}}
    (app / "local.settings.json").write_text(json.dumps(values))

    with running_host(app, environment={"FROM_BOTH": "environment"}) as host:
        assert host.call("GET", "/settings").body == b"file,environment"


def test_an_exceptions_text_is_logged_and_never_sent(tmp_path: Path) -> None:
    app = write_app(
        tmp_path,
        """
        @app.route(route="fail")
        async def fail(req: func.HttpRequest) -> str:
            raise ValueError("internal detail")
        """,
    )
    with running_host(app) as host:
        answer = host.call("GET", "/fail")
        host.process.terminate()
        errors = remaining_errors(host.process)

    assert (answer.status, answer.body) == (500, b"")
    assert "ValueError: internal detail" in errors
    assert "Traceback" in errors
