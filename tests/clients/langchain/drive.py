"""Drives the LangChain tool as its documentation shows, and prints what came of it as JSON.

Runs in the client's own environment, which holds nothing of Tollgate; PROXY and KEY say where and with which key.
"""

import base64
import io
import json
import os
import sys
from typing import Any

from langchain.agents import create_agent
from langchain_azure_dynamic_sessions import SessionsPythonREPLTool
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, ToolMessage

CSV = b"name,age\nada,36\ngrace,45\nalan,41\n"
MEAN = "import pandas as pd\npd.read_csv('/mnt/data/people.csv').age.mean()"
PLOT = "import matplotlib.pyplot as plt\nplt.plot([1, 4, 9])\nplt.show()"


class ScriptedModel(GenericFakeChatModel):
    """Says what it is told to, whatever tools it is given."""

    def bind_tools(self, tools: Any, **_: Any) -> "ScriptedModel":
        """Take the tools, and go on as scripted."""
        return self


def use(tool: SessionsPythonREPLTool) -> dict[str, Any]:
    """Use every method of the tool."""
    seen: dict[str, Any] = {"sum": tool.execute("x = 6\nx * 7"), "state": tool.execute("x")["result"]}
    uploaded = tool.upload_file(data=io.BytesIO(CSV), remote_file_path="people.csv")
    seen["uploaded"] = [uploaded.filename, uploaded.size_in_bytes]
    seen["mean"] = tool.execute(MEAN)["result"]
    seen["listed"] = [file.filename for file in tool.list_files()]
    seen["downloaded"] = tool.download_file(remote_file_path="people.csv").read().decode()
    image = tool.execute(PLOT)["result"]
    seen["image"] = [image["type"], image["format"], base64.b64decode(image["base64_data"])[:8].hex()]
    failed = tool.execute("1/0")
    seen["error"] = failed["stderr"]
    return seen


def run_agent(tool: SessionsPythonREPLTool) -> dict[str, Any]:
    """Let an agent call the tool twice; the second call builds upon the first."""

    def ask(code: str, call_id: str) -> AIMessage:
        return AIMessage(content="", tool_calls=[{"name": tool.name, "args": {"python_code": code}, "id": call_id}])

    script = [ask("total = 36 + 45 + 41\ntotal", "1"), ask("total / 3", "2"), AIMessage(content="The mean is known.")]
    agent = create_agent(ScriptedModel(messages=iter(script)), tools=[tool])
    messages = agent.invoke({"messages": [{"role": "user", "content": "What is the mean?"}]})["messages"]
    answers = [json.loads(message.content)["result"] for message in messages if isinstance(message, ToolMessage)]
    return {"tool_results": answers, "said": messages[-1].content}


def main() -> None:
    """Do it all, and print what was seen."""

    def make_tool() -> SessionsPythonREPLTool:
        return SessionsPythonREPLTool(
            pool_management_endpoint=os.environ["PROXY"], access_token_provider=lambda: os.environ["KEY"]
        )

    with make_tool() as tool:
        seen = use(tool)
        other = make_tool()
        seen["other_session"] = other.execute("x")["stderr"].splitlines()[-1]
        seen["agent"] = run_agent(tool)
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()
