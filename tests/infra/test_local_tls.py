"""The local stack over https, with several pools at once; and the certificates that it takes."""

import json
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from infra.local.accounts import call
from infra.local.processes import LocalError
from infra.local.tls import Tls
from tests.infra.certificates import make_certificate
from tests.running import Running, running_stack

VERSION = "api-version=2025-10-02-preview"


def tls(folder: Path, **wishes: object) -> Tls:
    return Tls(*make_certificate(folder, **wishes))  # type: ignore[arg-type]


# The files


def test_a_certificate_for_the_hosts_address_fits(tmp_path: Path) -> None:
    tls(tmp_path).require_fit()


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"address": "127.0.0.2"}, "does not fit https://127.0.0.1: IP address mismatch"),
        ({"days": -1}, "does not fit https://127.0.0.1: certificate has expired"),
        ({"password": b"secret"}, "without a password"),
    ],
)
def test_a_certificate_that_no_client_could_use_is_one_line(
    tmp_path: Path, wishes: dict[str, object], said: str
) -> None:
    with pytest.raises(LocalError) as refused:
        tls(tmp_path, **wishes).require_fit()

    assert said in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_files_that_are_missing_or_something_else_are_one_line(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)

    for unfit, said in (
        (Tls(tmp_path / "nothing", key), "nothing cannot be read: No such file or directory"),
        (Tls(certificate, tmp_path), "cannot be read: Is a directory"),
        (Tls(key, certificate), "are no certificate and its key in PEM form"),
        (Tls(Path(__file__), Path(__file__)), "are no certificate and its key in PEM form"),
    ):
        with pytest.raises(LocalError) as refused:
            unfit.require_fit()
        assert said in str(refused.value)
        assert len(str(refused.value).splitlines()) == 1


def test_another_certificate_for_the_same_names_is_not_trusted(tmp_path: Path) -> None:
    ours, other = tls(tmp_path / "ours"), tls(tmp_path / "other")

    trusted = ours.client_context().get_ca_certs(binary_form=True)

    assert trusted == [ssl.PEM_cert_to_DER_cert(ours.certificate.read_text())]
    assert trusted != [ssl.PEM_cert_to_DER_cert(other.certificate.read_text())]


# The stack


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return tls(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def stack(certificate: Tls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    options = [*certificate.options, "--pool", "second=shell", "--pool-endpoints", "2"]
    with running_stack(tmp_path_factory.mktemp("stack"), *options) as running:
        yield running


@pytest.mark.stack
def test_the_first_thing_it_says_to_try_works_over_https_as_it_stands(stack: Running) -> None:
    guide = stack.output.read_text().replace("\\\n", " ")
    execute, usage = [line for line in guide.splitlines() if line.strip().startswith("curl")]

    for command in (execute, usage):
        answer = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
        assert "error" not in json.loads(answer), answer


@pytest.mark.stack
def test_the_guide_names_the_other_pools_in_one_line(stack: Running) -> None:
    named = [line for line in stack.output.read_text().splitlines() if "pools" in line]

    assert named == [f"Its other pools (second: shell) are at {stack.ready['url']}/pools/<name>/…."]


@pytest.mark.stack
def test_the_ready_file_names_every_pool_and_every_process(stack: Running) -> None:
    ready = stack.ready

    assert list(ready["pools"]) == ["default", "second"]
    assert ready["pools"]["default"] == ready["pool_url"] == ready["pool_endpoints"][0]
    assert len({*ready["pools"].values(), *ready["pool_endpoints"]}) == 3
    assert list(ready["pids"]) == ["host", "pool", "pool.2", "pool-second", "storage"]


@pytest.mark.stack
def test_the_tenant_demo_may_use_them_all_the_default_one_first(stack: Running, certificate: Tls) -> None:
    _, tenant = call(stack.ready["url"], "GET", "/operator/tenants/demo", stack.ready["operator_key"], tls=certificate)

    assert tenant["pools"] == ["default", "second"]


@pytest.mark.stack
def test_sessions_of_the_default_pool_are_spread_over_its_endpoints_and_each_stays_on_one(
    stack: Running, certificate: Tls
) -> None:
    url, key = stack.ready["url"], stack.ready["tenants"][0]["key"]
    before = [held(endpoint) for endpoint in stack.ready["pool_endpoints"]]

    for number in [*range(20), *range(20)]:
        listed, _ = call(url, "GET", f"/files?{VERSION}&identifier=spread-{number}", key, tls=certificate)
        assert listed == 200

    after = [held(endpoint) for endpoint in stack.ready["pool_endpoints"]]
    new = [now - then for now, then in zip(after, before, strict=True)]
    assert all(new)
    assert sum(map(len, new)) == 20


@pytest.mark.stack
def test_a_call_that_names_a_pool_reaches_that_one(stack: Running, certificate: Tls) -> None:
    url, key, second = stack.ready["url"], stack.ready["tenants"][0]["key"], stack.ready["pools"]["second"]

    path = f"/pools/second/executions?{VERSION}&identifier=there"
    status, answer = call(url, "POST", path, key, {"shellCommand": "echo from $((6 * 7))"}, tls=certificate)

    assert (status, answer["result"]["stdout"]) == (200, "from 42\n")
    assert len(held(second)) == 1


def held(endpoint: str) -> set[str]:
    """Name the sessions that a stand-in holds."""
    answer = httpx.get(f"{endpoint}/listSessions?api-version=2025-02-02-preview").raise_for_status().json()
    return {session["identifier"] for session in answer["sessions"]}
