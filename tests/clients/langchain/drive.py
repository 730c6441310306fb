"""Drives the LangChain package, of whichever version is installed, as its documentation shows.

Runs in the client's own environment, which holds nothing of Tollgate.
"""

import base64
import importlib.metadata
import io
import json
import os
import warnings
from typing import Any

from checks import (
    CSV,
    FILE_NAME,
    MEAN,
    ODD_NAME,
    PLOT,
    PNG,
    error_of,
    expect,
    expect_in,
    managed_identity,
    paid_sessions,
    report,
)

warnings.filterwarnings("ignore", "langchain-azure-dynamic-sessions is deprecated")

from langchain_azure_dynamic_sessions import SessionsPythonREPLTool  # noqa: E402

VERSION = importlib.metadata.version("langchain-azure-dynamic-sessions")


class Repl:
    """The Python tool."""

    def __init__(self) -> None:
        self._tool = self._make_tool()

    @staticmethod
    def _make_tool(key: str = os.environ["KEY"], **options: Any) -> SessionsPythonREPLTool:
        return SessionsPythonREPLTool(
            pool_management_endpoint=os.environ["PROXY"], access_token_provider=lambda: key, **options
        )

    def run(self) -> None:
        answer = json.loads(self._tool.invoke("x = 6\nprint('six')\nx * 7"))
        expect(answer, {"result": 42, "stdout": "six\n", "stderr": ""})

    def state(self) -> None:
        expect(self._tool.execute("x")["result"], 6)

    def upload(self) -> None:
        uploaded = self._tool.upload_file(data=io.BytesIO(CSV), remote_file_path=FILE_NAME)
        expect((uploaded.filename, uploaded.size_in_bytes), (FILE_NAME, len(CSV)))
        expect_in("40.66", self._tool.execute(MEAN)["stdout"])

    def list(self) -> None:
        expect([(file.filename, file.size_in_bytes) for file in self._tool.list_files()], [(FILE_NAME, len(CSV))])

    def download(self) -> None:
        expect(self._tool.download_file(remote_file_path=FILE_NAME).read(), CSV)

    def image(self) -> None:
        picture = self._tool.execute(PLOT)["result"]
        expect((picture["type"], picture["format"]), ("image", "png"))
        expect(base64.b64decode(picture["base64_data"])[: len(PNG)], PNG)

    def error(self) -> None:
        expect_in("ZeroDivisionError: division by zero", self._tool.execute("1/0")["stderr"])

    def quota(self) -> str:
        return http_error(self._make_tool(os.environ["SPENT_KEY"]), 403)

    def revoked(self) -> str:
        return http_error(self._make_tool(os.environ["REVOKED_KEY"]), 401)

    def name(self) -> None:
        self._make_tool(session_id=ODD_NAME).execute("name = 'odd'")
        expect(self._make_tool(session_id=ODD_NAME).execute("name")["result"], "odd")
        expect({ODD_NAME} - paid_sessions(), set())

    def identity(self) -> None:
        with managed_identity():
            keyless = SessionsPythonREPLTool(
                pool_management_endpoint=os.environ["PROXY"], session_id=self._tool.session_id
            )
            expect(keyless.execute("x")["result"], 6)


class ReplOfAnAgent(Repl):
    """The Python tool, and an agent that uses it."""

    def agent(self) -> None:
        from langchain.agents import create_agent
        from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
        from langchain_core.messages import AIMessage, ToolMessage

        class ScriptedModel(GenericFakeChatModel):
            """Says what it is told to, whatever tools it is given."""

            def bind_tools(self, tools: Any, **_: Any) -> "ScriptedModel":
                return self

        def ask(code: str, call_id: str) -> AIMessage:
            call = {"name": self._tool.name, "args": {"python_code": code}, "id": call_id}
            return AIMessage(content="", tool_calls=[call])

        script = [ask("total = 36 + 45 + 41\ntotal", "1"), ask("total // 3", "2"), AIMessage(content="It is 40.")]
        agent = create_agent(ScriptedModel(messages=iter(script)), tools=[self._tool])
        messages = agent.invoke({"messages": [{"role": "user", "content": "What is the mean?"}]})["messages"]
        answers = [json.loads(message.content)["result"] for message in messages if isinstance(message, ToolMessage)]
        expect((answers, messages[-1].content), ([122, 40], "It is 40."))


