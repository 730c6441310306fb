"""Sends one alert to one webhook, and says whether it was heard.

Rules of this file: a message is sent once, and nothing is followed, retried or remembered between messages. What is
said of a failure holds nothing of the URL, the secret, the message or the answer.
"""

import asyncio

import aiohttp
import httpx

from metering.clock import Clock
from metering.entries import LedgerKeys
from proxy.pool import CONNECT_SECONDS, was_never_sent
from proxy.webhooks import CONTENT_TYPE, sign

TIMEOUT_SECONDS = 10.0


class WebhookSender:
    """Posts signed messages; safe to use from any number of tasks.

    The transport is called directly: httpx's client layer logs every URL, and a URL's query may be a secret.
    """

    def __init__(
        self,
        *,
        transport: httpx.AsyncBaseTransport,
        keys: LedgerKeys,
        clock: Clock,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._transport = transport
        self._keys = keys
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._extensions = {"timeout": {"connect": CONNECT_SECONDS, "pool": CONNECT_SECONDS}}

    async def send(self, url: str, body: bytes, *, message_id: str, tenant_id: str | None) -> str | None:
        """Send one message, signed for a tenant, or for the operator (None); return why it was not heard, or None.

        Any status from 200 to 299 says that it was heard; the answer's body is not read.
        """
        proof = sign(body, message_id=message_id, sent_at=self._clock(), keys=self._keys, tenant_id=tenant_id)
        try:
            request = httpx.Request(
                "POST",
                url,
                headers={**proof, "content-type": CONTENT_TYPE, "user-agent": "Tollgate"},
                content=body,
                extensions=self._extensions,
            )
            async with asyncio.timeout(self._timeout_seconds):
                response = await self._transport.handle_async_request(request)
                await response.aclose()
        except TimeoutError:
            return f"no answer in {self._timeout_seconds:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, UnicodeError) as error:
            never_sent = isinstance(error, httpx.InvalidURL | UnicodeError) or was_never_sent(error)
            return "cannot be reached" if never_sent else "no answer: the connection broke"
        return None if 200 <= response.status_code < 300 else f"HTTP {response.status_code}"
