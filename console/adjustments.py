"""Corrections of balances, booked by the operator."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from console.bodies import AdjustmentBody, invalid
from console.usage import Usage, reaching_ledger
from metering.entries import Entry
from metering.periods import Period
from metering.requests import Adjusted, Quota, QuotaExceeded
from proxy.errors import ErrorCode, GatewayError
from proxy.tenants import Tenant

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustments:
    """Books corrections."""

    adjuster: Adjuster
    usage: Usage

    async def adjust(self, tenant: Tenant, body: AdjustmentBody, *, request_id: str) -> Entry:
        """Correct a tenant's balance in the current period, by whole increments, signed.

        Raises:
            GatewayError: ADJUSTMENT_EXCEEDS_QUOTA; PERIOD_CLOSED for a period to book into that is not the current one;
                VALIDATION_FAILED for what cannot be; METERING_UNAVAILABLE if storage cannot be reached.
        """
        increments = self._increments(body.minutes)
        self._check_periods(body)
        with reaching_ledger():
            answer = await self.adjuster.adjust(
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


def _months_before(period: Period, months: int) -> Period:
    years, month = divmod(period.year * 12 + period.month - 1 - months, 12)
    return Period(years, month + 1)
