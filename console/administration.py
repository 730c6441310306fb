"""The operator's verbs, over the directory, the meter and the ledger."""

from datetime import datetime
from decimal import Decimal
from typing import Protocol

from console.bodies import AdjustmentBody, invalid
from console.usage import Usage, reaching_ledger
from metering.entries import Entry
from metering.periods import Period
from metering.requests import Adjusted, Quota, QuotaExceeded
from proxy.directory import Directory
from proxy.errors import ErrorCode, GatewayError
from proxy.tenants import KEY_ID, TENANT_ID, ApiKey, ParsedKey, Scope, Tenant

CORRECTED_MONTHS_MAX = 24  # the period row holds the corrections of each, by day


class Adjuster(Protocol):
    """What is needed of `metering.meter.Meter`."""

    async def adjust(
        self,
        tenant_id: str,
        *,
        quota: Quota,
        increments: int,
        reason: str,
        request_id: str,
        corrects: Period | None = None,
    ) -> Adjusted | QuotaExceeded:
        """Correct the balance of the current period. Raises LedgerUnavailable."""
        ...


class Administration:
    """What an operator can do.

    Every method raises GatewayError: METERING_UNAVAILABLE if storage cannot be reached, RESOURCE_NOT_FOUND for a
    tenant or key that does not exist, VALIDATION_FAILED for what cannot be.
    """

    def __init__(self, *, directory: Directory, adjuster: Adjuster, usage: Usage) -> None:
        self.usage = usage
        self._directory = directory
        self._adjuster = adjuster

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

    async def adjust(self, tenant_id: str, body: AdjustmentBody, *, request_id: str) -> Entry:
        """Correct a tenant's balance in the current period, by whole increments, signed.

        Raises:
            GatewayError: ADJUSTMENT_EXCEEDS_QUOTA; PERIOD_CLOSED for a period to book into that is not the current one;
                besides what every method raises.
        """
        tenant = await self.tenant(tenant_id)
        increments = self._increments(body.minutes)
        self._check_periods(body)
        with reaching_ledger():
            answer = await self._adjuster.adjust(
                tenant.id,
                quota=tenant.quota(self.usage.granularity),
                increments=increments,
                reason=body.reason,
                request_id=request_id,
                corrects=body.corrects,
            )
        if isinstance(answer, QuotaExceeded):
            left = f"{self.usage.granularity.minutes(answer.remaining).normalize():f}"
            raise GatewayError(
                ErrorCode.ADJUSTMENT_EXCEEDS_QUOTA,
                f"The adjustment would exceed the quota: {left} minutes are left.",
                target="minutes",
            )
        return answer.entry

    def _increments(self, minutes: Decimal) -> int:
        try:
            increments = self.usage.granularity.exactly(minutes)
        except ValueError as error:
            raise invalid(f"minutes: {error}", "minutes") from None
        if increments == 0:
            raise invalid("minutes: must not be 0", "minutes")
        return increments

    def _check_periods(self, body: AdjustmentBody) -> None:
        """Refuse to book into any period but the current one, and to correct what is not over."""
        current = Period.of(self.usage.clock())
        if body.period is not None and body.period > current:
            raise invalid(f"period: {body.period} has not begun", "period")
        if body.period is not None and body.period != current:
            raise GatewayError(
                ErrorCode.PERIOD_CLOSED,
                f"Nothing is booked into {body.period} any more. Book into {current}, with corrects: {body.period}.",
                target="period",
            )
        if body.corrects is None:
            return
        if body.corrects >= current:
            raise invalid(
                f"corrects: names a period before {current}, which is the one that is booked into", "corrects"
            )
        if body.corrects < _months_before(current, CORRECTED_MONTHS_MAX):
            raise invalid(f"corrects: must be one of the last {CORRECTED_MONTHS_MAX} months", "corrects")

    async def _check_owner(self, tenant_id: str | None) -> None:
        if tenant_id is not None:
            await self.tenant(tenant_id)

    def _check_expiry(self, expires_at: datetime | None) -> None:
        if expires_at is not None and expires_at <= self.usage.clock():
            raise invalid("expires_at: must be in the future", "expires_at")


def _months_before(period: Period, months: int) -> Period:
    years, month = divmod(period.year * 12 + period.month - 1 - months, 12)
    return Period(years, month + 1)
