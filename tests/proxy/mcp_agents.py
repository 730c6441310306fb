"""An agent that talks to an MCP server in front of a real gateway, whose pool and storage are simulated."""

import base64
import itertools
import json
from typing import Any

from proxy.answering import answer
from proxy.calls import PoolCall
from proxy.mcp.server import McpServer
from proxy.messages import GatewayRequest, GatewayResponse
from proxy.pool import Answered
from tests.support.gates import POOLS, Gate, answered

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\nrest").decode()
OLD, NEW = "2025-11-25", "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": NEW,
    "io.modelcontextprotocol/clientInfo": {"name": "agent", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
RAN: dict[str, Any] = {
    "id": "e",
    "identifier": "i",
    "executionType": "Synchronous",
    "status": "Succeeded",
    "result": {"stdout": "hello\n", "stderr": "", "executionResult": 42, "executionTimeInMilliseconds": 7},
}


class Agent:
    """Speaks revision 2025-11-25, or with `modern` 2026-07-28, of one tenant."""

    def __init__(
        self, gate: Gate | None = None, *, key: str = "acme", path: str = "/mcp", query: str = "", modern: bool = False
    ) -> None:
        self.gate = gate or Gate(body_bytes_max=20_000_000)
        self.server = McpServer(
            gateway=self.gate.gateway.handle,
            authenticator=self.gate.keys,
            pools=POOLS,
            mint=map("minted-{}".format, itertools.count(1)).__next__,
        )
        self.path = path
        self.query = query
        self.modern = modern
        self.headers = {"x-ms-apikey": key}
        self.pool_says(RAN)

    def pool_says(self, document: Any, status: int = 200) -> None:
        """Let the pool answer every call so."""
        self.gate.pool.outcome = Answered(answered(status, document))

    async def send(self, body: Any, *, http: str | None = None, **headers: str | None) -> GatewayResponse:
        """Make one HTTP request; the body is JSON unless it is bytes. A header that is None is left out."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given: dict[str, str | None] = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "content-length": str(len(content)),
            "mcp-protocol-version": NEW if self.modern else OLD,
            **self.headers,
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        request = GatewayRequest(
            id="req-1",
            method=http or "POST",
            origin="https://gate.example",
            path=self.path,
            query=self.query,
            headers={name: value for name, value in given.items() if value is not None},
            body=content,
        )
        return await answer(self.server.handle, request)

    async def ask(self, method: str, params: dict[str, Any] | None = None, **headers: str | None) -> GatewayResponse:
        """Send one request of the protocol, as its revision has it."""
        if self.modern:
            params = {**(params or {}), "_meta": META}
            headers = {"mcp_method": method, "mcp_name": params.get("name"), **headers}
        message = {"jsonrpc": "2.0", "id": 1, "method": method}
        return await self.send(message if params is None else {**message, "params": params}, **headers)

    async def begin(self) -> dict[str, Any]:
        """Begin as clients of the first era do; later requests carry the session id."""
        hello = {"protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "agent", "version": "1"}}
        response = await self.ask("initialize", hello, mcp_protocol_version=None)
        self.headers["mcp-session-id"] = response.headers["Mcp-Session-Id"]
        return result_of(response)

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool, and return its result."""
        return result_of(await self.ask("tools/call", {"name": tool, "arguments": arguments}))

    async def names(self) -> list[str]:
        """List the tools' names."""
        return [tool["name"] for tool in result_of(await self.ask("tools/list"))["tools"]]

    def sessions(self) -> list[str]:
        """Name the sessions of the calls that the pool has heard of, as the pool knows them."""
        return [call.query.partition("identifier=")[2].partition("&")[0] for call in self.gate.pool.calls]


def last(agent: Agent) -> PoolCall:
    """Return the last call that the pool has heard of."""
    return agent.gate.pool.calls[-1]


def result_of(response: GatewayResponse) -> dict[str, Any]:
    """Read the result of an answer to request 1."""
    document = json.loads(response.body)
    assert (response.status, document["jsonrpc"], document["id"]) == (200, "2.0", 1), document
    result: dict[str, Any] = document["result"]
    return result


def code_of(response: GatewayResponse) -> tuple[int, int]:
    """Read the HTTP status and the code of the protocol's error."""
    assert response.headers["Content-Type"] == "application/json"
    return response.status, json.loads(response.body)["error"]["code"]


def refusal_of(response: GatewayResponse) -> tuple[int, str]:
    """Read the HTTP status and the code of a refusal that concerns the client, after checking its form."""
    assert response.headers["Content-Type"] == "application/json"
    document = json.loads(response.body)
    error = document["error"]
    assert (document["jsonrpc"], document["id"], error["code"]) == ("2.0", None, response.status)
    assert response.headers["x-ms-error-code"] == error["data"]["code"]
    assert len(error["message"]) > 10
    return response.status, error["data"]["code"]


def text_of(result: dict[str, Any]) -> str:
    """Read what a model sees, which is all that it sees."""
    return "\n".join(part["text"] for part in result["content"] if part["type"] == "text")
