"""The MCP server's methods: what is answered to each message.

It offers tools and nothing else, and sends nothing of its own accord: so notifications of clients, which are about
requests of a server's or about giving up, are taken and forgotten.
"""

from typing import Any

from mcp_types import (
    DEFAULT_NEGOTIATED_VERSION,
    SERVER_INFO_META_KEY,
    CallToolRequestParams,
    CallToolResult,
    DiscoverResult,
    EmptyResult,
    Implementation,
    InitializeResult,
    ListToolsResult,
    Result,
    ServerCapabilities,
    ToolsCapability,
    jsonrpc,
    methods,
)
from mcp_types.jsonrpc import JSONRPCNotification, JSONRPCRequest
from mcp_types.version import KNOWN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from proxy.errors import ErrorCode, GatewayError
from proxy.mcp import results
from proxy.mcp.arguments import Mistake
from proxy.mcp.calls import SHARED_SESSION, Exchange, session_of
from proxy.mcp.protocol import Flawed, Message, Posted, ProtocolError, agreed_version, read_posted
from proxy.mcp.tools import TOOLS, ToolRow, listed
from proxy.messages import GatewayResponse, json_response

SERVER = Implementation(name="Tollgate", version="0.1.0")
CAPABILITIES = ServerCapabilities(tools=ToolsCapability())
INSTRUCTIONS = (
    "Runs code in isolated sessions. A session keeps its variables, and its files in /mnt/data, until it has not been "
    "used for some minutes; then it is gone, and its name stands for a new, empty one. Time in sessions is paid for in "
    "steps of some minutes, so do all of a task in one session, and end it when the task is done. If others may be "
    "using the same key at the same time, call new_session first and pass the name that it returns in every call."
)

MESSAGE_BYTES_MAX = 1024 * 1024
UPLOAD_BYTES_MAX = 16 * 1024 * 1024  # of a message that writes a file
_WRITES = "write_file"
# The MCP servers of Azure's own pools take an `initialize` that says nothing (their tutorials, read 2026-11).
_UNSAID = {
    "protocolVersion": DEFAULT_NEGOTIATED_VERSION,
    "capabilities": {},
    "clientInfo": {"name": "unknown", "version": "0"},
}


async def answer(exchange: Exchange) -> GatewayResponse:
    """Answer what was posted.

    Raises:
        GatewayError: what concerns the key, a scope or the size.
    """
    request = exchange.request
    if "transfer-encoding" in request.headers:  # the host has handed the body over as empty
        raise GatewayError(ErrorCode.LENGTH_REQUIRED)
    # Before it is read, too: a large message without the word is not worth the time.
    _check_size(request.body, UPLOAD_BYTES_MAX if _WRITES.encode() in request.body else MESSAGE_BYTES_MAX)
    try:
        posted = read_posted(request.headers, request.body)
    except ProtocolError as mistake:
        return json_response(mistake.document(None), status=mistake.status())
    if posted.is_batch or _tool_name(posted.messages[0]) != _WRITES:
        _check_size(request.body, MESSAGE_BYTES_MAX)
    for message in posted.messages:  # before any of them costs something
        row = _find(exchange, message)
        if row is not None:
            exchange.principal.require(row.scope)

    replies = [await _reply(exchange, message, posted) for message in posted.messages]
    documents = [document for document, _ in replies if document is not None]
    if not documents:
        return GatewayResponse(status=202)
    if posted.is_batch:
        return json_response(documents)
    begins = "result" in documents[0] and _method(posted.messages[0]) == "initialize"
    headers = {"Mcp-Session-Id": exchange.mint()} if begins else {}
    return json_response(documents[0], status=replies[0][1], headers=headers)


def _check_size(body: bytes, bytes_max: int) -> None:
    if len(body) > bytes_max:
        raise GatewayError(ErrorCode.REQUEST_TOO_LARGE, f"The message is larger than {bytes_max} bytes.")


