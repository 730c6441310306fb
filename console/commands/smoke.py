"""`tollgate smoke`: does a deployment do what it is for?"""

from typing import Annotated

import typer

from console.backends import WRONG_USAGE, CommandError, HttpBackend
from console.commands.reach import Reach, register
from console.commands.show import Json
from console.smoke import Cost, Smoke, Step


def add_smoke(root: typer.Typer) -> None:
    """Add the command `smoke` to the root."""

    @register(root, "smoke", example="tollgate smoke --tenant smoke --json")
    async def smoke(
        reach: Reach,
        *,
        tenant: Annotated[
            str, typer.Option(help="Who makes the calls; made with a small quota if there is no such tenant.")
        ] = "smoke",
    ) -> None:
        """Make a first call as a new tenant would, check what it cost, and clean up; status 1 if a step fails.

        It runs 40 + 2 twice in a session of the tenant's first pool, which runs Python, and ends the session: one
        increment of the tenant's quota. Its key ends with it, or within an hour whatever happens.
        """
        if not isinstance(reach.backend, HttpBackend):
            raise CommandError("smoke calls a Tollgate that runs: leave out --direct", exit_status=WRONG_USAGE)
        steps: list[Step] = []

        def told(step: Step) -> None:
            steps.append(step)
            if not reach.json:
                typer.echo(f"{'✓' if step.ok else '✗'} {step.name:<15}{step.seconds:>7.2f} s  {step.what}")

        def slow(name: str) -> None:
            reach.note(f"Waiting: {name}. After a pause an instance has to start first.")

        try:
            cost = await Smoke(backend=reach.backend, tenant_id=tenant, told=told, slow=slow).run()
        except CommandError:
            reach.show(_shown(tenant, steps, None), lambda: None)
            raise
        reach.show(_shown(tenant, steps, cost), lambda: None)
        if not reach.json:
            reach.note(f"All well. It cost {tenant} {cost.minutes:f} minutes: {cost.amount:.4f} {cost.currency}.")


def _shown(tenant: str, steps: list[Step], cost: Cost | None) -> Json:
    return {
        "ok": cost is not None,
        "tenant": tenant,
        "steps": [{"step": s.name, "ok": s.ok, "seconds": s.seconds, "what": s.what} for s in steps],
        "minutes": None if cost is None else float(cost.minutes),
        "cost": None if cost is None else {"amount": f"{cost.amount:.4f}", "currency": cost.currency},
    }
