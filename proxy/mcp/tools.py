"""The MCP tools: a closed table.

A tool is listed, and can be called, if the kind of pool has it and the key carries its scope, which is that of the one
call to the pool that it makes. What the descriptions say is for models.
"""

import functools
from dataclasses import dataclass
from typing import Any

from mcp_types import Tool, ToolAnnotations
from pydantic import BaseModel

from proxy.mcp import arguments, outputs
from proxy.mcp.arguments import Arguments
from proxy.pools import PoolKind
from proxy.tenants import Scope

_LANGUAGES = {PoolKind.PYTHON: "Python", PoolKind.NODE: "JavaScript (Node.js)", PoolKind.SHELL: "shell"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRow:
    """One row of the table.

    Attributes:
        description: `{language}` stands for what the pool runs.
        output: the shape of what a program is told; None for a file's content, which has none.
        hints: the protocol's hints to clients, which may ask their user before they call.
    """

    name: str
    title: str
    description: str
    arguments: type[Arguments]
    output: type[BaseModel] | None
    scope: Scope
    kinds: frozenset[PoolKind] = frozenset(_LANGUAGES)
    hints: ToolAnnotations


def _hints(*, reads: bool = False, destroys: bool = False, repeatable: bool = False, leaves: bool = False) -> Any:
    return ToolAnnotations(
        read_only_hint=reads, destructive_hint=destroys, idempotent_hint=repeatable, open_world_hint=leaves
    )


TOOLS: tuple[ToolRow, ...] = (
    ToolRow(
        name="run_code",
        title="Run code",
        description="Run {language} code in an isolated session and return what it prints, the value of its last "
        "expression, a plot if it draws one, or the traceback. Variables live on from call to call. Print little: "
        "each output is cut after some thousand characters.",
        arguments=arguments.RunCode,
        output=outputs.CodeOutput,
        scope=Scope.EXECUTE,
        kinds=frozenset({PoolKind.PYTHON, PoolKind.NODE}),
        hints=_hints(destroys=True, leaves=True),
    ),
    ToolRow(
        name="run_shell_command",
        title="Run a shell command",
        description="Run a command line in an isolated session and return its output and exit status. Print little: "
        "each output is cut after some thousand characters.",
        arguments=arguments.RunShellCommand,
        output=outputs.CommandOutput,
        scope=Scope.EXECUTE,
        kinds=frozenset({PoolKind.SHELL}),
        hints=_hints(destroys=True, leaves=True),
    ),
    ToolRow(
        name="list_files",
        title="List files",
        description="List the files of a folder below /mnt/data in a session, which {language} code there sees too.",
        arguments=arguments.ListFiles,
        output=outputs.FilesOutput,
        scope=Scope.FILES,
        hints=_hints(reads=True, repeatable=True),
    ),
    ToolRow(
        name="read_file",
        title="Read a file",
        description="Return a file below /mnt/data in a session: text, a picture, or other content as it is.",
        arguments=arguments.ReadFile,
        output=None,
        scope=Scope.FILES,
        hints=_hints(reads=True, repeatable=True),
    ),
    ToolRow(
        name="write_file",
        title="Write a file",
        description="Write a file below /mnt/data in a session, where {language} code can open it.",
        arguments=arguments.WriteFile,
        output=outputs.WrittenOutput,
        scope=Scope.FILES,
        hints=_hints(destroys=True, repeatable=True),
    ),
    ToolRow(
        name="new_session",
        title="Name a new session",
        description="Return the name of a session that nobody else uses, to pass as 'session' in other calls. "
        "A session begins empty with its first call and ends some minutes after its last one.",
        arguments=arguments.NewSession,
        output=outputs.SessionOutput,
        scope=Scope.EXECUTE,
        hints=_hints(),
    ),
    ToolRow(
        name="end_session",
        title="End a session",
        description="End a session. Its variables and files are gone; time that was paid and has not begun is given "
        "back.",
        arguments=arguments.EndSession,
        output=outputs.SessionOutput,
        scope=Scope.EXECUTE,
        hints=_hints(destroys=True, repeatable=True),
    ),
)


@functools.cache
def listed(kind: PoolKind, scopes: frozenset[Scope]) -> tuple[Tool, ...]:
    """Describe the tools of a kind of pool that these scopes allow."""
    return tuple(describe(row, kind) for row in TOOLS if kind in row.kinds and row.scope in scopes)


def describe(row: ToolRow, kind: PoolKind) -> Tool:
    """Describe a tool to clients of this kind of pool."""
    return Tool(
        name=row.name,
        title=row.title,
        description=row.description.format(language=_LANGUAGES[kind]),
        input_schema={**_schema(row.arguments, leave_out_null=True), "additionalProperties": False},
        output_schema=None if row.output is None else _schema(row.output),
        annotations=row.hints,
    )


def _schema(model: type[BaseModel], *, leave_out_null: bool = False) -> dict[str, Any]:
    """Write a model's JSON schema in the plain form that all clients read, the session last.

    Where `leave_out_null` is set, what may be left out is not said to be allowed as null as well.
    """
    schema = model.model_json_schema()
    properties: dict[str, Any] = _plain(schema.get("properties", {}), schema.get("$defs", {}))
    if leave_out_null:
        for part in properties.values():
            part.pop("default", None)
            part.update(part.pop("anyOf", [{}])[0])
    session = {name: properties.pop(name) for name in ("session",) if name in properties}
    required = {"required": schema["required"]} if "required" in schema else {}
    return {"type": "object", "properties": {**properties, **session}, **required}


def _plain(node: Any, definitions: dict[str, Any]) -> Any:
    """Put definitions where they are used, and drop titles, which repeat the names."""
    if isinstance(node, list):
        return [_plain(part, definitions) for part in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _plain(definitions[node["$ref"].rpartition("/")[2]], definitions)
    return {
        key: _plain(part, definitions) for key, part in node.items() if not (key == "title" and isinstance(part, str))
    }
