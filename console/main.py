"""The command line, `tollgate`: its root, and how everything that goes wrong becomes one line and an exit status.

Exit statuses: 0 done; 1 refused by Tollgate, or not found; 2 wrong usage, or a file that cannot be read or written; 3
not reachable; 130 interrupted; 141 whoever read the output went away (nothing is said then).
"""

import os
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from console.backends import DONE, REFUSED, WRONG_USAGE, CommandError
from console.commands import alerts, close, keys, reconcile, report, sessions, smoke, tenants, usage, verify
from console.commands.reach import OutputClosedError

INTERRUPTED, OUTPUT_CLOSED = 130, 141  # what shells say of a program that SIGINT or SIGPIPE ended


class Root(TyperGroup):
    """The root of the commands; ends the process with a line on standard error instead of a traceback."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line and exit."""
        try:
            status = super().main(*args, **{**extra, "standalone_mode": False})
            if status == INTERRUPTED:  # typer's own answer to Ctrl-C
                status = _fail("interrupted", INTERRUPTED)
            sys.stdout.flush()
        except CommandError as error:
            status = _fail(str(error), error.exit_status)
        except typer.TyperException as error:
            context = getattr(error, "ctx", None)
            path = "tollgate" if context is None else context.command_path
            status = _fail(f"{error.format_message()} See {path} --help", WRONG_USAGE)
        except typer.Abort:
            status = _fail("aborted", REFUSED)
        except (OutputClosedError, BrokenPipeError):
            status = OUTPUT_CLOSED
            _forget_output()
        except OSError as error:
            status = _fail(f"the output cannot be written: {error.strerror or type(error).__name__}", WRONG_USAGE)
            _forget_output()
        sys.exit(status)


app = typer.Typer(
    name="tollgate",
    cls=Root,
    help="Tollgate's operators' command line: tenants, API keys, usage, reports, alerts, sessions, audits.",
    pretty_exceptions_enable=False,  # they would print what variables hold
    epilog="Set TOLLGATE_URL and TOLLGATE_KEY (an operator's key) first. tollgate --install-completion teaches your "
    "shell the commands.",
)
app.add_typer(tenants.app, name="tenants")
app.add_typer(keys.app, name="keys")
app.add_typer(usage.app, name="usage")
report.add_report(app)
close.add_close(app)
usage.add_adjust(app)
app.add_typer(alerts.app, name="alerts")
app.add_typer(sessions.app, name="sessions")
verify.add_verify(app)
reconcile.add_reconcile(app)
smoke.add_smoke(app)


def _show_version(value: bool) -> None:  # noqa: FBT001 -- typer calls it
    if value:
        try:
            text = version("tollgate")
        except PackageNotFoundError:  # run from its folder, without having been installed
            text = "of no known version"
        typer.echo(f"tollgate {text}")
        raise typer.Exit(DONE)


@app.callback()
def root(
    *,
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that come before a command."""


def main() -> None:
    """Run the command line; the entry point `tollgate`."""
    app(prog_name="tollgate")


def _fail(message: str, exit_status: int) -> int:
    typer.echo("tollgate: " + " ".join(message.split()), err=True)
    return exit_status


def _forget_output() -> None:
    """Drop what is still to be written: at its end the interpreter would try again, and complain."""
    with suppress(OSError):  # an output without a descriptor has nothing to drop
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
