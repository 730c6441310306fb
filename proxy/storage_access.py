"""Whether storage lets whoever works on it directly in; and if not, why, in a line for people.

Rules of this file: only statuses and codes are looked at, since the SDK's texts hold addresses and requests.
"""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, HttpResponseError
from azure.data.tables.aio import TableServiceClient

from proxy.storage import SCOPE

ROLE = "Storage Table Data Contributor"

_NO_ROLE = f"you need the role {ROLE} on it, which takes some minutes to hold after a deployment: try again"
_NOT_FROM_HERE = f"its network rules do not let this machine in, or you lack the role {ROLE}, which takes some minutes"
_REASONS = {
    "AuthorizationPermissionMismatch": _NO_ROLE,
    "AuthorizationFailure": _NOT_FROM_HERE,
    "KeyBasedAuthenticationNotPermitted": "it takes no account keys: set TOLLGATE_STORAGE to its https:// endpoint",
    "AuthenticationFailed": "the key or the signature in TOLLGATE_STORAGE is not its own",
}


class NotSignedIn(Exception):  # noqa: N818 -- named after the state that the caller has to tell of
    """Nobody is signed in to Azure here."""


@asynccontextmanager
async def signed_in(service: TableServiceClient) -> AsyncIterator[None]:
    """Open a service and its credential, which the service itself would not close; have a token before the first call.

    Without one the SDK fails to create a row with an AttributeError (azure-data-tables 12.7.0).

    Raises:
        NotSignedIn: if storage asks for a token and there is none.
    """
    credential = service.credential
    if not isinstance(credential, AsyncTokenCredential):
        async with service:
            yield
        return
    async with credential, service:
        try:
            await credential.get_token(SCOPE)
        except AzureError:
            raise NotSignedIn from None
        yield


def refusal_of(error: BaseException) -> str | None:
    """Find what storage answered below an error, and put it into words; None for what is no question of rights."""
    below: BaseException | None = error
    while below is not None and not isinstance(below, HttpResponseError):
        below = below.__cause__
    if below is None or below.status_code not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return None
    code = _code_of(below)
    reason = _REASONS.get(code, "it does not take whoever you are signed in as, or the key that you gave")
    return f"the storage refuses (HTTP {below.status_code}{code and f', {code}'}): {reason}"


def _code_of(error: HttpResponseError) -> str:
    """Read the code that stands in the answer's body: the SDK passes it on with some errors only."""
    try:
        code = json.loads(error.response.text())["odata.error"]["code"]  # type: ignore[union-attr]  # or is caught
    except (AttributeError, LookupError, TypeError, ValueError):
        return ""
    return code if isinstance(code, str) and re.fullmatch(r"\w{1,80}", code, re.ASCII) else ""
