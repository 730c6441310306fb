"""JavaScript runs, in both dialects, in a sandbox of its own, and a session keeps its variables as a REPL does."""

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra.pool.support import ENVELOPE, FLAT, REPOSITORY, NotStartedError, Pool, new_name, running_pool

pytestmark = pytest.mark.stack

TIMED_OUT = "Request timed out waiting for code execution to complete"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A pool that runs JavaScript."""
    with running_pool(tmp_path_factory.mktemp("node"), kind="node", memory_bytes=512 * 1024**2) as running:
        yield running


@pytest.fixture(scope="module")
def shared() -> str:
    """A session for tests that leave nothing behind."""
    return new_name()


def test_both_dialects_say_what_became_of_the_code(node: Pool, shared: str) -> None:
    properties = node.execute("console.log('hello'); console.error('world'); 40 + 2", shared)
    assert properties.pop("executionTimeInMilliseconds") >= 0
    expected = {"$id": "2", "status": "Success", "stdout": "hello\n", "stderr": "world\n", "result": 42}
    assert properties == expected
    resource = node.run("console.log('hello'); 40 + 2", shared)
    assert (resource["identifier"], resource["executionType"], resource["status"]) == (
        shared,
        "Synchronous",
        "Succeeded",
    )
    assert resource["result"].pop("executionTimeInMilliseconds") >= 0
    assert resource["result"] == {"stdout": "hello\n", "stderr": "", "executionResult": 42}


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("console.log('only output')", ""),
        ("undefined", ""),
        ("null", None),
        ("x = [1, {two: 'é'}, null, true]", [1, {"two": "é"}, None, True]),
        ("({a: 1})", {"a": 1}),
        ("new Date(0)", "1970-01-01T00:00:00.000Z"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("10n", "10n"),
        ("new Map([[1, 2]])", "Map(1) { 1 => 2 }"),
        ("(class Thing {})", "[class Thing]"),
        ("const circle = {}; circle.self = circle", "<ref *1> { self: [Circular *1] }"),
        ("Symbol('s')", "Symbol(s)"),
        ("Promise.resolve(7)", 7),
        ("(async () => { await null; return 'done' })()", "done"),
    ],
)
def test_the_last_value_comes_back_as_json_or_else_as_text(node: Pool, shared: str, code: str, result: Any) -> None:
    assert node.value(code, shared) == result


def test_variables_live_on_and_may_be_declared_again(node: Pool, shared: str) -> None:
    node.value("const fs = require('node:fs'); let count = 1; function twice(n) { return 2 * n } class Kept {}", shared)
    node.value("const fs = require('node:fs'); count += 1; globalThis.more = 5", shared)
    assert node.value("[typeof fs.readFileSync, twice(count), more, typeof Kept]", shared) == [
        "function",
        4,
        5,
        "function",
    ]


def test_await_may_stand_at_the_top(node: Pool, shared: str) -> None:
    code = "const slow = await new Promise(resolve => setTimeout(resolve, 20, 'slept')); slow"
    assert node.value(code, shared) == "slept"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("null.x", "TypeError: Cannot read properties of null (reading 'x')\n    at execution-"),
        ("nothing", "ReferenceError: nothing is not defined"),
        ("JSON.parse('{')", "SyntaxError: Expected property name"),
        ("await Promise.reject(new Error('awaited'))", "Error: awaited"),
        ("Promise.reject(new Error('last'))", "Error: last"),
        ("throw 3", "Uncaught 3"),
        ("setTimeout(() => { throw new Error('late') }); await new Promise(r => setTimeout(r, 50))", "Error: late"),
        ("throw new Error('outer', {cause: new Error('inner')})", "[cause]: Error: inner"),
    ],
)
def test_an_error_is_a_failed_execution_with_a_stack_of_the_code_alone(
    node: Pool, shared: str, code: str, error: str
) -> None:
    properties = node.execute(f"console.error('before');\n{code}", shared)
    assert (properties["status"], properties["result"]) == ("Failure", "")
    assert properties["stderr"].startswith("before\n")
    assert error in properties["stderr"]
    assert "session_node" not in properties["stderr"]
    assert "node:internal" not in properties["stderr"]
    assert node.run(code, shared)["status"] == "Failed"


def test_a_syntax_error_names_its_line(node: Pool, shared: str) -> None:
    stderr = node.run("let fine = 1;\nlet = 5 +", shared)["result"]["stderr"]
    assert re.fullmatch(r"SyntaxError: .+\n    at execution-\d+\.js:2", stderr)


def test_streams_are_cut_silently_and_the_newest_version_may_choose_where(node: Pool, shared: str) -> None:
    code = "console.log('x' + 'é'.repeat(100000)); console.error('y'.repeat(100000)); 1"
    result = node.run(code, shared)["result"]
    assert result["stdout"] == "x" + "é" * 2047 + "\N{REPLACEMENT CHARACTER}"
    assert (result["stderr"], result["executionResult"]) == ("y" * 4096, 1)
    assert len(node.run(code, shared, outputStreamsMaxLength=9000)["result"]["stderr"]) == 9000


def test_child_processes_run_and_are_heard(node: Pool, shared: str) -> None:
    code = "require('node:child_process').execSync('echo out; echo err >&2', {stdio: 'inherit'})"
    result = node.run(code, shared)["result"]
    assert (result["stdout"], result["stderr"]) == ("out\n", "err\n")


def test_code_and_callers_share_the_files(node: Pool, shared: str) -> None:
    node.upload("module.js", b"exports.answer = 42", shared)
    assert node.value("[process.cwd(), require('./module.js').answer]", shared) == ["/mnt/data", 42]
    node.value("require('node:fs').writeFileSync('/mnt/data/out.txt', 'from inside')", shared)
    assert node.content("out.txt", shared).content == b"from inside"
    listed = node.call("GET", "/files", shared, version=ENVELOPE).json()["value"]
    assert {item["properties"]["filename"] for item in listed} == {"module.js", "out.txt"}


@pytest.mark.parametrize(
    "code",
    ["for (;;) {}", "await null; for (;;) {}", "setTimeout(() => { for (;;) {} }); await new Promise(() => {})"],
)
def test_code_that_takes_too_long_is_terminated_and_its_variables_stay(node: Pool, shared: str, code: str) -> None:
    node.value("globalThis.stays = 1", shared)
    begun = time.monotonic()
    resource = node.run(f"console.log('begun'); {code}", shared, timeoutInSeconds=1)
    assert time.monotonic() - begun < 3
    assert (resource["status"], resource["result"]["stderr"]) == ("Failed", TIMED_OUT)
    assert resource["result"]["stdout"] == "begun\n"
    assert node.value("stays", shared) == 1


def test_output_without_end_fills_no_memory_and_ends_with_the_timeout(node: Pool, shared: str) -> None:
    result = node.run("for (;;) console.log('x'.repeat(1000))", shared, timeoutInSeconds=1)["result"]
    assert (len(result["stdout"]), result["stderr"]) == (4096, TIMED_OUT)
    assert node.value("process.memoryUsage().rss < 300e6", shared) is True


def test_code_that_cannot_be_terminated_costs_the_session_its_variables_but_not_its_files(
    node: Pool, session: str
) -> None:
    node.value("globalThis.lost = 1; require('node:fs').writeFileSync('kept', '1')", session)
    code = "require('node:child_process').execSync('sleep 60')"
    assert node.run(code, session, timeoutInSeconds=1)["result"]["stderr"] == TIMED_OUT
    assert node.value("[typeof lost, require('node:fs').readFileSync('kept', 'utf8')]", session) == ["undefined", "1"]


@pytest.mark.parametrize(
    "code", ["process.exit(0)", "const hoard = []; for (;;) hoard.push(new Array(1e6).fill(1.5))", "process.abort()"]
)
def test_a_process_that_ends_aborts_the_execution_and_the_next_one_finds_the_files(
    node: Pool, session: str, code: str
) -> None:
    node.upload("kept", b"content", session)
    etag = node.call("GET", "/session", session).json()["etag"]
    assert node.run(code, session)["result"]["stderr"] == "Execution aborted"
    assert node.value("require('node:fs').readFileSync('kept', 'utf8')", session) == "content"
    assert node.call("GET", "/session", session).json()["etag"] == etag


def test_nonsense_on_the_kernels_own_socket_ends_the_kernel_and_nothing_else(node: Pool, session: str) -> None:
    code = "for (let fd = 3; fd < 64; fd++) { try { require('node:fs').writeSync(fd, '[]\\n') } catch {} }"
    assert node.run(code, session)["result"]["stderr"] == "Execution aborted"
    assert node.value("1", session) == 1


def test_what_the_code_does_to_its_globals_does_not_hide_its_results(node: Pool, session: str) -> None:
    node.value("JSON = null; require('node:util').inspect = null; Object.getPrototypeOf = null; 1", session)
    assert node.value("({a: 1})", session) == {"a": 1}


@pytest.fixture(scope="module", params=["bubblewrap", "unshare"])
def confined(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A pool with one of the sandboxes, where the system has it."""
    try:
        with running_pool(tmp_path_factory.mktemp("confined"), kind="node", sandbox=request.param) as running:
            yield running
    except NotStartedError as refusal:
        pytest.skip(str(refusal))


