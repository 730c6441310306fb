"""Alerts as operators and tenants see them, and the webhooks that they go to."""

from dataclasses import dataclass, replace

from console.queries import AlertQuery
from console.usage import reaching_ledger
from console.views import Json, instant, instant_or_none, number
from metering.alert_store import POOLS, AlertStore
from metering.alerts import Alert, Subject, Target
from metering.entries import LedgerKeys
from metering.increments import Granularity
from proxy.alerting import AlertDelivery
from proxy.directory import Directory
from proxy.tenants import Tenant
from proxy.webhooks import webhook_secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts:
    """Lists and delivers alerts.

    Every method raises GatewayError METERING_UNAVAILABLE if storage cannot be reached.
    """

    store: AlertStore
    delivery: AlertDelivery
    directory: Directory
    keys: LedgerKeys
    operator_url: str | None
    granularity: Granularity

    async def of_tenant(self, tenant: Tenant) -> Json:
        """List a tenant's alerts as it may see them, the oldest first."""
        return self._view([for_tenant(alert) for alert in await self._read(tenant.id)])

    async def listed(self, tenant: Tenant | None, query: AlertQuery) -> Json:
        """List a tenant's alerts, or everybody's and those about pools (None), the oldest first."""
        if tenant is not None:
            alerts = await self._read(tenant.id)
        else:
            places = [POOLS, *[one.id async for one in self.directory.list_tenants()]]
            alerts = [alert for place in places for alert in await self._read(place)]
        wanted = [alert for alert in alerts if query.pending in {None, alert.is_pending}]
        return self._view(sorted(wanted, key=lambda alert: (alert.at, alert.id)))

    async def deliver(self) -> Json:
        """Deliver what is due, as the timer does."""
        count = await self.delivery.run()
        return {"delivered": count.delivered, "failed": count.failed, "waiting": count.waiting}

    def webhook(self, tenant: Tenant | None) -> Json:
        """Say where alerts go, and what proves them: a tenant's, or the operator's (None)."""
        url, tenant_id = (self.operator_url, None) if tenant is None else (tenant.webhook_url, tenant.id)
        return {"url": url, "secret": webhook_secret(self.keys, tenant_id)}

    async def _read(self, place: str) -> list[Alert]:
        with reaching_ledger():
            return list(await self.store.alerts(place))

    def _view(self, alerts: list[Alert]) -> Json:
        return {"alerts": [alert_view(alert, self.granularity) for alert in alerts]}


def alert_view(alert: Alert, granularity: Granularity) -> Json:
    """Show an alert, in minutes for a quota and in sessions for a pool."""
    if alert.subject is Subject.QUOTA:
        minutes = granularity.minutes
        reached: Json = {
            "limit_minutes": number(minutes(alert.limit)),
            "used_minutes": number(minutes(alert.used)),
        }
    else:
        reached = {"limit_sessions": alert.limit, "used_sessions": alert.used}
    return {
        "id": alert.id,
        "subject": alert.subject.value,
        "tenant": alert.tenant_id,
        "pool": alert.pool,
        "percent": alert.percent,
        **reached,
        "at": instant(alert.at),
        "period": None if alert.period is None else str(alert.period),
        "entry": alert.entry,
        "state": "pending" if alert.is_pending else "done",
        "waiting_for": sorted(alert.waiting_for),
        "attempts": alert.attempts,
        "next_attempt_at": instant(alert.next_attempt_at) if alert.is_pending else None,
        "delivered_at": instant_or_none(alert.delivered_at),
        "problem": alert.problem,
    }


def for_tenant(alert: Alert) -> Alert:
    """Leave out whether the operator has heard."""
    own = f"{Target.TENANT.value}: "
    problems = (part.removeprefix(own) for part in (alert.problem or "").split("; ") if part.startswith(own))
    return replace(alert, waiting_for=alert.waiting_for & {Target.TENANT}, problem="; ".join(problems) or None)
