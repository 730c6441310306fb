"""Code runs, and both dialects say what became of it."""

import base64
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.infra.pool.support import ENVELOPE, FLAT, Pool, code_of, running_pool

pytestmark = pytest.mark.stack


def test_the_envelope_dialect_says_success_and_carries_the_result(pool: Pool, shared: str) -> None:
    properties = pool.execute("print('hello world')\n1 + 1", shared)
    assert properties["status"] == "Success"
    assert (properties["stdout"], properties["stderr"], properties["result"]) == ("hello world\n", "", 2)
    assert isinstance(properties["executionTimeInMilliseconds"], int)


def test_the_flat_dialect_says_succeeded_and_carries_the_result(pool: Pool, shared: str) -> None:
    resource = pool.run("print('hello world')\n1 + 1", shared)
    assert (resource["identifier"], resource["executionType"], resource["status"]) == (
        shared,
        "Synchronous",
        "Succeeded",
    )
    assert resource["result"].pop("executionTimeInMilliseconds") >= 0
    assert resource["result"] == {"stdout": "hello world\n", "stderr": "", "executionResult": 2}


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("print('only output')", ""),
        ("a = None\na", None),
        ("x = 3", ""),
        ("float('nan')", "nan"),
        ("float('-inf')", "-inf"),
        ("[1, (2, 3), {'four': 5.5}]", [1, [2, 3], {"four": 5.5}]),
        ("True", True),
        ("'text with \\u00e9'", "text with é"),
        ("{1: 'one'}", {"1": "one"}),
        ("[float('nan')]", "[nan]"),
        ("{1, 2}", "{1, 2}"),
        ("range(3)", "range(0, 3)"),
    ],
)
def test_the_last_expression_comes_back_as_json_or_else_as_text(
    pool: Pool, shared: str, code: str, result: Any
) -> None:
    assert pool.execute(code, shared)["result"] == result
    assert pool.value(code, shared) == result


@pytest.mark.parametrize("ending", ["", "\nplt.show()"])
def test_a_plot_comes_back_as_an_image(pool: Pool, shared: str, ending: str) -> None:
    if not any(package["name"] == "matplotlib" for package in _packages(pool)):
        pytest.skip("the sessions' interpreter has no matplotlib")
    result = pool.value(f"import matplotlib.pyplot as plt\nplt.plot([1, 3, 2]){ending}", shared)
    assert (result["type"], result["format"]) == ("image", "png")
    assert base64.b64decode(result["base64_data"], validate=True).startswith(b"\x89PNG")


def test_a_mistake_in_the_code_is_a_failed_execution_with_a_plain_traceback(pool: Pool, shared: str) -> None:
    properties = pool.execute("print('before')\n{}['sales_amount']", shared)
    assert (properties["status"], properties["stdout"], properties["result"]) == ("Failure", "before\n", "")
    assert properties["stderr"].endswith("KeyError: 'sales_amount'")
    assert "\x1b" not in properties["stderr"]
    assert pool.run("1 / 0", shared)["status"] == "Failed"


def test_a_syntax_error_and_a_question_to_the_user_fail_too(pool: Pool, shared: str) -> None:
    assert "SyntaxError" in pool.run("def (", shared)["result"]["stderr"]
    assert pool.run("input('name? ')", shared)["status"] == "Failed"


def test_variables_live_on_between_the_calls_of_a_session(pool: Pool, session: str) -> None:
    pool.execute("kept = [1]", session)
    pool.run("kept.append(2)", session)
    assert pool.execute("kept", session)["result"] == [1, 2]


def test_the_namespace_starts_without_helpful_imports(pool: Pool, session: str) -> None:
    assert "NameError" in pool.execute("socket", session)["stderr"]
    assert "NameError" in pool.execute("json", session)["stderr"]


def test_output_of_child_processes_is_seen(pool: Pool, shared: str) -> None:
    result = pool.run("import subprocess\n_ = subprocess.run('echo out; echo err >&2', shell=True)", shared)["result"]
    assert (result["stdout"], result["stderr"]) == ("out\n", "err\n")


