"""The directory of tenants and API keys: proves who is calling, without asking storage for keys in use.

A change made here or on any other instance holds everywhere within 5 seconds (`knowledge` says how); this instance's
own writes hold here at once, unless no answer came. When storage cannot be reached, keys in use go on working for 15
minutes.
"""

import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from typing import Literal

from metering.clock import Clock
from proxy.errors import ErrorCode, GatewayError
from proxy.knowledge import Knowledge
from proxy.table_tenants import TenantTables
from proxy.tenants import ApiKey, Choose, ParsedKey, Principal, Scope, Tenant, mint_key, parse_key


class Directory:
    """Tenants and keys, with what this instance knows of them. For one event loop; close it before the service.

    Every method raises GatewayError METERING_UNAVAILABLE if storage has to be asked and cannot be reached.
    """

    def __init__(
        self,
        tables: TenantTables,
        *,
        clock: Clock,
        choose: Choose = secrets.choice,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tables = tables
        self._clock = clock
        self._choose = choose
        self._known_tenants = Knowledge(self._tables.tenant, elapsed=elapsed)
        self._known_keys = Knowledge(self._tables.key, elapsed=elapsed)

    async def authenticate(self, credential: str | None) -> Principal:
        """Prove who is calling. A key in use costs no storage operation, junk never does.

        Raises:
            GatewayError: INVALID_API_KEY if the key is missing, unknown, expired or revoked.
        """
        presented = None if credential is None else parse_key(credential)
        if presented is None:
            raise GatewayError(ErrorCode.INVALID_API_KEY)
        before = self._known_keys.peek(presented.id)
        if before is not None and before.tenant_id is not None:
            self._known_tenants.refresh(before.tenant_id)  # after a pause both are due: read them side by side
        key = await self._known_keys.get(presented.id)
        if key is None or not key.is_proven_by(presented) or not key.is_valid(self._clock()):
            raise GatewayError(ErrorCode.INVALID_API_KEY)
        if key.tenant_id is None:
            return Principal.of(key, None)
        tenant = await self._known_tenants.get(key.tenant_id)
        if tenant is None:
            raise GatewayError(ErrorCode.INVALID_API_KEY)
        return Principal.of(key, tenant)

    async def put_tenant(self, tenant: Tenant) -> bool:
        """Create a tenant, or replace all of it but the instant of its creation; say whether it was created."""
        created = await self._tables.put_tenant(tenant, now=self._clock())
        self._known_tenants.forget(tenant.id)
        return created

    async def get_tenant(self, tenant_id: str) -> Tenant | None:
        """Read a tenant from storage."""
        return await self._tables.tenant(tenant_id)

    def list_tenants(self, *, after: str = "") -> AsyncIterator[Tenant]:
        """Read all tenants whose ids come after this one from storage, by id."""
        return self._tables.all_tenants(after=after)

    def list_billed(self, *, after: str = "") -> AsyncIterator[Tenant]:
        """Read what bills are made with of all tenants whose ids come after this one, by id.

        That is name, monthly quota, rates and creation; the other fields stand at their defaults.
        """
        return self._tables.all_billed(after=after)

    async def create_key(
        self, tenant_id: str | None, *, label: str, scopes: frozenset[Scope], expires_at: datetime | None = None
    ) -> tuple[ApiKey, ParsedKey]:
        """Mint a key of a tenant that exists, or of an operator; its text is known to the caller alone from here on.

        Raises:
            ValueError: if the scopes are not ones that such a key may carry.
        """
        while True:
            minted = mint_key(self._choose)
            key = ApiKey(
                id=minted.id,
                tenant_id=tenant_id,
                label=label,
                scopes=scopes,
                sha256=minted.sha256,
                created_at=self._clock(),
                expires_at=expires_at,
            )
            if await self._tables.add_key(key):
                self._known_keys.forget(key.id)
                return key, minted

    def list_keys(self, tenant_id: str | None) -> AsyncIterator[ApiKey]:
        """Read all keys of a tenant, or of operators, from storage; in no order."""
        return self._tables.keys_of(tenant_id)

    async def get_key(self, key_id: str) -> ApiKey | None:
        """Read a key from storage."""
        return await self._tables.key(key_id)

    async def revoke_key(self, key_id: str) -> ApiKey | None:
        """Revoke a key for good; a repeat changes nothing. None if there is no such key."""
        key = await self._tables.key(key_id)
        if key is None or key.revoked_at is not None:
            return key
        return await self._change_key(replace(key, revoked_at=self._clock()), "revoked_at")

    async def expire_key(self, key_id: str, expires_at: datetime | None) -> ApiKey | None:
        """Set when a key ends; None: never. None if there is no such key."""
        key = await self._tables.key(key_id)
        return key and await self._change_key(replace(key, expires_at=expires_at), "expires_at")

    async def aclose(self) -> None:
        """Cancel the refreshes under way."""
        await self._known_keys.aclose()
        await self._known_tenants.aclose()

    async def _change_key(self, key: ApiKey, column: Literal["expires_at", "revoked_at"]) -> ApiKey | None:
        changed = await self._tables.change_key(key, column)
        self._known_keys.forget(key.id)
        return key if changed else None
