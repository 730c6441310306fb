"""The operator API in this process, on the storage itself: for the first operator's key, and for repair.

It asks for no key: whoever can write the storage is the operator already.
"""

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from console.backends import WRONG_USAGE, CommandError, Json, read_answer
from console.operator_api import OperatorApi
from console.wiring import build_apis
from metering.clock import Clock
from proxy.bootstrap import build_ledger
from proxy.errors import GatewayError
from proxy.messages import GatewayRequest
from proxy.settings import LedgerSettings, SettingsError, read_settings
from proxy.storage import open_tables


@dataclass(frozen=True, slots=True)
class DirectBackend:
    """Calls the operator API in this process."""

    api: OperatorApi

    async def call(self, method: str, path: str, *, query: str = "", body: Json | None = None) -> Json:
        """See `Backend.call`."""
        content = b"" if body is None else json.dumps(body).encode()
        request = GatewayRequest(id=str(uuid.uuid4()), method=method, path=path, query=query, body=content)
        try:
            answer = await self.api.answer(request)
        except GatewayError as error:
            answer = error.response()
        return read_answer(answer.status, answer.body, "the storage")


@asynccontextmanager
async def directly(clock: Clock) -> AsyncIterator[DirectBackend]:
    """Open the way to the storage that the settings name.

    Raises:
        CommandError: if the settings cannot work.
    """
    try:
        settings = read_settings(LedgerSettings)
        service = open_tables(settings.storage.get_secret_value())
    except (SettingsError, ValueError) as error:
        raise CommandError("; ".join(str(error).splitlines()), exit_status=WRONG_USAGE) from None
    async with service:
        parts = build_ledger(settings, service, clock=clock)
        try:
            yield DirectBackend(build_apis(parts)[0])
        finally:
            await parts.aclose()
