# mypy: ignore-errors
"""Drives Tollgate's MCP server with the official client, in both eras of the protocol, and prints what it saw as JSON.

Runs in the client's own environment, which holds nothing of Tollgate. URL says where; KEY, FRUGAL_KEY and FILES_KEY are
the keys of a tenant, of one whose quota covers one session, and one that carries the scope of files only.
"""

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult

PLOT = "import matplotlib.pyplot as plt\nplt.plot([1, 4, 9])\nplt.show()"
MEAN = "import pandas as pd\npd.read_csv('/mnt/data/in/people.csv').age.mean()"


@asynccontextmanager
async def connected(mode: str, headers: dict[str, str]) -> AsyncIterator[Client]:
    """Connect as the documentation shows."""
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(f"{os.environ['URL']}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


def key(name: str) -> dict[str, str]:
    """Present a key as VS Code's configuration does."""
    return {"x-ms-apikey": os.environ[name]}


async def work(mode: str) -> dict[str, Any]:
    """Do what an agent does in a session; one of the first era ends it by leaving."""
    async with connected(mode, key("KEY")) as client:
        tools = (await client.list_tools()).tools
        named = {}
        if client.protocol_version > "2026":  # which has no sessions of its own
            named = {"session": (await client.call_tool("new_session", {})).structured_content["session"]}

        async def call(tool: str, **arguments: Any) -> CallToolResult:
            return await client.call_tool(tool, arguments | named)

        ran = await call("run_code", code="x = 6\nprint('hello')\nx * 7")
        again = await call("run_code", code="x")
        plot = (await call("run_code", code=PLOT)).content[0]
        failed = await call("run_code", code="1 / 0")
        written = await call("write_file", path="in/people.csv", text="name,age\nada,36\n")
        mean = await call("run_code", code=MEAN)
        listed = await call("list_files", path="in")
        read = await call("read_file", path="in/people.csv")
        wrong = await call("run_code", code="1", timeout="soon")
        if named:
            await call("end_session")
        return {
            "version": client.protocol_version,
            "server": client.server_info.name,
            "tells": "new_session" in client.instructions,
            "tools": [tool.name for tool in tools],
            "session": ran.structured_content["session"],
            "ran": [ran.content[0].text, ran.structured_content["result"], ran.is_error],
            "charged": ran.meta["tollgate/charged-minutes"],
            "again": [again.structured_content["result"], again.meta["tollgate/session"]],
            "plot": [plot.type, base64.b64decode(plot.data)[:4].hex()],
            "failed": [failed.is_error, failed.content[0].text.splitlines()[-1]],
            "written": written.structured_content["size_bytes"],
            "mean": mean.structured_content["result"],
            "listed": [file["name"] for file in listed.structured_content["files"]],
            "read": read.content[0].text,
            "wrong": [wrong.is_error, wrong.content[0].text],
        }


async def look(mode: str, session: str) -> str:
    """Look into the session of a client that has left."""
    async with connected(mode, {"Authorization": f"Bearer {os.environ['KEY']}"}) as client:
        result = await client.call_tool("run_code", {"code": "x", "session": session})
        return result.content[0].text.splitlines()[-1]


async def overspend() -> list[list[Any]]:
    """Use more than the quota covers."""
    async with connected("auto", key("FRUGAL_KEY")) as client:
        results = [await client.call_tool("run_code", {"code": "1", "session": name}) for name in ("one-1", "two-2")]
        return [[result.is_error, result.content[0].text.partition(":")[0]] for result in results]


async def refusal(headers: dict[str, str]) -> list[str]:
    """Return what the client says of a refusal by HTTP."""
    found: Exception | None = None
    try:
        async with connected("legacy", headers) as client:
            await client.call_tool("run_code", {"code": "1"})
    except (MCPError, ExceptionGroup) as refused:
        found = refused
    while isinstance(found, ExceptionGroup):
        (found,) = found.exceptions
    return [found.error.data["code"], found.error.message]


async def main() -> None:
    """Do it all."""
    seen: dict[str, Any] = {}
    for mode in ("legacy", "auto"):
        seen[mode] = await work(mode)
        seen[mode]["afterwards"] = await look(mode, seen[mode]["session"])
    seen["overspent"] = await overspend()
    seen["wrong_key"] = await refusal({"x-ms-apikey": os.environ["KEY"][:-1] + "!"})
    seen["not_covered"] = await refusal(key("FILES_KEY"))
    async with connected("auto", key("FILES_KEY")) as client:
        seen["files_only"] = [tool.name for tool in (await client.list_tools()).tools]
    json.dump(seen, sys.stdout)


asyncio.run(main())