def test_streams_are_cut_at_4096_bytes_and_a_halved_character_is_replaced(pool: Pool, shared: str) -> None:
    code = "import sys\nprint('x' + 'é' * 5000)\nprint('y' * 5000, file=sys.stderr)"
    properties = pool.execute(code, shared)
    assert properties["stdout"] == "x" + "é" * 2047 + "\N{REPLACEMENT CHARACTER}"
    assert properties["stderr"] == "y" * 4096
    assert properties["status"] == "Success"


def test_the_newest_version_lets_the_caller_choose_where_streams_are_cut(pool: Pool, shared: str) -> None:
    chosen: dict[str, Any] = {"outputStreamsMaxLength": 10_000}
    assert len(pool.run("print('x' * 9999)", shared, **chosen)["result"]["stdout"]) == 10_000
    older = pool.run("print('x' * 9999)", shared, version="2025-02-02-preview", **chosen)
    assert len(older["result"]["stdout"]) == 4096


def test_code_may_come_in_base64_and_with_nothing_but_itself(pool: Pool, shared: str) -> None:
    encoded = base64.b64encode(b"'\xc3\xa9' * 2").decode()
    assert pool.run(encoded, shared, codeInputType="inlineBase64")["result"]["executionResult"] == "éé"
    answer = pool.call("POST", "/executions", shared, json={"code": "2 + 2"})
    assert answer.json()["result"]["executionResult"] == 4


@pytest.mark.slow
def test_output_beyond_all_bounds_ends_the_execution_and_not_the_pool(pool: Pool, session: str) -> None:
    assert pool.run("print('x' * 80_000_000)", session)["result"]["stderr"] == "Execution aborted"
    assert pool.value("1", session) == 1


def test_an_execution_that_takes_too_long_fails_and_the_session_goes_on(pool: Pool, session: str) -> None:
    pool.execute("kept = 1", session)
    begun = time.monotonic()
    resource = pool.run("print('begun', flush=True)\nimport time\ntime.sleep(60)", session, timeoutInSeconds=1)
    assert time.monotonic() - begun < 5
    assert resource["status"] == "Failed"
    assert resource["result"]["stderr"] == "Request timed out waiting for code execution to complete"
    assert pool.value("kept", session) == 1


def test_code_that_will_not_be_interrupted_costs_the_session_its_variables_but_not_its_files(
    pool: Pool, session: str
) -> None:
    stubborn = (
        "open('kept', 'w').write('1')\nwhile True:\n    try:\n        while True: pass\n    except BaseException: pass"
    )
    assert pool.run(stubborn, session, timeoutInSeconds=1)["status"] == "Failed"
    assert pool.value("open('kept').read(), 'stubborn' in globals()", session) == ["1", False]


@pytest.mark.parametrize(
    "code", ["import os\nos._exit(3)", "x = bytearray(16 << 30)", "import os\nos.kill(os.getpid(), 9)"]
)
def test_a_kernel_that_dies_aborts_the_execution_and_the_next_one_finds_the_files(
    pool: Pool, session: str, code: str
) -> None:
    pool.execute("variable = 1\nopen('kept', 'w').write('content')", session)
    guid = pool.call("GET", "/session", session).json()["etag"]
    properties = pool.execute(code, session)
    assert (properties["status"], properties["stderr"]) == ("Failure", "Execution aborted")
    assert pool.value("open('kept').read(), 'variable' in globals()", session) == ["content", False]
    assert pool.call("GET", "/session", session).json()["etag"] == guid


def test_calls_on_one_session_run_one_after_another_and_others_do_not_wait(pool: Pool, session: str) -> None:
    for name in (session, f"{session}-2"):
        pool.value("import time", name)
    code = "begun = time.monotonic()\ntime.sleep(1)\n(begun, time.monotonic())"
    with ThreadPoolExecutor(3) as threads:
        same = [threads.submit(pool.value, code, session) for _ in range(2)]
        begun = time.monotonic()
        assert pool.value("1", f"{session}-2") == 1
        assert time.monotonic() - begun < 1
        first, second = sorted(future.result() for future in same)
    assert first[1] <= second[0]


