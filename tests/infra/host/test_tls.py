"""The host over https: the app sees it, and nobody else is answered."""

import ssl
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path

import pytest

from tests.infra.certificates import make_certificate
from tests.infra.host.support import Host, failed_start, running_host, start_process, write_app

pytestmark = pytest.mark.stack

APP = """
@app.route(route="where")
async def where(req: func.HttpRequest) -> str:
    return req.url
"""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def host(certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    app = write_app(tmp_path_factory.mktemp("app"), APP)
    with running_host(app, *options(*certificate)) as running:
        yield running


def options(certificate: Path, key: Path) -> tuple[str, ...]:
    return ("--certificate", str(certificate), "--private-key", str(key))


def get(connection: HTTPConnection) -> tuple[int, str]:
    try:
        connection.request("GET", "/where")
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_client_that_trusts_the_certificate_is_answered_and_the_app_sees_https(
    host: Host, certificate: tuple[Path, Path], name: str
) -> None:
    context = ssl.create_default_context(cafile=certificate[0])

    answer = get(HTTPSConnection(name, host.port, timeout=10, context=context))

    assert host.url == f"https://127.0.0.1:{host.port}"
    assert answer == (200, f"https://{name}:{host.port}/where")


def test_a_client_that_does_not_trust_it_refuses(host: Host) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        get(HTTPSConnection("127.0.0.1", host.port, timeout=10, context=ssl.create_default_context()))


def test_plain_http_is_not_answered(host: Host) -> None:
    with pytest.raises((HTTPException, ConnectionError)):
        get(HTTPConnection("127.0.0.1", host.port, timeout=10))


def test_files_that_do_not_go_together_end_the_start_in_one_line(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    _, other_key = make_certificate(tmp_path)

    (line,) = failed_start(write_app(tmp_path, APP), *options(certificate[0], other_key))

    assert line.endswith("without a password (key values mismatch)")


def test_one_of_the_two_files_is_wrong_usage(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    process = start_process(tmp_path, "--certificate", str(certificate[0]))
    _, errors = process.communicate(timeout=30)

    assert process.returncode == 2
    assert errors.splitlines()[-1].endswith("error: --certificate and --private-key go together")
