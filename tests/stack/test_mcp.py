"""An agent at the MCP server of a running stack: real sessions, real storage, plain HTTP."""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.running import ROOT
from tests.stack.tenants import Operator, TenantClient, send

pytestmark = pytest.mark.stack

REVISION = "2025-11-25"
PLOT = "import matplotlib.pyplot as plt\nplt.plot([1, 4, 9])\nplt.show()"


@dataclass
class Agent:
    """Speaks to `/mcp` with a tenant's key, as a client of the first era does."""

    tenant: TenantClient
    path: str = "/mcp"
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, method: str = "POST", message: Any = None, **headers: str) -> httpx.Response:
        """Make one HTTP request."""
        given = {"x-ms-apikey": self.tenant.key, "accept": "application/json, text/event-stream", **self.headers}
        return send(method, self.tenant.url + self.path, headers={**given, **headers}, json=message)

    def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send one request, and return its result."""
        message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
        response = self.send(message=message)
        assert response.status_code == 200, response.text
        if method == "initialize":
            self.headers = {
                "mcp-session-id": response.headers["mcp-session-id"],
                "mcp-protocol-version": response.json()["result"]["protocolVersion"],
            }
        result: dict[str, Any] = response.json()["result"]
        return result

    def begin(self) -> dict[str, Any]:
        """Begin a session of the protocol."""
        about = {"name": "agent", "version": "1"}
        return self.ask("initialize", {"protocolVersion": REVISION, "capabilities": {}, "clientInfo": about})

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool."""
        return self.ask("tools/call", {"name": tool, "arguments": arguments})


@pytest.fixture
def agent(tenant: TenantClient) -> Agent:
    """Be an agent that has begun."""
    agent = Agent(tenant)
    agent.begin()
    return agent


def test_an_agent_works_in_a_session_of_its_own(agent: Agent) -> None:
    ran = agent.call("run_code", code="x = 6\nprint('hello')\nx * 7")
    again = agent.call("run_code", code="x")

    assert (ran["structuredContent"]["stdout"], ran["structuredContent"]["result"]) == ("hello\n", 42)
    assert ran["content"] == [{"type": "text", "text": "hello\nResult: 42"}]
    assert again["structuredContent"]["result"] == 6
    assert (ran["_meta"]["tollgate/session"], again["_meta"]["tollgate/session"]) == ("new", "existing")


def test_an_agent_shares_files_with_its_code(agent: Agent) -> None:
    written = agent.call("write_file", path="in/grüße.csv", text="a,b\n1,2\n")
    read = agent.call("run_code", code="open('/mnt/data/in/grüße.csv').read()")
    agent.call("run_code", code="open('/mnt/data/out.bin', 'wb').write(bytes([255, 0]))")
    [folder, out] = sorted(agent.call("list_files")["structuredContent"]["files"], key=lambda file: str(file["name"]))
    [inner] = agent.call("list_files", path="in")["structuredContent"]["files"]

    assert written["structuredContent"]["size_bytes"] == 8
    assert read["structuredContent"]["result"] == "a,b\n1,2\n"
    assert (folder["name"], folder["is_folder"], inner["name"]) == ("in", True, "grüße.csv")
    assert (out["name"], out["size_bytes"]) == ("out.bin", 2)
    assert agent.call("read_file", path="in/grüße.csv")["content"][0]["text"] == "a,b\n1,2\n"
    blob = agent.call("read_file", path="/mnt/data/out.bin")["content"][0]["resource"]
    assert base64.b64decode(blob["blob"]) == b"\xff\x00"


def test_a_binary_file_comes_back_as_it_was_written(agent: Agent) -> None:
    content = bytes(range(256)) * 8

    agent.call("write_file", path="b", base64=base64.b64encode(content).decode())

    blob = agent.call("read_file", path="b")["content"][0]["resource"]["blob"]
    assert base64.b64decode(blob) == content


def test_an_agent_sees_plots_and_tracebacks(agent: Agent) -> None:
    plot = agent.call("run_code", code=PLOT)
    failed = agent.call("run_code", code="1 / 0")

    [image] = [part for part in plot["content"] if part["type"] == "image"]
    assert image["mimeType"] == "image/png"
    assert base64.b64decode(image["data"]).startswith(b"\x89PNG")
    assert failed["isError"] is True
    assert "ZeroDivisionError: division by zero" in failed["content"][0]["text"]


