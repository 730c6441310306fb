"""What goes between the functions host and its workers, as protobuf messages.

Names and shapes are those of the platform's contract, since the library reads and makes the messages by them; only what
an HTTP invocation needs is here. The numbers of the fields are not the platform's: both ends are in this package.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf import (  # type: ignore[import-untyped]
    descriptor_pb2,
    descriptor_pool,
    message_factory,
)

SERVICE = "benchmarks.FunctionRpc"
METHOD = "EventStream"
OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))

_PACKAGE = "benchmarks"

# Message -> field -> type, with its oneof behind a bar, of which a message has one at most. A map has texts as keys.
_SHAPES: Mapping[str, Mapping[str, str]] = {
    "StreamingMessage": {
        "request_id": "string",
        "start_stream": "StartStream|content",
        "invocation_request": "InvocationRequest|content",
        "invocation_response": "InvocationResponse|content",
    },
    "StartStream": {"worker_id": "string"},
    "InvocationRequest": {
        "invocation_id": "string",
        "function_id": "string",
        "input_data": "repeated ParameterBinding",
        "trigger_metadata": "map TypedData",
        "trace_context": "RpcTraceContext",
        "retry_context": "RetryContext",
    },
    "InvocationResponse": {
        "invocation_id": "string",
        "output_data": "repeated ParameterBinding",
        "return_value": "TypedData",
        "result": "StatusResult",
    },
    "ParameterBinding": {"name": "string", "data": "TypedData|rpc_data"},
    "TypedData": {"string": "string|data", "json": "string|data", "bytes": "bytes|data", "http": "RpcHttp|data"},
    "RpcHttp": {
        "method": "string",
        "url": "string",
        "headers": "map string",
        "body": "TypedData",
        "params": "map string",
        "query": "map string",
        "status_code": "string",
        "cookies": "repeated RpcHttpCookie",
        "enable_content_negotiation": "bool",
    },
    "RpcHttpCookie": {"name": "string", "value": "string"},
    "RpcTraceContext": {"trace_parent": "string", "trace_state": "string", "attributes": "map string"},
    "RetryContext": {"retry_count": "int32", "max_retry_count": "int32", "exception": "RpcException"},
    "StatusResult": {"status": "StatusResult.Status", "exception": "RpcException"},
    "RpcException": {"source": "string", "stack_trace": "string", "message": "string"},
}
_SCALARS = {"string", "bytes", "bool", "int32"}
_STATUSES = ("Failure", "Success", "Cancelled")

_Field = descriptor_pb2.FieldDescriptorProto


def _classes() -> Iterator[tuple[str, Any]]:
    file = descriptor_pb2.FileDescriptorProto(name="benchmarks/streaming", package=_PACKAGE, syntax="proto3")
    for name, shapes in _SHAPES.items():
        message = file.message_type.add(name=name)
        for number, (field, shape) in enumerate(shapes.items(), 1):
            _add_field(message, field, number, shape)
        if name == "StatusResult":
            values = message.enum_type.add(name="Status").value
            for number, value in enumerate(_STATUSES):
                values.add(name=value, number=number)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    for name in _SHAPES:
        yield name, message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


def _add_field(message: Any, name: str, number: int, shape: str) -> None:
    kind, _, group = shape.partition("|")
    *collection, kind = kind.split()
    field = message.field.add(name=name, number=number)
    field.label = _Field.LABEL_REPEATED if collection else _Field.LABEL_OPTIONAL
    if collection == ["map"]:
        entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        _add_field(entry, "key", 1, "string")
        _add_field(entry, "value", 2, kind)
        kind = f"{message.name}.{entry.name}"
    if group:
        if not message.oneof_decl:
            message.oneof_decl.add(name=group)
        field.oneof_index = 0
    if kind in _SCALARS:
        field.type = getattr(_Field, f"TYPE_{kind.upper()}")
    else:
        field.type = _Field.TYPE_ENUM if kind == "StatusResult.Status" else _Field.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{kind}"


CLASSES: Mapping[str, Any] = dict(_classes())
