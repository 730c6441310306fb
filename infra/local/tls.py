"""TLS on the local host: the certificate and its key as files in PEM form.

Some clients take https only, on a laptop too. What the stack tells of itself is `https://127.0.0.1:…`, so the
certificate has to name that address.
"""

import argparse
import contextlib
import ssl
from dataclasses import dataclass
from pathlib import Path

from infra.local.processes import LocalError

_ADDRESS = "127.0.0.1"
_HANDSHAKE_ROUNDS = 4  # it takes two; one more where the server asks for another hello


@dataclass(frozen=True, slots=True)
class Tls:
    """Where the certificate (with its chain, if it has one) and its private key are."""

    certificate: Path
    private_key: Path

    @property
    def options(self) -> tuple[str, ...]:
        """The same, as options of the functions host."""
        return ("--certificate", str(self.certificate), "--private-key", str(self.private_key))

    def server_context(self) -> ssl.SSLContext:
        """Load both.

        Raises:
            LocalError: They cannot be read, are no PEM, do not belong together, or the key wants a password.
        """
        for path in (self.certificate, self.private_key):
            try:
                path.read_bytes()
            except OSError as error:
                raise LocalError(f"{path} cannot be read: {error.strerror}") from None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.certificate, self.private_key, password=_no_password)
        except (ssl.SSLError, ValueError) as error:
            reason = getattr(error, "reason", None)
            raise LocalError(
                f"{self.certificate} and {self.private_key} are no certificate and its key in PEM form, without a "
                f"password{f' ({reason.replace("_", " ").lower()})' if reason else ''}"
            ) from None
        return context

    def client_context(self) -> ssl.SSLContext:
        """Trust this certificate, and no other."""
        return ssl.create_default_context(cafile=self.certificate)

    def require_fit(self) -> None:
        """Check that a client that trusts the certificate reaches the address with it: a handshake in memory.

        Raises:
            LocalError: It is for another name or not valid now; or see `server_context`.
        """
        server = self.server_context()
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            ends = (
                self.client_context().wrap_bio(to_client, to_server, server_hostname=_ADDRESS),
                server.wrap_bio(to_server, to_client, server_side=True),
            )
            for _ in range(_HANDSHAKE_ROUNDS):
                for end in ends:
                    with contextlib.suppress(ssl.SSLWantReadError):
                        end.do_handshake()
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", None) or error.reason
            raise LocalError(f"{self.certificate} does not fit https://{_ADDRESS}: {reason}") from None


def add_tls_options(parser: argparse.ArgumentParser) -> None:
    """Add the two options."""
    parser.add_argument("--certificate", type=Path, metavar="FILE", help="serve https with it; in PEM form")
    parser.add_argument("--private-key", type=Path, metavar="FILE", help="of the certificate, without a password")


def tls_of(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> Tls | None:
    """Read the two options: both or neither; one alone ends the program as any wrong usage does."""
    certificate, private_key = arguments.certificate, arguments.private_key
    if certificate is None and private_key is None:
        return None
    if certificate is None or private_key is None:
        parser.error("--certificate and --private-key go together")
    return Tls(certificate.resolve(), private_key.resolve())


def _no_password() -> str:
    raise ValueError("the key is encrypted")