def test_what_an_agent_does_is_charged_like_any_other_call(agent: Agent) -> None:
    """And is in the tenant's own session, which it reaches in other ways as well."""
    first = agent.call("run_code", code="x = 1")
    session = first["structuredContent"]["session"]

    entry = agent.tenant.entries()[0]

    assert first["_meta"]["tollgate/charged-minutes"] == 5
    assert (entry["session"], entry["operation"]) == (session, "executions.create")
    assert entry["request_id"] == first["_meta"]["tollgate/request-id"]
    assert agent.tenant.run("x", session)["result"] == 1


def test_agents_and_tenants_do_not_meet(agent: Agent, operator: Operator) -> None:
    colleague = Agent(agent.tenant)
    colleague.begin()
    stranger = Agent(operator.tenant("stranger"))
    stranger.headers = dict(agent.headers)  # as if the id had leaked

    agent.call("run_code", code="secret = 1")

    for other in (colleague, stranger):
        assert "NameError" in other.call("run_code", code="secret")["content"][0]["text"]


def test_a_quota_that_is_used_up_is_told_to_the_model(operator: Operator) -> None:
    agent = Agent(operator.tenant("frugal", minutes_per_month=5))
    agent.call("run_code", code="1", session="one-1")

    refused = agent.call("run_code", code="1", session="two-2")

    assert refused["isError"] is True
    assert refused["content"][0]["text"].startswith("QuotaExceeded: ")
    assert refused["_meta"]["tollgate/error"]["remainingMinutes"] == 0


def test_a_session_that_is_ended_begins_anew(agent: Agent) -> None:
    agent.call("run_code", code="x = 1")

    ended = agent.call("end_session")

    assert ended["isError"] is False
    assert "NameError" in agent.call("run_code", code="x")["content"][0]["text"]
    assert [agent.send("DELETE").status_code for _ in range(2)] == [204, 204]


@pytest.mark.parametrize("holder", ["servers", "mcpServers"])
def test_configurations_of_the_documentation_connect(tenant: TenantClient, holder: str) -> None:
    page = (ROOT / "docs/mcp.md").read_text()
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    [server] = [block[holder]["tollgate"] for block in blocks if holder in block]
    url = server["url"].replace("https://tollgate.example", tenant.url)
    headers = {name: re.sub(r"\$\{.*\}", tenant.key, value) for name, value in server["headers"].items()}

    response = send("POST", url, headers=headers, json={"jsonrpc": "2.0", "id": "1", "method": "initialize"})

    assert server["type"] == "http"
    assert response.json()["result"]["serverInfo"]["name"] == "Tollgate"


def test_clients_that_get_it_wrong_are_told_so(agent: Agent) -> None:
    assert agent.send("GET").status_code == 405
    assert agent.send("GET").headers["allow"] == "POST, DELETE"
    assert agent.send(message={"jsonrpc": "2.0", "id": 1, "method": "ping"}, **{"x-ms-apikey": "x"}).status_code == 401
    assert agent.send(message={"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202
    assert agent.send(message={}).json()["error"]["code"] == -32600
    assert Agent(agent.tenant, "/pools/nowhere/mcp").send(message={}).status_code == 404


def test_a_shell_has_a_tool_of_its_own(local_stack: Callable[..., dict[str, Any]]) -> None:
    ready = local_stack("--pool", "bash=shell")
    agent = Agent(TenantClient(ready["url"], ready["tenants"][0]["key"]), "/pools/bash/mcp")
    agent.begin()

    agent.call("write_file", path="in.txt", text="b\na\n")
    ran = agent.call("run_shell_command", command="sort /mnt/data/in.txt; false")

    assert ran["structuredContent"]["stdout"] == "a\nb\n"
    assert (ran["isError"], ran["structuredContent"]["exit_status"]) == (True, 1)
    assert ran["content"][0]["text"] == "a\nb\nExit status: 1"
