"""What MCP tools do: each tool's arguments, and the one call to the pool that it makes of them.

What the fields say is for models.
"""

import base64
import binascii
import json
import secrets
from abc import ABC, abstractmethod
from typing import Any
from urllib.parse import quote

from mcp_types import CallToolResult
from pydantic import BaseModel, ConfigDict, Field

from proxy.mcp import outputs
from proxy.mcp.calls import Exchange, PoolCaller
from proxy.messages import GatewayResponse

SECONDS_MAX = 220  # the pool's own limit for one execution
_FILE = "A path below /mnt/data, such as 'data.csv' or '/mnt/data/plots/a.png'."


class Mistake(Exception):  # noqa: N818 -- the model's own, told to it as the result
    """An argument cannot be right; the text says why."""


class Arguments(BaseModel, ABC):
    """A tool's arguments, which know what to do with them."""

    model_config = ConfigDict(extra="forbid")

    @abstractmethod
    async def run(self, exchange: Exchange, session: str) -> CallToolResult:
        """Do it; `session` is the name of the caller's own session.

        Raises:
            Mistake: an argument cannot be right.
            GatewayError: see `PoolCaller.send`.
        """


class SessionArguments(Arguments):
    """Arguments of a tool that works on a session."""

    session: str = Field(
        default="",
        max_length=128,
        description="Name of the session. Calls with the same name share variables and files. "
        "Left out, it is your own session.",
    )

    async def run(self, exchange: Exchange, session: str) -> CallToolResult:
        """See `Arguments.run`."""
        return await self.use(exchange.caller, self.session or session)

    @abstractmethod
    async def use(self, caller: PoolCaller, session: str) -> CallToolResult:
        """Work on this session. Raises as `run` does."""


class RunCode(SessionArguments):
    """Arguments of `run_code`."""

    code: str = Field(description="The code to run. The value of its last expression is returned.")
    timeout_seconds: int | None = Field(default=None, ge=1, le=SECONDS_MAX, description="Give up after so long.")

    async def use(self, caller: PoolCaller, session: str) -> CallToolResult:
        """See `SessionArguments.use`."""
        work = {"codeInputType": "Inline", "executionType": "Synchronous", "code": self.code}
        return outputs.of_code(await _execute(caller, session, work, self.timeout_seconds), session)


class RunShellCommand(SessionArguments):
    """Arguments of `run_shell_command`."""

    command: str = Field(description="The command line.")
    timeout_seconds: int | None = Field(default=None, ge=1, le=SECONDS_MAX, description="Give up after so long.")

    async def use(self, caller: PoolCaller, session: str) -> CallToolResult:
        """See `SessionArguments.use`."""
        work = {"shellCommand": self.command}
        return outputs.of_command(await _execute(caller, session, work, self.timeout_seconds), session)


class ListFiles(SessionArguments):
    """Arguments of `list_files`."""

    path: str = Field(default="", description="A folder below /mnt/data. Left out, it is /mnt/data itself.")

    async def use(self, caller: PoolCaller, session: str) -> CallToolResult:
        """See `SessionArguments.use`."""
        response = await caller.send("GET", "/files", session=session, folder="/".join(_parts(self.path)))
        return outputs.of_listing(response, session)


class ReadFile(SessionArguments):
    """Arguments of `read_file`."""

    path: str = Field(description=_FILE)

    async def use(self, caller: PoolCaller, session: str) -> CallToolResult:
        """See `SessionArguments.use`."""
        # Absolute, since a folder may be called `content`, which has a meaning of its own behind `/files/`.
        path = _absolute(_file(self.path))
        return outputs.of_content(await caller.send("GET", f"/files{quote(path)}/content", session=session), path)


class WriteFile(SessionArguments):
    """Arguments of `write_file`."""

    path: str = Field(description=f"{_FILE} A file that is there is replaced.")
    text: str | None = Field(default=None, description="The content, if it is text.")
    base64: str | None = Field(default=None, description="The content in base64, if it is not text.")

    async def use(self, caller: PoolCaller, session: str) -> CallToolResult:
        """See `SessionArguments.use`."""
        parts, content = _file(self.path), self._content()
        *folders, name = parts
        if not name.isprintable() or '"' in name or "\\" in name:
            raise Mistake("'path': the name holds a quotation mark, a backslash or a control character.")
        content_type, body = _form(name, content)
        response = await caller.send(
            "POST", "/files", session=session, folder="/".join(folders), body=body, content_type=content_type
        )
        return outputs.of_upload(response, session, _absolute(parts), len(content))

    def _content(self) -> bytes:
        if (self.text is None) == (self.base64 is None):
            raise Mistake("Give the content either as 'text' or as 'base64'.")
        if self.text is not None:
            return self.text.encode()
        try:
            return base64.b64decode(self.base64 or "", validate=True)
        except (binascii.Error, ValueError):
            raise Mistake("'base64' is not base64.") from None


class NewSession(Arguments):
    """Arguments of `new_session`."""

    async def run(self, exchange: Exchange, session: str) -> CallToolResult:  # noqa: ARG002 -- a name for another one
        """Think of a name; the pool hears of it once it is used."""
        return outputs.of_name(f"mcp-{exchange.mint()}")


class EndSession(SessionArguments):
    """Arguments of `end_session`."""

    async def use(self, caller: PoolCaller, session: str) -> CallToolResult:
        """See `SessionArguments.use`."""
        return outputs.of_end(await caller.send("DELETE", "/session", session=session), session)


async def _execute(
    caller: PoolCaller, session: str, work: dict[str, Any], timeout_seconds: int | None
) -> GatewayResponse:
    if timeout_seconds is not None:
        work |= {"timeoutInSeconds": timeout_seconds}
    body = json.dumps(work).encode()
    return await caller.send("POST", "/executions", session=session, body=body, content_type="application/json")


def _form(name: str, content: bytes) -> tuple[str, bytes]:
    """Write a form with one file in it: its content type and its body."""
    boundary = secrets.token_hex(16)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return f"multipart/form-data; boundary={boundary}", head.encode() + content + f"\r\n--{boundary}--\r\n".encode()


def _file(path: str) -> list[str]:
    parts = _parts(path)
    if not parts:
        raise Mistake("'path' names no file.")
    return parts


def _parts(path: str) -> list[str]:
    """Read a path, relative or absolute, as parts below `/mnt/data`; the gateway refuses those that climb."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if parts[:2] == ["mnt", "data"]:
        return parts[2:]
    if path.startswith("/") and parts:
        raise Mistake("'path': there are files below /mnt/data only.")
    return parts


def _absolute(parts: list[str]) -> str:
    return "/".join(("", "mnt", "data", *parts))
