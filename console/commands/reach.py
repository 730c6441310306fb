"""What every command shares: the options that say how to reach Tollgate, the output, and how it ends.

Rules of this file: a command is an async function over a `Reach`; `register` turns it into one of typer's. The API key
comes from the environment or from a file, never as an argument, where other users of the machine could read it.
"""

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Concatenate
from urllib.parse import quote, urlencode

import typer

from console.backends import WRONG_USAGE, Backend, CommandError, over_http
from console.commands.show import Json, show_json
from metering.clock import utc_now

KEY_VARIABLE = "TOLLGATE_KEY"
_PANEL = "How to reach Tollgate"

Url = Annotated[
    str | None,
    typer.Option("--url", envvar="TOLLGATE_URL", help="Where Tollgate is, such as https://…", rich_help_panel=_PANEL),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file", help=f"File with the operator's API key, instead of {KEY_VARIABLE}.", rich_help_panel=_PANEL
    ),
]
Direct = Annotated[
    bool,
    typer.Option(
        "--direct",
        help="Work on the storage itself: with TOLLGATE_STORAGE and, for the ledger, the gateway's other settings.",
        rich_help_panel=_PANEL,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, on standard output.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options that all commands share."""

    url: str | None
    key_file: Path | None
    direct: bool
    json: bool


@dataclass(frozen=True, slots=True)
class Reach:
    """A command's way to Tollgate and to its user."""

    backend: Backend
    json: bool

    async def get(self, path: str, query: str = "") -> Json:
        """Read."""
        return await self.backend.call("GET", path, query=query)

    async def send(self, method: str, path: str, body: Json | None = None, *, query: str = "") -> Json:
        """Change something."""
        return await self.backend.call(method, path, query=query, body=body)

    def show(self, answer: Json, for_people: Callable[[], None]) -> None:
        """Print an answer, as the user wants it."""
        if self.json:
            show_json(answer)
        else:
            for_people()

    def note(self, text: str) -> None:
        """Tell the user something besides the answer."""
        typer.echo(text, err=True)


class OutputClosedError(Exception):
    """Whoever read the output has gone away, and wants no more of it."""


def register[**P](
    app: typer.Typer,
    name: str,
    *,
    example: str,
    takes_negative: bool = False,
    before: Callable[[Mapping[str, Any]], None] | None = None,
) -> Callable[[Callable[Concatenate[Reach, P], Awaitable[None]]], None]:
    """Make an async function the command `name`: its first parameter is the reach, the others are typer's.

    `takes_negative` lets a number with a minus be an argument, which otherwise reads as an option. `before` gets what
    was typed before anything is asked of Tollgate; there it can put a question to the user, which would hold up the
    loop.
    """

    def add(function: Callable[Concatenate[Reach, P], Awaitable[None]]) -> None:
        def run(**values: Any) -> None:
            options = Options(**{option.name: values.pop(option.name) for option in _SHARED})
            if before is not None:
                before(values)
            try:
                asyncio.run(_run(function, options, values))
            except BrokenPipeError:
                raise OutputClosedError from None

        own = list(inspect.signature(function).parameters.values())[1:]
        run.__signature__ = inspect.Signature([*own, *_SHARED])  # type: ignore[attr-defined]  # where typer looks
        run.__doc__ = function.__doc__
        settings = {"ignore_unknown_options": takes_negative}
        app.command(name, epilog=f"Example: {example}", context_settings=settings)(run)

    return add


def query_of(**values: str | int | None) -> str:
    """Write a query of what was given."""
    return urlencode({name: value for name, value in values.items() if value is not None})


def path_of(*segments: str) -> str:
    """Write a path of the operator API; what users type cannot leave its segment."""
    return "/operator/" + "/".join(quote(segment, safe="") for segment in segments)


async def _run(function: Callable[..., Awaitable[None]], options: Options, values: dict[str, Any]) -> None:
    async with _open(options) as backend:
        await function(Reach(backend, options.json), **values)


def _open(options: Options) -> AbstractAsyncContextManager[Backend]:
    if options.direct:
        # It brings the Azure SDKs: more than a second that no other way should wait for.
        from console.direct import directly  # noqa: PLC0415

        return directly(utc_now)
    if options.url is None:
        raise CommandError("say where Tollgate is: set TOLLGATE_URL or give --url", exit_status=WRONG_USAGE)
    return over_http(options.url, _read_key(options.key_file))


def _read_key(key_file: Path | None) -> str:
    try:
        key = os.environ.get(KEY_VARIABLE, "") if key_file is None else key_file.read_text()
    except (OSError, UnicodeDecodeError):
        raise CommandError(f"the key file {key_file} cannot be read", exit_status=WRONG_USAGE) from None
    if not key.strip():
        raise CommandError(
            f"an operator's API key is needed: set {KEY_VARIABLE} or give --key-file", exit_status=WRONG_USAGE
        )
    return key.strip()


def _shared(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


_SHARED = (
    _shared("json", AsJson, default=False),
    _shared("url", Url, default=None),
    _shared("key_file", KeyFile, default=None),
    _shared("direct", Direct, default=False),
)
