"""The command line on a storage that asks for Entra's tokens: whoever is not let in reads why, in a line."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from tests.console.serving import LEDGER_SECRET
from tests.console.terminals import MONEY, Ended, Terminal, on_storage
from tests.infra.certificates import make_certificate

FIRST = ("keys", "create", "--operator", "--label", "first", "--direct")
LIST = ("tenants", "list", "--direct")
TOKEN = "the-token"


@dataclass
class Entra:
    """A storage over HTTPS and a managed identity, as an App Service has it, that gives tokens for it."""

    status: int = 204
    code: str = ""
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, **environment: str) -> Ended:
        """Run a command as a process: what the SDKs would print at its end is seen, too."""
        terminal = Terminal({**self.environment, **environment})
        with terminal.start(*arguments, stdout=PIPE, stderr=PIPE) as process:
            output, errors = process.communicate(timeout=60)
        return Ended(process.returncode, output.decode(), errors.decode())


class Handler(BaseHTTPRequestHandler):
    """Answers what storage or the identity would."""

    entra: Entra

    def answer(self, status: int, value: Any, **headers: str) -> None:
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        for name, text in {**headers, "Content-Type": "application/json", "Content-Length": str(len(body))}.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the server's own naming
        pass


class Identity(Handler):
    def do_GET(self) -> None:
        self.answer(200, {"access_token": TOKEN, "expires_on": "4102444800", "token_type": "Bearer", "resource": "x"})


class Storage(Handler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.entra.asked.append((self.command, self.path, self.headers["Authorization"]))
        if self.entra.status < 300:
            self.answer(self.entra.status, None, ETag="x")
            return
        error = {"odata.error": {"code": self.entra.code, "message": {"lang": "en-US", "value": "No.\nRequestId:1"}}}
        self.answer(self.entra.status, error)

    do_GET = do_POST  # noqa: N815 -- the server's own naming


@contextmanager
def serving(handler: type[Handler], context: ssl.SSLContext | None = None) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"{'http' if context is None else 'https'}://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def entra(tmp_path: Path) -> Iterator[Entra]:
    made = Entra()
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    storage = type("OneStorage", (Storage,), {"entra": made})
    with serving(Identity) as identity, serving(storage, context) as url:
        made.environment = {
            "TOLLGATE_STORAGE": url,
            "SSL_CERT_FILE": str(certificate),
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "IDENTITY_ENDPOINT": f"{identity}/msi/token",
            "IDENTITY_HEADER": "header",
            "no_proxy": "127.0.0.1",
        }
        yield made


def test_the_first_operators_key_needs_nothing_but_the_storage(entra: Entra) -> None:
    ended = entra.run(*FIRST, "--json")

    assert (ended.status, ended.errors) == (0, "")
    assert ended.json["scopes"] == ["operator"]
    assert [(method, path) for method, path, _ in entra.asked] == [("POST", "/TollgateKeys")]
    assert {token for *_, token in entra.asked} == {f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("arguments", "status", "code", "words"),
    [
        (FIRST, 403, "AuthorizationPermissionMismatch", ("the role Storage Table Data Contributor", "some minutes")),
        (LIST, 403, "AuthorizationPermissionMismatch", ("the role Storage Table Data Contributor", "some minutes")),
        (FIRST, 403, "AuthorizationFailure", ("network rules do not let this machine in", "Table Data Contributor")),
        (LIST, 403, "SomethingNew", ("does not take whoever you are signed in as",)),
        (FIRST, 401, "InvalidAuthenticationInfo", ("does not take whoever you are signed in as",)),
    ],
)
def test_a_storage_that_lets_nobody_in_says_in_a_line_what_is_missing(
    entra: Entra, arguments: tuple[str, ...], status: int, code: str, words: tuple[str, ...]
) -> None:
    entra.status, entra.code = status, code

    ended = entra.run(*arguments)

    assert ended.status == 3
    assert ended.complaint.startswith(f"the storage refuses (HTTP {status}, {code}): ")
    for word in words:
        assert word in ended.complaint


def test_a_storage_that_falters_is_no_question_of_rights(entra: Entra) -> None:
    entra.status, entra.code = 500, "InternalError"

    ended = entra.run(*FIRST)

    assert (ended.status, ended.complaint.endswith("(MeteringUnavailable)")) == (3, True)


def test_whoever_is_not_signed_in_is_told_how_in_a_line(entra: Entra) -> None:
    ended = entra.run(*FIRST, AZURE_TOKEN_CREDENTIALS="dev", PATH="/nowhere")

    assert ended.status == 3
    assert ended.complaint == "nobody is signed in to Azure here: sign in with `az login` or `azd auth login`"
    assert entra.asked == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("usage", "show", "acme"),
        ("adjust", "acme", "5", "--reason", "r"),
        ("verify", "--tenant", "acme"),
        ("report", "--month", "2026-10"),
        ("close", "2026-10", "--yes"),
        ("alerts", "list"),
        ("reconcile",),
    ],
)
def test_what_is_about_the_ledger_says_that_its_secret_is_missing(arguments: tuple[str, ...], azurite: str) -> None:
    ended = Terminal({**MONEY, "TOLLGATE_STORAGE": azurite}, ("--direct",)).run(*arguments)

    assert (ended.status, ended.complaint) == (2, "TOLLGATE_LEDGER_SECRET: is not set")


@pytest.mark.parametrize("missing", MONEY)
@pytest.mark.parametrize(
    "arguments",
    [("adjust", "acme", "5", "--reason", "r"), ("close", "2026-10", "--yes"), ("verify", "--tenant", "acme")],
)
def test_nothing_that_money_is_counted_with_is_taken_for_granted(
    arguments: tuple[str, ...], missing: str, azurite: str
) -> None:
    terminal = on_storage(azurite, LEDGER_SECRET)

    ended = Terminal({**terminal.environment, missing: ""}, terminal.options).run(*arguments)

    assert (ended.status, ended.complaint) == (2, f"{missing}: is not set")


def test_tenants_and_keys_need_nothing_but_the_storage(azurite: str) -> None:
    terminal = Terminal({"TOLLGATE_STORAGE": azurite}, ("--direct",))

    terminal.done("tenants", "set", "without-a-secret", "--minutes-per-month", "600")
    made = terminal.done("keys", "create", "--tenant", "without-a-secret")
    terminal.done("keys", "rotate", made["id"], "--tenant", "without-a-secret")

    assert terminal.done("tenants", "suspend", "without-a-secret")["suspended"]
    assert "without-a-secret" in {tenant["id"] for tenant in terminal.done("tenants", "list")["tenants"]}
