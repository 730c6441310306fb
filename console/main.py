"""The command line, `tollgate`: its root, and how everything that goes wrong becomes one line and an exit status.

Exit statuses: 0 done; 1 refused by Tollgate, or not found; 2 wrong usage; 3 not reachable.
"""

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from console.backends import WRONG_USAGE, CommandError
from console.commands import keys, reconcile, tenants, usage, verify


class Root(TyperGroup):
    """The root of the commands; ends the process with a line on standard error instead of a traceback."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line and exit."""
        try:
            status = super().main(*args, **{**extra, "standalone_mode": False})
        except CommandError as error:
            status = _fail(str(error), error.exit_status)
        except typer.TyperException as error:
            context = getattr(error, "ctx", None)
            path = "tollgate" if context is None else context.command_path
            status = _fail(f"{error.format_message()} See {path} --help", WRONG_USAGE)
        except typer.Abort:
            status = _fail("aborted", 1)
        sys.exit(status)


app = typer.Typer(
    name="tollgate",
    cls=Root,
    help="Tollgate's operators' command line: tenants, API keys, usage, audits.",
    pretty_exceptions_enable=False,  # they would print what variables hold
    epilog="Set TOLLGATE_URL and TOLLGATE_KEY (an operator's key) first.",
)
app.add_typer(tenants.app, name="tenants")
app.add_typer(keys.app, name="keys")
app.add_typer(usage.app, name="usage")
usage.add_adjust(app)
verify.add_verify(app)
reconcile.add_reconcile(app)


def main() -> None:
    """Run the command line; the entry point `tollgate`."""
    app(prog_name="tollgate")


def _fail(message: str, exit_status: int) -> int:
    typer.echo("tollgate: " + " ".join(message.split()), err=True)
    return exit_status
