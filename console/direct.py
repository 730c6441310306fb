"""The operator API in this process, on the storage itself: for the first operator's key, and for repair.

It asks for no key: whoever can write the storage is the operator already. Tenants and keys need the storage alone; what
is about the ledger needs the gateway's other settings too, and reads them when it is first asked for.
"""

import json
import logging
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache

from console.backends import NOT_REACHABLE, WRONG_USAGE, CommandError, Document, Json, read_answer, read_document
from console.books import Books
from console.operator_api import OperatorApi
from console.wiring import build_books
from metering.clock import Clock
from proxy.bootstrap import build_ledger
from proxy.directory import Directory
from proxy.errors import GatewayError
from proxy.messages import GatewayRequest, GatewayResponse
from proxy.settings import DirectSettings, SettingsError, StorageSettings, read_settings
from proxy.storage import open_tables
from proxy.storage_access import NotSignedIn, refusal_of, signed_in
from proxy.table_tenants import TenantTables

_WHERE = "the storage"
_SIGN_IN = "nobody is signed in to Azure here: sign in with `az login` or `azd auth login`"


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
            if (reason := refusal_of(error)) is not None:
                raise CommandError(reason, exit_status=NOT_REACHABLE) from None
            return error.response()


@asynccontextmanager
async def directly(clock: Clock) -> AsyncIterator[DirectBackend]:
    """Open the way to the storage that the settings name.

    Raises:
        CommandError: if the settings cannot work, or nobody is signed in to Azure where storage asks for that.
    """
    # The SDKs' warnings say in thirty lines what the command says in one.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    async with AsyncExitStack() as opened:
        with _reading_settings():
            service = open_tables(read_settings(StorageSettings).storage.get_secret_value())
        try:
            await opened.enter_async_context(signed_in(service))
        except NotSignedIn:
            raise CommandError(_SIGN_IN, exit_status=NOT_REACHABLE) from None
        directory = Directory(TenantTables(service), clock=clock)
        opened.push_async_callback(directory.aclose)

        @cache
        def books() -> Books:
            with _reading_settings():
                parts = build_ledger(read_settings(DirectSettings), service, clock=clock)
            opened.push_async_callback(parts.aclose)
            return build_books(parts)

        yield DirectBackend(OperatorApi(directory=directory, clock=clock, books=books))


@contextmanager
def _reading_settings() -> Iterator[None]:
    try:
        yield
    except (SettingsError, ValueError) as error:
        raise CommandError("; ".join(str(error).splitlines()), exit_status=WRONG_USAGE) from None
