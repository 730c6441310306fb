"""`tollgate alerts …`: the thresholds that quotas and pools have crossed, and who has heard of it."""

from typing import Annotated

import typer

from console.commands.reach import Reach, path_of, query_of, register
from console.commands.show import Column, Json, show_one, show_rows

app = typer.Typer(help="Thresholds that were crossed, and who has heard of it.")

_ALERTS = (
    Column("at", "at", instant=True),
    Column("of", "of"),
    Column("reached", "reached"),
    Column("waits for", "waiting_for", words=lambda targets: ", ".join(targets) or "nobody"),
    Column("next try", "next", instant=True),
    Column("failed", "trouble"),
)
_DELIVERED = (Column("delivered", "delivered"), Column("failed", "failed"), Column("waiting", "waiting"))
_WEBHOOK = (Column("url", "url", "none"), Column("secret", "secret"))

Tenant = Annotated[str | None, typer.Option("--tenant", metavar="TENANT", help="This tenant's only.")]


@register(app, "list", example="tollgate alerts list --pending")
async def list_alerts(
    reach: Reach,
    *,
    tenant: Tenant = None,
    pending: Annotated[bool, typer.Option("--pending", help="Only those that somebody has still to hear of.")] = False,
) -> None:
    """List alerts: of a tenant's quota, or of a pool's capacity."""
    answer = await reach.get(path_of("alerts"), query_of(tenant=tenant, state="pending" if pending else None))
    reach.show(answer, lambda: show_rows([_row(alert) for alert in answer["alerts"]], _ALERTS))


@register(app, "deliver", example="tollgate alerts deliver")
async def deliver(reach: Reach) -> None:
    """Send now what is due, as the timer does every minute."""
    answer = await reach.send("POST", path_of("alerts", "deliver"))
    reach.show(answer, lambda: show_one(answer, _DELIVERED))


@register(app, "webhook", example="tollgate alerts webhook --tenant acme")
async def webhook(
    reach: Reach,
    *,
    tenant: Annotated[
        str | None, typer.Option("--tenant", metavar="TENANT", help="This tenant's; the operator's, if left out.")
    ] = None,
) -> None:
    """Show where alerts are sent, and the secret that signs them."""
    answer = await reach.get(path_of("webhook") if tenant is None else path_of("tenants", tenant, "webhook"))
    reach.show(answer, lambda: show_one(answer, _WEBHOOK))
    if not reach.json:
        reach.note("Whoever has the secret can make alerts up: keep it as you keep a key.")


def _row(alert: Json) -> Json:
    """Put together what people read of an alert."""
    unit = "minutes" if alert["subject"] == "quota" else "sessions"
    reached = f"{alert['percent']} %: {alert[f'used_{unit}']} of {alert[f'limit_{unit}']} {unit}"
    of = alert["tenant"] if alert["subject"] == "quota" else f"pool {alert['pool']}"
    is_pending = bool(alert["waiting_for"])
    trouble = f"{alert['attempts']} times, {alert['problem']}" if is_pending and alert["attempts"] else None
    due = alert["next_attempt_at"] if is_pending else None
    return {**alert, "of": of, "reached": reached, "next": due, "trouble": trouble}
