"""Drives Microsoft's worker runtime: loads the app folder, and invokes its functions.

One app per process: the runtime keeps its registry and the injected messages in module globals. Everything runs on the
caller's event loop: `async` functions inside the caller's task, `def` functions in the runtime's thread pool.
"""

import asyncio
import json
import logging
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime as runtime  # type: ignore[import-untyped]

from infra.local.host import protos
from infra.local.host.errors import StartError
from infra.local.host.protos import InvocationResponse, ParameterBinding, StatusResult, TypedData

_logger = logging.getLogger(__name__)
_PROPERTIES = {"protos": protos, "host": "127.0.0.1"}


@dataclass(frozen=True, slots=True)
class Function:
    """An indexed function and its trigger's binding, as the decorators described it."""

    name: str
    id: str
    trigger: Mapping[str, Any]


class FunctionFailed(Exception):  # noqa: N818 -- an outcome of the app, not an error of the host
    """A function raised, returned what cannot be converted, or took too long. The text may name internals."""


@dataclass(slots=True)
class _TraceContext:
    trace_parent: str
    trace_state: str
    attributes: dict[str, str]


@dataclass(slots=True)
class _InvocationRequest:
    invocation_id: str
    function_id: str
    input_data: list[ParameterBinding]
    trigger_metadata: dict[str, TypedData]
    trace_context: _TraceContext
    retry_context: SimpleNamespace


@dataclass(slots=True)
class _Request:
    invocation_request: _InvocationRequest


@dataclass(slots=True)
class _Envelope:
    request: _Request
    properties: dict[str, Any]


_NO_RETRY = SimpleNamespace(retry_count=0, max_retry_count=0, exception=None)


async def load_app(app_directory: Path) -> tuple[Function, ...]:
    """Import and index the app in this folder, which must be the working directory and first on `sys.path`.

    Raises:
        StartError: if the app cannot be indexed, or has a trigger or binding that this host does not serve.
    """
    # The runtime logs an import error, with all of sys.path, before it returns it; once is enough.
    runtime_logger = logging.getLogger("azure.functions")
    runtime_logger.disabled = True
    runtime.start_threadpool_executor()
    try:
        initialised = await _call("worker_init_request", capabilities={}, function_app_directory=str(app_directory))
    except SystemExit as error:
        raise StartError(f"the app ended the process while it was loaded (status {error.code})") from error
    finally:
        runtime_logger.disabled = False
    if initialised.result.status != StatusResult.Success:
        raise _load_failure(initialised.result.exception)
    if "HttpUri" in initialised.capabilities:
        raise StartError("the app uses the HTTP streaming extension, which this host does not serve")

    metadata = (await _call("functions_metadata_request")).function_metadata_results
    if metadata is None:
        script = os.environ.get("PYTHON_SCRIPT_FILE_NAME", "function_app.py")
        raise StartError(f"{app_directory} holds no {script}: name the app's folder with --app")
    functions = tuple(_function(item) for item in metadata)
    for function in functions:
        await _call("function_load_request", function_id=function.id)
    return functions


async def invoke(
    function: Function,
    value: TypedData,
    *,
    timeout_seconds: float | None,
    trace_parent: str = "",
    trace_state: str = "",
) -> TypedData | None:
    """Call a function with its trigger's value and return what it returned.

    A function that overruns `timeout_seconds` is cancelled if it is `async`, else left running in its thread. (Azure
    ends the whole worker process.)

    Raises:
        FunctionFailed: after the reason and the stack were logged; callers tell clients nothing of it.
    """
    invocation_id = str(uuid.uuid4())
    request = _InvocationRequest(
        invocation_id,
        function.id,
        [ParameterBinding(name=function.trigger["name"], data=value)],
        {},
        _TraceContext(trace_parent, trace_state, {}),
        _NO_RETRY,
    )
    # The runtime sets this for `def` functions only; with it, an `async` function's log records can carry the id, too.
    token = runtime.invocation_id_cv.set(invocation_id)
    try:
        async with asyncio.timeout(timeout_seconds):
            response: InvocationResponse = await runtime.invocation_request(_Envelope(_Request(request), _PROPERTIES))
    except TimeoutError:
        _logger.error("Function %s (%s) ran longer than %s s", function.name, invocation_id, timeout_seconds)  # noqa: TRY400
        raise FunctionFailed(f"Timeout value of {timeout_seconds} s was exceeded") from None
    finally:
        runtime.invocation_id_cv.reset(token)
    if response.result.status != StatusResult.Success:
        exception = response.result.exception
        _logger.error(
            "Function %s (%s) failed: %s\n%s", function.name, invocation_id, exception.message, exception.stack_trace
        )
        raise FunctionFailed(exception.message)
    return response.return_value


async def _call(name: str, **fields: object) -> Any:
    """Send one of the runtime's requests that come once, at the start."""
    request = SimpleNamespace(**{name: SimpleNamespace(**fields)})
    return await getattr(runtime, name)(SimpleNamespace(request=request, properties=_PROPERTIES))


def _function(metadata: protos.RpcFunctionMetadata) -> Function:
    triggers: list[Mapping[str, Any]] = []
    for text in metadata.raw_bindings:
        binding = json.loads(text)
        match binding["type"]:
            case "httpTrigger" | "timerTrigger":
                triggers.append(binding)
            case "http":
                pass
            case other:
                raise StartError(
                    f"function {metadata.name} has a binding of type {other}: this host serves HTTP and timers"
                )
    if len(triggers) != 1:
        raise StartError(f"function {metadata.name} has {len(triggers)} triggers: it must have one")
    return Function(metadata.name, metadata.function_id, triggers[0])


def _load_failure(exception: protos.RpcException) -> StartError:
    """Say why the app cannot be loaded: with its stack, unless it only lacks settings, which it tells by this name."""
    kind, _, text = exception.message.partition(": ")
    if kind == "SettingsError":
        return StartError("; ".join(text.splitlines()))
    reason = exception.message.strip().split("\n", 1)[0]
    return StartError(f"the app cannot be loaded: {reason}\n{exception.stack_trace}".rstrip())