class Bash:
    """The shell tool, on a pool of shells."""

    def __init__(self) -> None:
        self._tool = self._make_tool()

    @staticmethod
    def _make_tool(key: str = os.environ["KEY"], **options: Any) -> Any:
        from langchain_azure_dynamic_sessions import SessionsBashTool

        return SessionsBashTool(
            pool_management_endpoint=os.environ["SHELL_PROXY"],
            **({"access_token_provider": lambda: key} if key else {}),
            **options,
        )

    def run(self) -> None:
        answer = json.loads(self._tool.invoke("echo out; echo told >&2; exit 3"))
        expect(answer, {"stdout": "out\n", "stderr": "told\n", "exitCode": 3})

    def state(self) -> None:
        self._tool.execute("echo kept > /mnt/data/state.txt")
        expect(self._tool.execute("cat /mnt/data/state.txt; rm /mnt/data/state.txt")["result"]["stdout"], "kept\n")

    def upload(self) -> None:
        uploaded = self._tool.upload_file(data=io.BytesIO(CSV), remote_file_path=FILE_NAME)
        expect((uploaded.filename, uploaded.size_in_bytes), (FILE_NAME, len(CSV)))
        expect(self._tool.execute(f"tail -1 '/mnt/data/{FILE_NAME}'")["result"]["stdout"], "alan,41\n")

    def list(self) -> None:
        expect([(file.filename, file.size_in_bytes) for file in self._tool.list_files()], [(FILE_NAME, len(CSV))])

    def download(self) -> None:
        expect(self._tool.download_file(remote_file_path=FILE_NAME).read(), CSV)

    def error(self) -> None:
        answer = json.loads(self._tool.invoke("cat /mnt/data/missing"))
        expect(answer["exitCode"], 1)
        expect_in("No such file", answer["stderr"])

    def quota(self) -> str:
        return http_error(self._make_tool(os.environ["SPENT_KEY"]), 403)

    def revoked(self) -> str:
        return http_error(self._make_tool(os.environ["REVOKED_KEY"]), 401)

    def name(self) -> None:
        name = f"{ODD_NAME} shell"
        self._make_tool(session_id=name).execute("touch /mnt/data/odd")
        expect(self._make_tool(session_id=name).execute("ls /mnt/data")["result"]["stdout"], "odd\n")
        expect({name} - paid_sessions(), set())

    def identity(self) -> None:
        with managed_identity():
            keyless = self._make_tool("", session_id=self._tool.session_id)
            expect(keyless.execute(f"ls '/mnt/data/{FILE_NAME}'")["result"]["stderr"], "")


class BashBackend:
    """The backend that gives an agent of deepagents its files and its shell."""

    def __init__(self) -> None:
        self._backend = self._make_backend()

    @staticmethod
    def _make_backend(key: str = os.environ["KEY"], **options: Any) -> Any:
        from langchain_azure_dynamic_sessions.backends import SessionsBashBackend

        return SessionsBashBackend(
            os.environ["SHELL_PROXY"], access_token_provider=(lambda: key) if key else None, **options
        )

    def run(self) -> None:
        answer = self._backend.execute("echo out; echo told >&2; exit 3")
        expect((answer.output, answer.exit_code), ("out\ntold\n", 3))

    def state(self) -> None:
        expect(self._backend.write("/mnt/data/notes/a.txt", "one\ntwo\n").error, None)
        expect(self._backend.edit("/mnt/data/notes/a.txt", "two", "2").occurrences, 1)
        expect(self._backend.read("/mnt/data/notes/a.txt"), "     1\tone\n     2\t2")
        expect(self._backend.glob_info("*.txt", "/mnt/data/notes"), [{"path": "a.txt", "is_dir": False}])

    def upload(self) -> None:
        path = f"/mnt/data/{FILE_NAME}"
        expect([response.error for response in self._backend.upload_files([(path, CSV)])], [None])

    def list(self) -> None:
        expect(sorted(entry["path"] for entry in self._backend.ls_info("/mnt/data")), ["notes", FILE_NAME])

    def download(self) -> None:
        expect([response.content for response in self._backend.download_files([f"/mnt/data/{FILE_NAME}"])], [CSV])

    def error(self) -> None:
        answer = self._backend.execute("cat /mnt/data/missing")
        expect(answer.exit_code, 1)
        expect_in("No such file", answer.output)

    def quota(self) -> str:
        return self._told_error(os.environ["SPENT_KEY"], 403, "QuotaExceeded")

    def revoked(self) -> str:
        return self._told_error(os.environ["REVOKED_KEY"], 401, "InvalidApiKey")

    def name(self) -> None:
        name = f"{ODD_NAME} files"
        self._make_backend(session_id=name).execute("touch /mnt/data/odd")
        expect(self._make_backend(session_id=name).execute("ls /mnt/data").output, "odd\n")
        expect({name} - paid_sessions(), set())

    def identity(self) -> None:
        with managed_identity():
            keyless = self._make_backend("", session_id=self._backend.id)
            expect(keyless.execute("ls /mnt/data/notes").output, "a.txt\n")

    def _told_error(self, key: str, status: int, code: str) -> str:
        error = error_of(lambda: self._make_backend(key).execute("true"))
        expect(type(error).__name__, "RuntimeError")
        expect_in(f"({status})", str(error))
        expect_in(code, str(error))
        return f"RuntimeError with status {status} and message"


def http_error(tool: Any, status: int) -> str:
    """Expect the tool to raise what `requests` makes of a status."""
    error: Any = error_of(lambda: tool.invoke("1"))
    expect((type(error).__name__, error.response.status_code), ("HTTPError", status))
    return f"HTTPError {status}"


def main() -> None:
    """Drive what this version has."""
    title = f"LangChain {VERSION}"
    if VERSION.startswith("0."):
        report({f"{title} REPL": Repl()})
    else:
        report({f"{title} REPL": ReplOfAnAgent(), f"{title} Bash": Bash(), f"{title} Bash backend": BashBackend()})


if __name__ == "__main__":
    main()
