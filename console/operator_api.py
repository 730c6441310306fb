"""The operator API: `/operator/…`, JSON, for keys with the scope `operator`.

Rules of this file: the `match` statements are the whole surface; the verbs are in `administration` and `books`, the
shapes in `bodies` and `views`. A path is matched on its segments, empty ones left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import unquote

from console.administration import Administration
from console.bodies import (
    AdjustmentBody,
    ExpiryBody,
    HeadsBody,
    OperatorKeyBody,
    TenantBody,
    TenantKeyBody,
    invalid,
    read_body,
)
from console.books import Books
from console.formats import Format, format_of
from console.live import needed
from console.queries import (
    REPORT_PAGE_DEFAULT,
    read_alert_query,
    read_period,
    read_report_query,
    read_session_query,
    read_usage_query,
)
from console.views import Json, entry_view, key_view, new_key_view, tenant_view
from metering.clock import Clock
from proxy.directory import Directory
from proxy.errors import ErrorCode, GatewayError
from proxy.messages import GatewayRequest, GatewayResponse, json_response
from proxy.tenants import OPERATOR_SCOPES, Scope, Tenant, credential_from

type Answer = tuple[int, Json] | GatewayResponse


class OperatorApi:
    """Answers operators; safe to use from any number of tasks. Tenants and keys never ask for the books."""

    def __init__(self, *, directory: Directory, clock: Clock, books: Callable[[], Books]) -> None:
        self._directory = directory
        self._administration = Administration(directory=directory, clock=clock)
        self._clock = clock
        self._books = books

    async def handle(self, request: GatewayRequest) -> GatewayResponse:
        """Answer one call.

        Raises:
            GatewayError: every refusal.
        """
        principal = await self._directory.authenticate(credential_from(request.headers))
        principal.require(Scope.OPERATOR)
        return await self.answer(request)

    async def answer(self, request: GatewayRequest) -> GatewayResponse:
        """Answer a call whose caller is already known to be an operator.

        Raises:
            GatewayError: every refusal.
        """
        segments = [unquote(segment) for segment in request.path.split("/") if segment]
        if segments[:1] != ["operator"]:
            raise GatewayError(ErrorCode.OPERATION_NOT_FOUND)
        answer = await self._answer(request, segments[1:])
        return answer if isinstance(answer, GatewayResponse) else json_response(answer[1], status=answer[0])

    async def _answer(self, request: GatewayRequest, segments: Sequence[str]) -> Answer:
        match (request.method, *segments):
            case ("GET", "reconciliation"):
                return 200, await self._books().audits.reconciliation()
            case ("GET", "webhook"):
                return 200, self._books().alerts.webhook(None)
            case (_, "alerts", *rest):
                return await self._alert(request, rest)
            case (_, "reports", period, *rest):
                return await self._report(request, period, rest)
            case (_, "keys", *rest):
                return await self._keys(request, None, rest)
            case (_, "tenants", *rest):
                return await self._tenants(request, rest)
            case _:
                raise GatewayError(ErrorCode.OPERATION_NOT_FOUND)

    async def _tenants(self, request: GatewayRequest, segments: Sequence[str]) -> Answer:
        match (request.method, *segments):
            case ("GET",):
                return 200, {"tenants": [tenant_view(tenant) for tenant in await self._administration.tenants()]}
            case (_, tenant_id, "keys", *rest):
                return await self._keys(request, tenant_id, rest)
            case (_, tenant_id, *rest):
                return await self._tenant(request, tenant_id, rest)
            case _:
                raise GatewayError(ErrorCode.OPERATION_NOT_FOUND)

    async def _report(self, request: GatewayRequest, month: str, segments: Sequence[str]) -> Answer:
        books = self._books()
        match (request.method, *segments):
            case ("GET",):
                period, query = read_period(month, self._clock()), read_report_query(request.query)
                if format_of(request) is Format.FOCUS:  # which has a row for each day, too many for longer pages
                    query = replace(query, limit=min(query.limit, REPORT_PAGE_DEFAULT))
                return books.documents.report(await books.reports.page(period, query), request)
            case ("POST", "close"):
                period, query = read_period(month, self._clock()), read_report_query(request.query)
                return 200, books.documents.closed(await books.reports.close(period, query), request)
            case _:
                raise GatewayError(ErrorCode.OPERATION_NOT_FOUND)

    async def _alert(self, request: GatewayRequest, segments: Sequence[str]) -> Answer:
        match (request.method, *segments):
            case ("GET",):
                wanted = read_alert_query(request.query)
                tenant = None if wanted.tenant_id is None else await self._administration.tenant(wanted.tenant_id)
                return 200, await self._books().alerts.listed(tenant, wanted)
            case ("POST", "deliver"):
                return 200, await self._books().alerts.deliver()
            case _:
                raise GatewayError(ErrorCode.OPERATION_NOT_FOUND)

    async def _tenant(self, request: GatewayRequest, tenant_id: str, segments: Sequence[str]) -> Answer:
        match (request.method, *segments):
            case ("GET",):
                return 200, tenant_view(await self._administration.tenant(tenant_id))
            case ("PUT",):
                return await self._put_tenant(tenant_id, request.body)
            case ("POST", "adjustments"):
                return 201, await self._adjust(tenant_id, request)
            case ("GET", "webhook"):
                return 200, self._books().alerts.webhook(await self._administration.tenant(tenant_id))
            case (_, "sessions"):
                return await self._sessions(request, await self._administration.tenant(tenant_id))
            case _:
                return await self._ledger(request, tenant_id, segments)

    async def _ledger(self, request: GatewayRequest, tenant_id: str, segments: Sequence[str]) -> Answer:
        """Answer for what the ledger says of a tenant."""
        books, query = self._books(), request.query
        match (request.method, *segments):
            case ("GET", "usage"):
                asked, tenant = read_usage_query(query), await self._administration.tenant(tenant_id)
                return books.documents.statement(await books.usage.statement(tenant, asked.period), request)
            case ("GET", "usage", "entries"):
                asked, tenant = read_usage_query(query), await self._administration.tenant(tenant_id)
                return books.documents.entries(tenant, await books.usage.entries(tenant, asked), request)
            case ("GET", "verification"):
                asked, tenant = read_usage_query(query), await self._administration.tenant(tenant_id)
                return 200, await books.audits.verification(tenant, asked.period)
            case ("POST", "verification"):
                asked, heads = read_usage_query(query), read_body(HeadsBody, request.body).heads
                tenant = await self._administration.tenant(tenant_id)
                return 200, await books.audits.verification(tenant, asked.period, heads=[each.head for each in heads])
            case _:
                raise GatewayError(ErrorCode.OPERATION_NOT_FOUND)

    async def _sessions(self, request: GatewayRequest, tenant: Tenant) -> Answer:
        books = self._books()
        match (request.method,):
            case ("GET",):
                return books.documents.sessions(tenant, await needed(books.live).sessions(tenant), request)
            case ("DELETE",):
                asked = read_session_query(request.query, "session")
                return 200, await needed(books.live).end(tenant, asked, request_id=request.id)
            case _:
                raise GatewayError(ErrorCode.OPERATION_NOT_FOUND)

    async def _keys(self, request: GatewayRequest, tenant_id: str | None, segments: Sequence[str]) -> tuple[int, Json]:
        """Answer for the keys of a tenant, or of operators (None)."""
        match (request.method, *segments):
            case ("GET",):
                return 200, {"keys": [key_view(key) for key in await self._administration.keys(tenant_id)]}
            case ("POST",):
                return 201, await self._create_key(tenant_id, request.body)
            case ("GET", key_id):
                return 200, key_view(await self._administration.key(tenant_id, key_id))
            case ("PATCH", key_id):
                expires_at = read_body(ExpiryBody, request.body).expires_at
                return 200, key_view(await self._administration.expire_key(tenant_id, key_id, expires_at))
            case ("DELETE", key_id):
                return 200, key_view(await self._administration.revoke_key(tenant_id, key_id))
            case _:
                raise GatewayError(ErrorCode.OPERATION_NOT_FOUND)

    async def _put_tenant(self, tenant_id: str, body: bytes) -> tuple[int, Json]:
        try:
            tenant = read_body(TenantBody, body).tenant(tenant_id)
        except ValueError as error:
            raise invalid(f"id: {error}", "id") from None
        created = await self._administration.put_tenant(tenant)
        return (201 if created else 200), tenant_view(await self._administration.tenant(tenant_id))

    async def _create_key(self, tenant_id: str | None, body: bytes) -> Json:
        if tenant_id is None:
            wanted, scopes = read_body(OperatorKeyBody, body), OPERATOR_SCOPES
        else:
            wanted = read_body(TenantKeyBody, body)
            scopes = wanted.scopes
        key, minted = await self._administration.create_key(
            tenant_id, label=wanted.label, scopes=scopes, expires_at=wanted.expires_at
        )
        return new_key_view(key, minted)

    async def _adjust(self, tenant_id: str, request: GatewayRequest) -> Json:
        books, body = self._books(), read_body(AdjustmentBody, request.body)
        tenant = await self._administration.tenant(tenant_id)
        entry = await books.adjustments.adjust(tenant, body, request_id=request.id)
        return entry_view(entry, books.usage.granularity)
