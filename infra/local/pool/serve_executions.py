"""The operations that run code or commands, in both dialects, and the report of one that is running."""

import asyncio
import contextlib
import re
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from infra.local.pool import shapes
from infra.local.pool.bodies import BodyShape, read_execution
from infra.local.pool.errors import PoolError, Problem
from infra.local.pool.executions import Execution, ExecutionRequest, Workbench
from infra.local.pool.sessions import Session, Sessions
from infra.local.pool.settings import PoolSettings
from infra.local.pool.versions import ApiVersion
from infra.local.pool.web import Call, Reply

type _Shape = Callable[[Execution, str], dict[str, Any]]

_OPERATION_ID = re.compile(r"[A-Za-z0-9\-_.]{1,128}")
_ENVELOPE = BodyShape(wrapped=True)
_FLAT = BodyShape(wrapped=False)
# Its streams have been seen cut at exactly 4,096 bytes.
_SHELL = BodyShape(wrapped=False, code_field="shellCommand", streams_adjustable=False)


class ExecutionOperations:
    """Runs code for callers, at once or in the background."""

    def __init__(self, sessions: Sessions[Workbench], settings: PoolSettings) -> None:
        self._sessions = sessions
        self._settings = settings
        self._background: set[asyncio.Task[None]] = set()

    async def execute_enveloped(self, call: Call) -> Reply:
        """Serve `POST /code/execute`."""
        request = await self._read(call, _ENVELOPE)
        execution = _execution(call, request)
        with self._sessions.visit(call.identifier) as visit:
            begun = time.monotonic()
            outcome = await visit.session.inside.run(request, execution)
            headers = self._headers(execution, visit.session, is_new=visit.is_new, begun=begun)
            return Reply(document=shapes.enveloped_execution(outcome), headers=headers)

    async def execute_flat(self, call: Call) -> Reply:
        """Serve `POST /executions`."""
        return await self._execute(call, _FLAT, shapes.flat_execution)

    async def execute_shell(self, call: Call) -> Reply:
        """Serve `POST /executions` of a shell pool."""
        if call.version < ApiVersion.FEBRUARY_2025:
            raise _no_shell()
        return await self._execute(call, _SHELL, shapes.shell_execution)

    async def refuse_shell(self, call: Call) -> Reply:  # noqa: ARG002 -- all handlers take the call
        """Serve `POST /code/execute` of a shell pool: that path belongs to the versions that know no shell."""
        raise _no_shell()

    async def get_flat(self, call: Call) -> Reply:
        """Serve `GET /executions/{executionId}`."""
        return self._get(call, shapes.flat_execution)

    async def get_shell(self, call: Call) -> Reply:
        """Serve `GET /executions/{executionId}` of a shell pool."""
        return self._get(call, shapes.shell_execution)

    async def _execute(self, call: Call, shape: BodyShape, write: _Shape) -> Reply:
        request = await self._read(call, shape)
        execution = _execution(call, request)
        with self._sessions.visit(call.identifier) as visit:
            workbench = visit.session.inside
            workbench.executions.open(execution)
            begun = time.monotonic()
            status = 202
            if request.asynchronous:
                self._run_in_background(visit.session, request, execution)
            else:
                await workbench.run(request, execution)
                status = int(self._settings.accepted_status)
            headers = self._headers(execution, visit.session, is_new=visit.is_new, begun=begun)
            headers["operation-location"] = self._location(call, execution)
            return Reply(status=status, document=write(execution, call.identifier), headers=headers)

    def _get(self, call: Call, write: _Shape) -> Reply:
        with self._sessions.visit(call.identifier) as visit:
            execution = visit.session.inside.executions.get(call.names["id"])
            if execution is None:
                message = f"No execution available for operation Id: {call.names['id']}"
                raise PoolError(Problem.EXECUTION_UNKNOWN, message)
            return Reply(document=write(execution, call.identifier))

    async def _read(self, call: Call, shape: BodyShape) -> ExecutionRequest:
        longest = self._settings.execution_seconds
        return read_execution(await call.body.read(), shape, version=call.version, longest_seconds=longest)

    def _run_in_background(self, session: Session[Workbench], request: ExecutionRequest, execution: Execution) -> None:
        session.visits += 1  # it stays in the session after the call that began it

        async def run() -> None:
            try:
                with contextlib.suppress(PoolError):  # the outcome says so, to whoever asks for it
                    await session.inside.run(request, execution)
            finally:
                session.visits -= 1

        task = asyncio.create_task(run())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _headers(
        self, execution: Execution, session: Session[Workbench], *, is_new: bool, begun: float
    ) -> dict[str, str]:
        """Return the headers of executions; those that tell times and the session come from Python pools only.

        Times are milliseconds, written as the service writes them.
        """
        if self._settings.kind != "python":
            return {"operation-id": execution.id}
        total = (time.monotonic() - begun) * 1000
        running = execution.outcome.milliseconds if execution.outcome else 0
        return {
            "operation-id": execution.id,
            "x-ms-session-guid": session.etag,
            "x-ms-new-allocation": str(is_new).lower(),
            "x-ms-allocation-time": str(execution.allocation_milliseconds),
            "x-ms-allocation-retries": "0",
            "x-ms-preparation-time": "0",
            "x-ms-container-execution-duration": str(running),
            "x-ms-execution-request-time": f"{total:.6f}",
            "x-ms-execution-read-response-time": "0",
            "x-ms-overall-execution-time": f"{total:.6f}",
            "x-ms-total-execution-service-time": f"{total:.6f}",
        }

    def _location(self, call: Call, execution: Execution) -> str:
        path = f"/executions/{execution.id}?api-version={call.version}&identifier={quote(call.identifier, safe='')}"
        absolute = self._settings.operation_location == "absolute"
        return f"http://{call.headers.get('host', '127.0.0.1')}{path}" if absolute else path


def _execution(call: Call, request: ExecutionRequest) -> Execution:
    wanted = call.headers.get("operation-id") or str(uuid.uuid4())
    if not _OPERATION_ID.fullmatch(wanted):
        raise PoolError(Problem.VALIDATION, "The operation id is not allowed.", target="operation-id")
    return Execution(id=wanted, asynchronous=request.asynchronous)


def _no_shell() -> PoolError:
    # The service names this version, whichever the caller asked for.
    message = "Shell execution is not supported in API version 2023-08-01-preview."
    return PoolError(Problem.NOT_SUPPORTED, message, target="api-version")
