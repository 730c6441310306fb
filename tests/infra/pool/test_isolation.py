"""Code in a session sees itself, its files and the interpreter; nothing of the host, the network or its neighbours."""

from collections.abc import Iterator

import pytest

from tests.infra.pool.support import REPOSITORY, NotStartedError, Pool, new_name, running_pool

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module", params=["bubblewrap", "unshare"])
def confined(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """A pool with one of the sandboxes, where the system has it."""
    folder = tmp_path_factory.mktemp("confined")
    settings = {"sandbox": request.param, "file_bytes": 2_000_000, "warm_sessions": 2}
    try:
        with running_pool(folder, "--data-dir", str(folder / "data"), **settings) as running:
            assert running.ready["sandbox"] == request.param
            yield running
    except NotStartedError as refusal:
        pytest.skip(str(refusal))


@pytest.fixture(scope="module")
def inside(confined: Pool) -> str:
    """A session for tests that only look around."""
    name = new_name()
    confined.value("import os, socket, subprocess\n1", name)
    return name


def test_sessions_see_neither_variables_nor_files_nor_processes_of_each_other(confined: Pool) -> None:
    one, other = new_name(), new_name()
    confined.value("secret = 'of one'\nopen('/mnt/data/f', 'w').write(secret)\nopen('/tmp/f', 'w').write(secret)", one)
    assert "NameError" in confined.execute("secret", other)["stderr"]
    assert confined.value("import os\nos.listdir('/mnt/data'), os.path.exists('/tmp/f')", other) == [[], False]
    assert confined.content("f", other).status_code == 404
    processes = confined.value("[name for name in os.listdir('/proc') if name.isdigit()]", other)
    assert 0 < len(processes) < 10


def test_nothing_of_the_host_is_visible(confined: Pool, inside: str) -> None:
    top = set(confined.value("os.listdir('/')", inside))
    assert top <= {"bin", "dev", "etc", "lib", "lib32", "lib64", "mnt", "proc", "run", "sbin", "tmp", "usr"} | {
        path.parts[1] for path in (REPOSITORY,)
    } | {"root", "opt", "home"}
    hidden = [str(REPOSITORY / name) for name in ("pyproject.toml", "infra", "tests", ".git")]
    seen = confined.value(
        f"[path for path in {[*hidden, '/etc/passwd', '/var', '/boot']} if os.path.exists(path)]", inside
    )
    assert seen == []


def test_the_environment_is_not_the_hosts(confined: Pool, inside: str) -> None:
    names = confined.value("sorted(os.environ)", inside)
    assert not [name for name in names if "TOLLGATE" in name or "SSH" in name or name == "VIRTUAL_ENV"]
    assert confined.value("open('/proc/1/environ').read().count('TOLLGATE')", inside) == 0


def test_there_is_no_network_and_no_way_to_the_host(confined: Pool, inside: str) -> None:
    assert confined.value("[name for _, name in socket.if_nameindex() if name != 'lo']", inside) == []
    port = confined.url.rsplit(":", 1)[1]
    assert confined.run(f"socket.create_connection(('127.0.0.1', {port}), 1)", inside)["status"] == "Failed"
    assert confined.run("socket.create_connection(('192.0.2.1', 80), 1)", inside)["status"] == "Failed"


def test_the_host_name_is_the_sessions_own(confined: Pool, inside: str) -> None:
    other = confined.value("import socket\nsocket.gethostname()", new_name())
    own = confined.value("socket.gethostname()", inside)
    assert own.startswith("session-")
    assert own != other


def test_code_has_no_capabilities_and_cannot_change_what_it_runs_on(confined: Pool, inside: str) -> None:
    status = confined.value(
        "dict(line.split(':\\t') for line in open('/proc/self/status').read().splitlines())", inside
    )
    assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")} == {0}
    assert status["NoNewPrivs"] == "1"
    for folder in ("os.path.dirname(os.__file__)", "'/usr'", "__import__('sys').prefix"):
        assert confined.run(f"open(os.path.join({folder}, 'planted'), 'w')", inside)["status"] == "Failed"


def test_memory_and_file_size_are_limited(confined: Pool) -> None:
    name = new_name()
    assert "File too large" in confined.execute("open('big', 'wb').write(bytes(3_000_000))", name)["stderr"]
    assert confined.execute("x = bytearray(3 << 30)", name)["stderr"] == "Execution aborted"


def test_shells_and_terminals_work(confined: Pool, inside: str) -> None:
    assert confined.run("!echo from the shell", inside)["result"]["stdout"].strip() == "from the shell"
    assert confined.value("subprocess.run(['sh', '-c', 'exit 3']).returncode", inside) == 3
