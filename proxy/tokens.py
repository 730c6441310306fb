"""The bearer token for the pool: cached, and refreshed ahead of its expiry."""

import asyncio
from datetime import UTC, datetime, timedelta

from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError
from azure.identity import CredentialUnavailableError

from metering.clock import Clock
from proxy.pool import TokenUnavailable

SCOPE = "https://dynamicsessions.io/.default"
REFRESH_AHEAD = timedelta(minutes=10)  # within it a call starts a refresh and goes on with the token it has
EXPIRY_MARGIN = timedelta(seconds=60)  # a call may take minutes, but the pool looks at the token when it comes in
RETRY_AFTER = timedelta(seconds=30)  # between refreshes that fail


class NoTokens:
    """For a pool that wants no token: the stand-in on a laptop."""

    async def token(self) -> str | None:
        """Return None."""
        return None

    def forget(self) -> None:
        """Have nothing to forget."""


class EntraTokens:
    """Tokens from Microsoft Entra; one request for a token at a time, whoever waits for it."""

    def __init__(self, credential: AsyncTokenCredential, *, clock: Clock) -> None:
        self._credential = credential
        self._clock = clock
        self._cached: AccessToken | None = None
        self._refresh: asyncio.Task[AccessToken] | None = None
        self._retry_at: datetime | None = None

    async def token(self) -> str | None:
        """Return the cached token, or wait for one if there is none that is valid.

        Raises:
            TokenUnavailable: if Entra gives none.
        """
        cached, now = self._cached, self._clock()
        left = timedelta(0) if cached is None else datetime.fromtimestamp(cached.expires_on, UTC) - now
        if cached is not None and left > EXPIRY_MARGIN:
            if left <= REFRESH_AHEAD and (self._retry_at is None or now >= self._retry_at):
                self._start()
            return cached.token
        try:
            return (await asyncio.shield(self._start())).token
        except (AzureError, CredentialUnavailableError) as error:
            raise TokenUnavailable(type(error).__name__) from error

    def forget(self) -> None:
        """Ask Entra anew at the next call."""
        self._cached = None

    async def aclose(self) -> None:
        """Wait for a refresh under way, and close the credential."""
        if self._refresh is not None:
            await asyncio.gather(self._refresh, return_exceptions=True)
        await self._credential.close()

    def _start(self) -> asyncio.Task[AccessToken]:
        if self._refresh is None:
            self._refresh = asyncio.create_task(self._fetch())
            self._refresh.add_done_callback(self._finished)
        return self._refresh

    async def _fetch(self) -> AccessToken:
        return await self._credential.get_token(SCOPE)

    def _finished(self, refresh: asyncio.Task[AccessToken]) -> None:
        self._refresh = None
        if refresh.cancelled() or refresh.exception() is not None:
            self._retry_at = self._clock() + RETRY_AFTER
        else:
            self._cached, self._retry_at = refresh.result(), None
