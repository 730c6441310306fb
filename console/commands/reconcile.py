"""`tollgate reconcile`: does the ledger agree with what the session pool holds?"""

import typer

from console.backends import REFUSED, CommandError
from console.commands.progress import working
from console.commands.reach import Reach, path_of, register
from console.commands.show import Column, show_rows

_FINDINGS = (
    Column("kind", "kind"),
    Column("tenant", "tenant", "none"),
    Column("session", "session"),
    Column("minutes", "minutes"),
    Column("paid until", "paid_until", instant=True),
    Column("held until", "expires_at", instant=True),
    Column("pool identifier", "pool_identifier"),
)


def add_reconcile(root: typer.Typer) -> None:
    """Add the command `reconcile` to the root."""

    @register(root, "reconcile", example="tollgate reconcile --json")
    async def reconcile(reach: Reach) -> None:
        """Compare what tenants pay for with the sessions that the pool holds; status 1 if the pool holds more.

        held_not_paid: the pool holds a session that nobody pays for, or that is no tenant's. differs: it will hold one
        over one increment longer than is paid. paid_not_held: paid for and ended by the pool; for information only.
        """
        with working("Comparing ledger and pool"):
            answer = await reach.get(path_of("reconciliation"))
        reach.show(answer, lambda: show_rows(answer["findings"], _FINDINGS) if answer["findings"] else None)
        if not reach.json:
            reach.note(f"{answer['sessions']} sessions held, {answer['windows']} windows open")
        if not answer["ok"]:
            raise CommandError("the pool holds sessions for longer than they are paid for", exit_status=REFUSED)
