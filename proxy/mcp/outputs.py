"""What each MCP tool answers, made of the pool's answer in the flat dialect.

The classes are the tools' output schemas, so what they say is for models. Rules of this file: pure.
"""

import base64
import json
import re
from typing import Any
from urllib.parse import quote

from mcp_types import (
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    TextContent,
)
from pydantic import BaseModel, Field

from proxy.mcp.results import (
    NESTED_BYTES_MAX,
    facts,
    inner_object,
    integer_of,
    read_object,
    result,
    text_of,
    tidied,
    trouble,
)
from proxy.messages import GatewayResponse

LISTED_MAX = 1000
_IMAGES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
_IMAGE_FORMAT = re.compile(r"[a-z0-9.+-]{1,20}")
_EXIT_STATUS = re.compile(r"-?[0-9]{1,9}")


class SessionOutput(BaseModel):
    """What all tools tell that work on a session."""

    session: str = Field(description="Name of the session that was used.")


class CodeOutput(SessionOutput):
    """What came of code."""

    status: str = Field(description="'Succeeded' or 'Failed'.")
    stdout: str = Field(description="What was printed; of much output the pool keeps the beginning.")
    stderr: str = Field(description="Warnings; after a failure, the traceback.")
    result: Any = Field(description="Value of the last expression; an empty text if there is none.")
    milliseconds: int | None = Field(description="How long it ran.")


class CommandOutput(SessionOutput):
    """What came of a shell command."""

    exit_status: int | None = Field(description="The command's exit status; null if it did not end by itself.")
    stdout: str = Field(description="What was printed; of much output the pool keeps the beginning.")
    stderr: str = Field(description="What was printed as errors.")
    milliseconds: int | None = Field(description="How long it ran.")


class FileEntry(BaseModel):
    """One file or folder of a listing."""

    name: str
    is_folder: bool
    size_bytes: int | None
    modified_at: str | None


class FilesOutput(SessionOutput):
    """The files of a folder."""

    files: list[FileEntry]
    more: bool = Field(description="Whether there are more than are listed.")


class WrittenOutput(SessionOutput):
    """A file that was written."""

    path: str
    size_bytes: int


def of_code(response: GatewayResponse, session: str) -> CallToolResult:
    """Tell what came of code."""
    if (found := trouble(response)) is not None:
        return found
    document = read_object(response.body)
    said = inner_object(document.get("result"))
    value = said.get("executionResult", "")
    image = _image(value)
    is_nested = image is None and isinstance(value, dict | list)
    if is_nested and (found := trouble(response, bytes_max=NESTED_BYTES_MAX)) is not None:
        return found
    output = CodeOutput(
        session=session,
        status=text_of(document.get("status")),
        stdout=text_of(said.get("stdout")),
        stderr=text_of(said.get("stderr")) or text_of(inner_object(document.get("error")).get("message")),
        result=tidied(value) if image is None else {"type": "image", "format": value["format"]},
        milliseconds=integer_of(said.get("executionTimeInMilliseconds")),
    )
    shown = [output.stdout]
    if image is None and value not in ("", None):
        shown.append(f"Result: {json.dumps(output.result, ensure_ascii=False)}")
    shown.append(output.stderr)
    failed = output.status != "Succeeded"
    return result(response, output, shown, failed=failed, images=() if image is None else (image,))


def of_command(response: GatewayResponse, session: str) -> CallToolResult:
    """Tell what came of a shell command; the pool gives its exit status as text, in place of a state."""
    if (found := trouble(response)) is not None:
        return found
    document = read_object(response.body)
    said = inner_object(document.get("result"))
    status = text_of(document.get("status"))
    output = CommandOutput(
        session=session,
        exit_status=int(status) if _EXIT_STATUS.fullmatch(status) else None,
        stdout=text_of(said.get("stdout")),
        stderr=text_of(said.get("stderr")) or text_of(inner_object(document.get("error")).get("message")),
        milliseconds=integer_of(said.get("executionTimeInMilliseconds")),
    )
    failed = output.exit_status != 0
    end = f"Exit status: {status}" if failed else ""
    return result(response, output, [output.stdout, output.stderr, end], failed=failed)


def of_listing(response: GatewayResponse, session: str) -> CallToolResult:
    """Tell the files of a folder."""
    if (found := trouble(response)) is not None:
        return found
    document = read_object(response.body)
    listed = document.get("value")
    entries = listed if isinstance(listed, list) else []
    more = len(entries) > LISTED_MAX or bool(document.get("nextLink"))
    files = [_entry(inner_object(value)) for value in entries[:LISTED_MAX]]
    output = FilesOutput(session=session, files=files, more=more)
    lines = [f"{file.name}/" if file.is_folder else f"{file.name}: {file.size_bytes} bytes" for file in output.files]
    return result(response, output, [*(lines or ["No files."]), "There are more." if more else ""])


def of_upload(response: GatewayResponse, session: str, path: str, size: int) -> CallToolResult:
    """Tell that a file was written."""
    if (found := trouble(response)) is not None:
        return found
    output = WrittenOutput(session=session, path=path, size_bytes=size)
    return result(response, output, [f"Wrote {size} bytes to {path}."])


def of_content(response: GatewayResponse, path: str) -> CallToolResult:
    """Give a file: as text if it is text, as an image that a model can look at, or as it is."""
    if (found := trouble(response)) is not None:
        return found
    block: ContentBlock
    try:
        block = TextContent(text=response.body.decode())
    except UnicodeDecodeError:
        data = base64.b64encode(response.body).decode()
        kind = next((kind for start, kind in _IMAGES.items() if response.body.startswith(start)), None)
        if kind is not None:
            block = ImageContent(data=data, mime_type=kind)
        else:
            uri = f"file://{quote(path)}"
            contents = BlobResourceContents(uri=uri, mime_type="application/octet-stream", blob=data)
            block = EmbeddedResource(resource=contents)
    return CallToolResult(content=[block], _meta=facts(response.headers))


def of_end(response: GatewayResponse, session: str) -> CallToolResult:
    """Tell that a session has ended."""
    if (found := trouble(response)) is not None:
        return found
    return result(response, SessionOutput(session=session), [f"The session {session} has ended."])


def of_name(session: str) -> CallToolResult:
    """Tell a session's name."""
    shown = f"Pass session={json.dumps(session)} in every call that is to use it."
    return result(GatewayResponse(status=200), SessionOutput(session=session), [shown])


def _entry(value: dict[str, Any]) -> FileEntry:
    return FileEntry(
        name=text_of(value.get("name")),
        is_folder=text_of(value.get("type")).lower() == "directory",
        size_bytes=integer_of(value.get("sizeInBytes")),
        modified_at=text_of(value.get("lastModifiedAt")) or None,
    )


def _image(value: Any) -> ImageContent | None:
    """Find the picture in an execution's result: `{"type": "image", "format": "png", "base64_data": "…"}`."""
    found = inner_object(value)
    kind, data = text_of(found.get("format")), text_of(found.get("base64_data"))
    if found.get("type") != "image" or _IMAGE_FORMAT.fullmatch(kind) is None:
        return None
    try:
        base64.b64decode(data, validate=True)
    except ValueError:
        return None
    return ImageContent(data=data, mime_type=f"image/{kind}")
