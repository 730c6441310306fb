"""The operator API in this process, on the storage itself: for the first operator's key, and for repair.

It asks for no key: whoever can write the storage is the operator already.
"""

import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from console.backends import WRONG_USAGE, CommandError, Document, Json, read_answer, read_document
from console.operator_api import OperatorApi
from console.wiring import build_apis
from metering.clock import Clock
from proxy.bootstrap import build_ledger
from proxy.errors import GatewayError
from proxy.messages import GatewayRequest, GatewayResponse
from proxy.settings import LedgerSettings, SettingsError, read_settings
from proxy.storage import open_tables

_WHERE = "the storage"


@dataclass(frozen=True, slots=True)
class DirectBackend:
    """Calls the operator API in this process."""

    api: OperatorApi

    async def call(self, method: str, path: str, *, query: str = "", body: Json | None = None) -> Json:
        """See `Backend.call`."""
        answer = await self._ask(method, path, query, b"" if body is None else json.dumps(body).encode())
        return read_answer(answer.status, answer.body, _WHERE)

    async def document(self, path: str, *, query: str = "") -> Document:
        """See `Backend.document`."""
        answer = await self._ask("GET", path, query)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return read_document(answer.status, headers, answer.body, _WHERE)

    async def _ask(self, method: str, path: str, query: str, body: bytes = b"") -> GatewayResponse:
        request = GatewayRequest(id=str(uuid.uuid4()), method=method, path=path, query=query, body=body)
        try:
            return await self.api.answer(request)
        except GatewayError as error:
            return error.response()


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
