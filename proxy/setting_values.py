"""What the value of a setting must be, beyond its type.

Rules of this file: pure; no message repeats a value, which may be secret.
"""

import difflib
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from pydantic import AnyHttpUrl, SecretStr

SECRET_BYTES_MIN = 32
SECRET_CHARACTERS_MIN = 8  # different ones; of 32 random hexadecimal digits, fewer are rarer than one in a million

_UNRESOLVED = "@Microsoft.KeyVault("
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_ALIKE = 0.88  # from which two names are taken for a slip of the pen


def check_secret(secret: SecretStr) -> SecretStr:
    """Pass on a secret that nobody can guess.

    Raises:
        ValueError: if it is too short, or made of a few characters only.
    """
    if is_weak(secret.get_secret_value()):
        raise ValueError(
            f"a secret has at least {SECRET_BYTES_MIN} bytes, of {SECRET_CHARACTERS_MIN} different characters or more"
        )
    return secret


def is_weak(secret: str) -> bool:
    """Say whether a secret is too short, or made of a few characters only."""
    return len(secret.encode()) < SECRET_BYTES_MIN or len(set(secret)) < SECRET_CHARACTERS_MIN


def parse_ledger_secret(secrets: SecretStr) -> tuple[str, dict[str, bytes]]:
    """Read `id:secret[,id:secret…]`: the id of the current key, which comes first, and all keys by id.

    Raises:
        ValueError: if an id is missing or repeated, or a secret is weak.
    """
    keys: dict[str, bytes] = {}
    for part in secrets.get_secret_value().split(","):
        key_id, colon, secret = part.strip().partition(":")
        if not colon or not key_id or key_id in keys or is_weak(secret):
            raise ValueError(
                f"write <key id>:<secret>, the current key first, each secret of at least {SECRET_BYTES_MIN} bytes and "
                f"{SECRET_CHARACTERS_MIN} different characters"
            )
        keys[key_id] = secret.encode()
    return next(iter(keys)), keys


def check_ledger_secret(secrets: SecretStr) -> SecretStr:
    """Pass on what `parse_ledger_secret` can read. Raises ValueError."""
    parse_ledger_secret(secrets)
    return secrets


def check_storage(storage: SecretStr) -> SecretStr:
    """Pass on a table endpoint (https) or a connection string with a place and a key.

    Raises:
        ValueError: if it is neither.
    """
    text = storage.get_secret_value()
    if "://" in text.partition("=")[0]:
        if is_plain_url(text, {"https"}) and urlsplit(text).path in {"", "/"}:
            return storage
        raise ValueError("the endpoint is https://<account>.table.core.windows.net, without a path or a signature")
    names = {part.partition("=")[0].strip().lower() for part in text.split(";") if "=" in part}
    is_local = "usedevelopmentstorage" in names
    if is_local or (names & {"accountname", "tableendpoint"} and names & {"accountkey", "sharedaccesssignature"}):
        return storage
    raise ValueError("write the table endpoint, https://<account>.table.core.windows.net, or a connection string")


def is_plain_url(text: str, schemes: Collection[str]) -> bool:
    """Say whether a URL has one of these schemes and a host, and neither a user, a query nor a fragment."""
    try:
        parts = urlsplit(text)
        port_is_sound = parts.port != 0
    except ValueError:
        return False
    return (
        parts.scheme in schemes
        and bool(parts.hostname)
        and port_is_sound
        and parts.username is None
        and not parts.query
        and not parts.fragment
    )


def check_endpoint(endpoint: AnyHttpUrl) -> AnyHttpUrl:
    """Pass on the management endpoint of a pool. Raises ValueError."""
    if not is_plain_url(str(endpoint), {"http", "https"}):
        raise ValueError("an endpoint is a URL without user, query and fragment")
    return endpoint


def shows_tokens(endpoint: AnyHttpUrl) -> bool:
    """Say whether a token sent to an endpoint could be read on the way: http, to another machine."""
    return endpoint.scheme == "http" and (endpoint.host or "").strip("[]") not in _LOCAL_HOSTS


def unresolved(environment: Mapping[str, str], names: Collection[str]) -> list[str]:
    """Name the settings whose Key Vault reference has not been replaced by the secret.

    The platform leaves the reference's own text where it cannot read the vault (App Service documentation, "Use Key
    Vault references", read 2026-11); as a secret, anybody could guess it.
    """
    return [name for name in names if environment.get(name, "").lstrip().startswith(_UNRESOLVED)]


def misspelt(given: Collection[str], names: Collection[str]) -> dict[str, str]:
    """Find what is no setting but looks like one, and which it is like; all without their prefix.

    Other programs' names may stand beside Tollgate's own, so what looks like no setting is let be.
    """
    found = {}
    for name in given:
        if name not in names and (alike := difflib.get_close_matches(name, names, n=1, cutoff=_ALIKE)):
            found[name] = alike[0]
    return found
