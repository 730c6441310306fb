"""Where alerts may be sent.

Rules of this file: pure; no message repeats the URL, which may hold a secret.
"""

import ipaddress
from urllib.parse import urlsplit

URL_LENGTH_MAX = 2_000


def check_webhook_url(text: str) -> str:
    """Pass on the URL of a webhook: https, or http on this machine.

    Raises:
        ValueError: if it is anything else, names a user, or has a fragment.
    """
    if len(text) > URL_LENGTH_MAX or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"a webhook's URL has at most {URL_LENGTH_MAX} printable characters of ASCII, and no space")
    try:
        parts = urlsplit(text)
        port_is_sound = parts.port != 0
    except ValueError:
        raise ValueError("a webhook's URL names a host that there can be") from None
    if not parts.hostname or not port_is_sound or parts.username is not None or parts.password is not None:
        raise ValueError("a webhook's URL names a host, and no user")
    if "#" in text:
        raise ValueError("a webhook's URL has no fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_this_machine(parts.hostname)):
        raise ValueError("a webhook's URL starts with https://; http:// is for this machine alone")
    return text


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
