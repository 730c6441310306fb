"""The operator's verbs on tenants and keys, over the directory alone."""

from datetime import datetime

from console.bodies import invalid
from metering.clock import Clock
from proxy.directory import Directory
from proxy.errors import ErrorCode, GatewayError
from proxy.tenants import KEY_ID, TENANT_ID, ApiKey, ParsedKey, Scope, Tenant


class Administration:
    """What an operator can do.

    Every method raises GatewayError: METERING_UNAVAILABLE if storage cannot be reached, RESOURCE_NOT_FOUND for a
    tenant or key that does not exist, VALIDATION_FAILED for what cannot be.
    """

    def __init__(self, *, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    async def put_tenant(self, tenant: Tenant) -> bool:
        """Create or replace a tenant; say whether it was created."""
        return await self._directory.put_tenant(tenant)

    async def tenant(self, tenant_id: str) -> Tenant:
        """Read a tenant."""
        tenant = await self._directory.get_tenant(tenant_id) if TENANT_ID.fullmatch(tenant_id) else None
        if tenant is None:
            raise GatewayError(ErrorCode.RESOURCE_NOT_FOUND, "There is no such tenant.", target="tenant")
        return tenant

    async def tenants(self) -> list[Tenant]:
        """Read all tenants, by id."""
        return [tenant async for tenant in self._directory.list_tenants()]

    async def create_key(
        self, tenant_id: str | None, *, label: str, scopes: frozenset[Scope], expires_at: datetime | None
    ) -> tuple[ApiKey, ParsedKey]:
        """Make a key of a tenant, or of an operator."""
        await self._check_owner(tenant_id)
        self._check_expiry(expires_at)
        try:
            return await self._directory.create_key(tenant_id, label=label, scopes=scopes, expires_at=expires_at)
        except ValueError as error:
            raise invalid(f"scopes: {error}", "scopes") from None

    async def keys(self, tenant_id: str | None) -> list[ApiKey]:
        """Read all keys of a tenant, or of operators; the oldest first."""
        await self._check_owner(tenant_id)
        keys = [key async for key in self._directory.list_keys(tenant_id)]
        return sorted(keys, key=lambda key: (key.created_at, key.id))

    async def key(self, tenant_id: str | None, key_id: str) -> ApiKey:
        """Read a key, if it is this tenant's, or an operator's."""
        key = await self._directory.get_key(key_id) if KEY_ID.fullmatch(key_id) else None
        if key is None or key.tenant_id != tenant_id:
            raise GatewayError(ErrorCode.RESOURCE_NOT_FOUND, "There is no such key.", target="key")
        return key

    async def revoke_key(self, tenant_id: str | None, key_id: str) -> ApiKey:
        """Revoke a key for good; a repeat changes nothing."""
        key = await self.key(tenant_id, key_id)
        return await self._directory.revoke_key(key.id) or key

    async def expire_key(self, tenant_id: str | None, key_id: str, expires_at: datetime | None) -> ApiKey:
        """Set when a key ends; None: never."""
        key = await self.key(tenant_id, key_id)
        self._check_expiry(expires_at)
        return await self._directory.expire_key(key.id, expires_at) or key

    async def _check_owner(self, tenant_id: str | None) -> None:
        if tenant_id is not None:
            await self.tenant(tenant_id)

    def _check_expiry(self, expires_at: datetime | None) -> None:
        if expires_at is not None and expires_at <= self._clock():
            raise invalid("expires_at: must be in the future", "expires_at")