def test_sessions_see_neither_each_other_nor_the_host_nor_the_network(confined: Pool) -> None:
    one, other = new_name(), new_name()
    confined.value("globalThis.secret = 1; require('node:fs').writeFileSync('/tmp/f', ''); 1", one)
    confined.upload("f", b"x", one)
    look = (
        "const fs = require('node:fs');"
        f"[typeof secret, fs.readdirSync('/mnt/data'), ['/tmp/f', '/etc/passwd', '{REPOSITORY}/pyproject.toml']"
        ".filter(fs.existsSync), Object.keys(process.env).filter(name => name.includes('TOLLGATE'))]"
    )
    assert confined.value(look, other) == ["undefined", [], [], []]
    port = confined.url.rpartition(":")[2]
    assert "fetch failed" in confined.run(f"await fetch('http://127.0.0.1:{port}/')", other)["result"]["stderr"]


def test_an_asynchronous_execution_is_there_to_be_read(node: Pool, shared: str) -> None:
    body = {"executionType": "Asynchronous", "code": "await new Promise(r => setTimeout(r, 200)); 63"}
    submitted = node.call("POST", "/executions", shared, json=body)
    assert (submitted.status_code, submitted.json()["status"]) == (202, "Running")
    deadline = time.monotonic() + 10
    location = submitted.headers["operation-location"]
    while (polled := node.http.get(location).json())["status"] == "Running" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (polled["status"], polled["result"]["executionResult"]) == ("Succeeded", 63)


def test_the_headers_that_come_from_python_pools_only_are_not_sent(node: Pool, shared: str) -> None:
    answer = node.call("POST", "/executions", shared, json={"code": "1"})
    assert answer.headers["operation-id"] == answer.json()["id"]
    assert answer.headers["operation-location"].startswith("/executions/")
    assert not [name for name in answer.headers if name.startswith("x-ms-")]


def test_the_pool_names_its_runtime(node: Pool, shared: str) -> None:
    version = node.value("process.versions.node", shared)
    metadata = node.call("GET", "/metadata").json()
    assert metadata["runtimes"] == [{"name": "node", "version": version}]
    assert metadata["preInstalledPackages"] == []


def test_a_shell_command_is_no_code(node: Pool, shared: str) -> None:
    answer = node.call("POST", "/executions", shared, version=FLAT, json={"shellCommand": "true"})
    assert answer.json()["error"]["code"] == "SessionPropertiesMissing"