def test_an_asynchronous_execution_can_be_watched_until_it_is_done(pool: Pool, shared: str) -> None:
    body = {"codeInputType": "Inline", "executionType": "Asynchronous", "code": "import time\ntime.sleep(0.3)\n7 * 9"}
    submitted = pool.call("POST", "/executions", shared, json=body, headers={"operation-id": "my-operation"})
    assert (submitted.status_code, submitted.json()["status"]) == (202, "Running")
    assert "result" not in submitted.json()
    assert submitted.headers["operation-id"] == submitted.json()["id"] == "my-operation"
    location = submitted.headers["operation-location"]
    assert location == f"/executions/my-operation?api-version={FLAT}&identifier={shared}"
    deadline = time.monotonic() + 10
    while (polled := pool.http.get(location).json())["status"] == "Running" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (polled["status"], polled["executionType"]) == ("Succeeded", "Asynchronous")
    assert polled["result"]["executionResult"] == 63


def test_a_synchronous_execution_can_be_read_again_and_an_unknown_one_cannot(pool: Pool, shared: str) -> None:
    resource = pool.run("1 + 1", shared)
    assert pool.call("GET", f"/executions/{resource['id']}", shared).json() == resource
    unknown = pool.call("GET", "/executions/nothing", shared)
    assert code_of(unknown)[0] == 404
    assert unknown.json()["error"]["message"] == "No execution available for operation Id: nothing"


def test_an_operation_id_stands_for_one_execution_only(pool: Pool, shared: str) -> None:
    for expected in (200, 400):
        answer = pool.call("POST", "/executions", shared, json={"code": "1"}, headers={"operation-id": "once"})
        assert answer.status_code == expected


def test_executions_carry_the_timing_headers_and_tell_a_new_session(pool: Pool, session: str) -> None:
    body = {"properties": {"codeInputType": "inline", "executionType": "synchronous", "code": "1"}}
    first = pool.call("POST", "/code/execute", session, version=ENVELOPE, json=body)
    second = pool.call("POST", "/executions", session, json={"code": "1"})
    assert [answer.headers["x-ms-new-allocation"] for answer in (first, second)] == ["true", "false"]
    assert first.headers["x-ms-session-guid"] == second.headers["x-ms-session-guid"]
    for name in ("overall-execution-time", "container-execution-duration", "allocation-time", "preparation-time"):
        assert float(first.headers[f"x-ms-{name}"]) >= 0
    files = pool.call("GET", "/files", session)
    assert not [name for name in files.headers if name.startswith("x-ms-")]


def test_status_202_and_absolute_locations_can_be_had(tmp_path: Any, session: str) -> None:
    with running_pool(tmp_path, accepted_status=202, operation_location="absolute") as pool:
        answer = pool.call("POST", "/executions", session, json={"code": "1"})
        assert answer.status_code == 202
        assert answer.headers["operation-location"].startswith(f"{pool.url}/executions/")
        assert pool.http.get(answer.headers["operation-location"]).json()["status"] == "Succeeded"


def test_the_first_call_of_a_new_session_finds_a_kernel_waiting(pool: Pool, session: str) -> None:
    for attempt in range(10):
        time.sleep(1)  # the pool starts the next kernel ahead of demand, as fast as this machine can
        answer = pool.call("POST", "/executions", f"{session}-{attempt}", json={"code": "1"})
        assert answer.headers["x-ms-new-allocation"] == "true"
        if int(answer.headers["x-ms-allocation-time"]) < 20:
            return
    pytest.fail("every new session had to wait for its kernel")


def test_a_client_that_goes_away_does_not_stop_its_execution(pool: Pool, shared: str) -> None:
    pool.value("1", shared)
    done = threading.Event()

    def impatient() -> None:
        code = "import time\ntime.sleep(0.5)\nfinished = True"
        try:
            pool.call("POST", "/executions", shared, json={"code": code}, timeout=0.2)
        except Exception:  # noqa: BLE001 -- which kind of time-out is the client's business
            done.set()

    thread = threading.Thread(target=impatient)
    thread.start()
    thread.join()
    assert done.is_set()
    assert pool.value("finished", shared) is True


def _packages(pool: Pool) -> list[dict[str, str]]:
    packages: list[dict[str, str]] = pool.call("GET", "/metadata").json()["preInstalledPackages"]
    return packages
