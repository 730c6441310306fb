"""What a tenant is told when the meter does not admit a call: the same words for the call itself and for its quote.

Rules of this file: pure.
"""

from collections.abc import Mapping
from datetime import datetime

from metering.increments import Granularity
from metering.requests import QuotaExceeded, TooManySessions
from proxy.errors import ErrorCode, GatewayError
from proxy.headers import instant, number

LEDGER_RETRY_SECONDS = 5


def not_admitted(
    refusal: QuotaExceeded | TooManySessions,
    granularity: Granularity,
    *,
    now: datetime,
    headers: Mapping[str, str] | None = None,
) -> GatewayError:
    """Make the error of a call that the tenant's limits do not allow."""
    match refusal:
        case QuotaExceeded():
            needed = number(granularity.minutes(refusal.needed))
            remaining = number(granularity.minutes(refusal.remaining))
            span, until = "day" if refusal.daily else "month", instant(refusal.until)
            return GatewayError(
                ErrorCode.QUOTA_EXCEEDED,
                f"This call needs {needed} more session minutes; {remaining} are left of this {span}'s quota, "
                f"which ends at {until}.",
                headers=headers,
                details={"neededMinutes": float(needed), "remainingMinutes": float(remaining), "quotaEndsAt": until},
            )
        case TooManySessions():
            return GatewayError(
                ErrorCode.TOO_MANY_SESSIONS,
                f"All {refusal.limit} concurrent sessions are in use; "
                f"one is free at {instant(refusal.free_at)} unless it is used again.",
                retry_after_seconds=(refusal.free_at - now).total_seconds(),
                headers=headers,
            )


def metering_unavailable(message: str | None = None, *, headers: Mapping[str, str] | None = None) -> GatewayError:
    """Make the error of a call for which the ledger cannot be reached; without a message, the table's own."""
    return GatewayError(
        ErrorCode.METERING_UNAVAILABLE, message, retry_after_seconds=LEDGER_RETRY_SECONDS, headers=headers
    )