async def _reply(exchange: Exchange, message: Message | Flawed, posted: Posted) -> tuple[dict[str, Any] | None, int]:
    """Answer one message: the document, if one is due, and the HTTP status that it goes out with alone."""
    match message:
        case JSONRPCNotification():
            return None, 202
        case Flawed(mistake, request_id):
            return mistake.document(request_id), mistake.status(posted.version)
        case JSONRPCRequest():
            try:
                result = await _result(exchange, message, posted)
            except ProtocolError as mistake:
                return mistake.document(message.id), mistake.status(posted.version)
            return {"jsonrpc": "2.0", "id": message.id, "result": result}, 200


async def _result(exchange: Exchange, message: JSONRPCRequest, posted: Posted) -> dict[str, Any]:
    """Answer one request, in the shape that its revision has for it."""
    method, version = message.method, posted.version
    params = _UNSAID if method == "initialize" and message.params is None else message.params
    try:
        methods.validate_client_request(method, version, params)
    except KeyError:
        raise _unknown(method) from None
    except ValidationError as error:
        raise ProtocolError(jsonrpc.INVALID_PARAMS, f"Invalid params: {_told(error)}") from None
    result = await _method_result(exchange, method, params or {}, posted)
    document = result.model_dump(by_alias=True, mode="json", exclude_none=True)
    if posted.is_modern:
        meta = {SERVER_INFO_META_KEY: SERVER.model_dump(by_alias=True, exclude_none=True), **document.get("_meta", {})}
        document |= {"_meta": meta, "resultType": "complete"}
    return methods.serialize_server_result(method, version, document)


async def _method_result(exchange: Exchange, method: str, params: dict[str, Any], posted: Posted) -> Result:
    match method:
        case "initialize":
            agreed = agreed_version(params["protocolVersion"])
            return InitializeResult(
                protocol_version=agreed, capabilities=CAPABILITIES, server_info=SERVER, instructions=INSTRUCTIONS
            )
        case "server/discover":
            versions = list(reversed(KNOWN_PROTOCOL_VERSIONS))
            return DiscoverResult(supported_versions=versions, capabilities=CAPABILITIES, instructions=INSTRUCTIONS)
        case "ping":
            return EmptyResult()
        case "tools/list":
            if params.get("cursor") is not None:
                raise ProtocolError(jsonrpc.INVALID_PARAMS, "There is one page of tools only.")
            return ListToolsResult(tools=list(listed(exchange.pool.kind, exchange.principal.scopes)))
        case "tools/call":
            session = SHARED_SESSION if posted.is_modern else session_of(exchange.request)
            return await _call_tool(exchange, CallToolRequestParams.model_validate(params), session)
        case _:
            raise _unknown(method)


async def _call_tool(exchange: Exchange, asked: CallToolRequestParams, session: str) -> CallToolResult:
    row = _row(exchange, asked.name)
    if row is None:
        raise ProtocolError(jsonrpc.INVALID_PARAMS, f"Unknown tool: {asked.name}")
    said = {name: value for name, value in (asked.arguments or {}).items() if value is not None}
    try:
        arguments = row.arguments.model_validate(said)
    except ValidationError as error:
        return results.mistake(f"The arguments are not valid: {_told(error)}")
    try:
        return await arguments.run(exchange, session)
    except Mistake as mistake:
        return results.mistake(str(mistake))


def _find(exchange: Exchange, message: Message | Flawed) -> ToolRow | None:
    name = _tool_name(message)
    return None if name is None else _row(exchange, name)


def _row(exchange: Exchange, name: str) -> ToolRow | None:
    """Find a tool of this kind of pool, whether or not the key carries its scope."""
    return next((row for row in TOOLS if row.name == name and exchange.pool.kind in row.kinds), None)


def _tool_name(message: Message | Flawed) -> str | None:
    if not isinstance(message, JSONRPCRequest) or message.method != "tools/call":
        return None
    name = (message.params or {}).get("name")
    return name if isinstance(name, str) else None


def _method(message: Message | Flawed) -> str | None:
    return None if isinstance(message, Flawed) else message.method


def _unknown(method: str) -> ProtocolError:
    return ProtocolError(jsonrpc.METHOD_NOT_FOUND, f"Method not found: {method}")


def _told(error: ValidationError) -> str:
    """Say what is wrong, for people and models, without what was given."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}" for detail in details[:5])
