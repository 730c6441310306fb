"""Drives Semantic Kernel's plugin as its documentation shows.

Runs in the client's own environment, which holds nothing of Tollgate.
"""

import asyncio
import importlib.metadata
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from checks import (
    CSV,
    FILE_NAME,
    MEAN,
    ODD_NAME,
    PLOT,
    error_of,
    expect,
    expect_in,
    managed_identity,
    paid_sessions,
    report,
)

os.environ["SSL_CERT_FILE"] = os.environ["CA_FILE"]  # before the plugin makes its client

import httpx
from azure.identity import DefaultAzureCredential
from semantic_kernel import Kernel
from semantic_kernel.agents import ChatCompletionAgent
from semantic_kernel.connectors.ai.chat_completion_client_base import ChatCompletionClientBase
from semantic_kernel.connectors.ai.function_choice_behavior import FunctionChoiceBehavior
from semantic_kernel.connectors.ai.prompt_execution_settings import PromptExecutionSettings
from semantic_kernel.contents import AuthorRole, ChatHistory, ChatMessageContent, FunctionCallContent
from semantic_kernel.core_plugins import SessionsPythonTool
from semantic_kernel.core_plugins.sessions_python_tool.sessions_python_settings import SessionsPythonSettings

VERSION = importlib.metadata.version("semantic-kernel")
FOLDER = Path(os.environ["TMPDIR"])
PLAIN_NAME = "a/b \u03b1=1%-._~!$'()*,;:@?"  # nothing is encoded but what no URL may hold, so that +, & and # are read
RUN = asyncio.Runner().run  # one loop for all, since the plugin keeps its connections


class ScriptedModel(ChatCompletionClientBase):
    """Says what it is told to, whatever functions it is offered."""

    SUPPORTS_FUNCTION_CALLING = True
    script: list[ChatMessageContent]
    heard: list[str]

    async def _inner_get_chat_message_contents(self, chat_history: ChatHistory, _: Any) -> list[ChatMessageContent]:
        self.heard.extend(str(item.result) for item in chat_history.messages[-1].items if hasattr(item, "result"))
        return [self.script.pop(0)]

    def _reset_function_choice_settings(self, settings: PromptExecutionSettings) -> None:
        """Forget nothing."""


class Plugin:
    """The plugin for Python."""

    def __init__(self) -> None:
        self._tool = self._make_tool()

    @staticmethod
    def _make_tool(key: str = os.environ["KEY"], session_id: str | None = None, **options: Any) -> SessionsPythonTool:
        settings = None if session_id is None else SessionsPythonSettings(session_id=session_id)
        return SessionsPythonTool(
            pool_management_endpoint=os.environ["PROXY_TLS"],
            settings=settings,
            http_client=httpx.AsyncClient(timeout=120),
            enable_dangerous_file_uploads=True,
            allowed_upload_directories={str(FOLDER)},
            **{"auth_callback": lambda: key, **options},
        )

    def run(self) -> None:
        answer = RUN(self._tool.execute_code("x = 6\nprint('six')\nx * 7"))
        expect(answer, "Status:\nSuccess\nResult:\n42\nStdout:\nsix\n\nStderr:\n")

    def state(self) -> None:
        expect(result_of(self._tool, "x"), "6")

    def upload(self) -> None:
        (FOLDER / FILE_NAME).write_bytes(CSV)
        uploaded = RUN(self._tool.upload_file(local_file_path=str(FOLDER / FILE_NAME)))
        expect((uploaded.full_path, uploaded.size_in_bytes), (f"/mnt/data/{FILE_NAME}", len(CSV)))
        expect_in("40.66", RUN(self._tool.execute_code(MEAN)))

    def list(self) -> None:
        listed = RUN(self._tool.list_files())
        expect([(file.filename, file.size_in_bytes) for file in listed], [(FILE_NAME, len(CSV))])

    def download(self) -> None:
        expect(RUN(self._tool.download_file(remote_file_name=FILE_NAME)).read(), CSV)

    def image(self) -> str:
        expect_in("'base64_data': 'iVBORw0KGgo", result_of(self._tool, PLOT))
        return "as text"

    def error(self) -> None:
        answer = RUN(self._tool.execute_code("1/0"))
        expect_in("Status:\nFailure", answer)
        expect_in("ZeroDivisionError: division by zero", answer)

    def quota(self) -> str:
        return told_error(self._make_tool(os.environ["SPENT_KEY"]).execute_code("1"), 403, "QuotaExceeded")

    def revoked(self) -> str:
        return told_error(self._make_tool(os.environ["REVOKED_KEY"]).execute_code("1"), 401, "InvalidApiKey")

    def name(self) -> str:
        before = paid_sessions()
        RUN(self._make_tool(session_id=PLAIN_NAME).execute_code("name = 'plain'"))
        expect(result_of(self._make_tool(session_id=PLAIN_NAME), "name"), "plain")
        for name in (ODD_NAME, "a&x=2", "a#b"):
            told_error(self._make_tool(session_id=name).execute_code("1"), 400, "SessionRequestValidationFailed")
        RUN(self._make_tool(session_id="c+d").execute_code("1"))
        expect(paid_sessions() - before, {PLAIN_NAME, "c d"})
        return "without `+`, `&`, `#`"

    def identity(self) -> None:
        with managed_identity():
            keyless = self._make_tool(
                session_id=self._tool.settings.session_id, auth_callback=None, credential=DefaultAzureCredential()
            )
        expect(result_of(keyless, "x"), "6")

    def agent(self) -> None:
        def ask(code: str) -> ChatMessageContent:
            call = FunctionCallContent(
                id=code, plugin_name="sessions", function_name="execute_code", arguments={"code": code}
            )
            return ChatMessageContent(role=AuthorRole.ASSISTANT, items=[call], finish_reason="tool_calls")

        ending = ChatMessageContent(role=AuthorRole.ASSISTANT, content="It is 40.")
        script = [ask("total = 36 + 45 + 41\ntotal"), ask("total // 3"), ending]
        model = ScriptedModel(ai_model_id="scripted", script=script, heard=[])
        kernel = Kernel(services=[model])
        kernel.add_plugin(self._tool, "sessions")
        agent = ChatCompletionAgent(kernel=kernel, name="agent", function_choice_behavior=FunctionChoiceBehavior.Auto())
        expect(str(RUN(agent.get_response(messages="What is the mean?"))), "It is 40.")
        expect(
            [part.partition("\nStdout:")[0] for part in model.heard],
            [f"Status:\nSuccess\nResult:\n{n}" for n in (122, 40)],
        )


def result_of(tool: SessionsPythonTool, code: str) -> str:
    """Run code, and return the part of the answer that says what it came to."""
    answer = RUN(tool.execute_code(code))
    return answer.partition("\nResult:\n")[2].partition("\nStdout:\n")[0]


def told_error(work: Coroutine[Any, Any, Any], status: int, code: str) -> str:
    """Expect the plugin's own error; it tells the answer's status and body."""
    error = error_of(lambda: RUN(work))
    expect(type(error).__name__, "FunctionExecutionException")
    expect_in(f"status code {status}", str(error))
    expect_in(code, str(error))
    return f"FunctionExecutionException with status {status} and message"


if __name__ == "__main__":
    report({f"Semantic Kernel {VERSION}": Plugin()})
