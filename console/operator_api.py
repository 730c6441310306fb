"""The operator API: `/operator/…`, JSON, for keys with the scope `operator`.

Rules of this file: the three `match` statements are the whole surface; the verbs are in `administration`, the shapes in
`bodies` and `views`. A path is matched on its segments, empty ones left out.
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from console.administration import Administration
from console.audits import Audits
from console.bodies import (
    AdjustmentBody,
    ExpiryBody,
    OperatorKeyBody,
    TenantBody,
    TenantKeyBody,
    invalid,
    read_body,
    read_usage_query,
)
from console.views import Json, key_view, new_key_view, tenant_view
from proxy.directory import Directory
from proxy.errors import ErrorCode, GatewayError
from proxy.messages import GatewayRequest, GatewayResponse, json_response
from proxy.tenants import DEFAULT_POOL, OPERATOR_SCOPES, Scope, Tenant, credential_from


class OperatorApi:
    """Answers operators; safe to use from any number of tasks."""

    def __init__(self, *, directory: Directory, administration: Administration, audits: Audits) -> None:
        self._directory = directory
        self._administration = administration
        self._audits = audits

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
        status, value = await self._answer(request, segments[1:])
        return json_response(value, status=status)

    async def _answer(self, request: GatewayRequest, segments: Sequence[str]) -> tuple[int, Json]:
        match (request.method, *segments):
            case ("GET", "tenants"):
                return 200, {"tenants": [tenant_view(tenant) for tenant in await self._administration.tenants()]}
            case ("GET", "reconciliation"):
                return 200, await self._audits.reconciliation()
            case (_, "keys", *rest):
                return await self._keys(request, None, rest)
            case (_, "tenants", tenant_id, "keys", *rest):
                return await self._keys(request, tenant_id, rest)
            case (_, "tenants", tenant_id, *rest):
                return await self._tenant(request, tenant_id, rest)
            case _:
                raise GatewayError(ErrorCode.OPERATION_NOT_FOUND)

    async def _tenant(self, request: GatewayRequest, tenant_id: str, segments: Sequence[str]) -> tuple[int, Json]:
        administration, usage = self._administration, self._administration.usage
        match (request.method, *segments):
            case ("GET",):
                return 200, tenant_view(await administration.tenant(tenant_id))
            case ("PUT",):
                return await self._put_tenant(tenant_id, request.body)
            case ("POST", "adjustments"):
                return 201, await self._adjust(tenant_id, request)
            case ("GET", "verification"):
                query = read_usage_query(request.query)
                return 200, await self._audits.verification(await administration.tenant(tenant_id), query.period)
            case ("GET", "usage"):
                query = read_usage_query(request.query)
                return 200, await usage.statement(await administration.tenant(tenant_id), query.period)
            case ("GET", "usage", "entries"):
                query = read_usage_query(request.query)
                tenant = await administration.tenant(tenant_id)
                return 200, await usage.entries(tenant, query, path=f"/operator/tenants/{tenant.id}/usage/entries")
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
        fields: dict[str, Any] = dict(read_body(TenantBody, body))
        left_out = {"name": fields["name"] or tenant_id, "pools": fields["pools"] or (DEFAULT_POOL,)}
        try:
            tenant = Tenant(id=tenant_id, **{**fields, **left_out})
        except ValueError as error:
            raise invalid(f"id: {error}", "id") from None
        created = await self._administration.put_tenant(tenant)
        return (201 if created else 200), tenant_view(tenant)

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
        body = read_body(AdjustmentBody, request.body)
        entry = await self._administration.adjust(
            tenant_id, minutes=body.minutes, reason=body.reason, request_id=request.id
        )
        return {**self._administration.usage.entry(entry), "reason": entry.reason}
