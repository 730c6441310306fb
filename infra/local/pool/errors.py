"""What the pool refuses and how it says so: one table of problems, one shape of body.

The codes that the service is known to use keep their spelling and status; where only the status is known, the code
is this stand-in's own.
"""

import uuid
from dataclasses import dataclass
from enum import Enum
from typing import Any


@dataclass(frozen=True, slots=True)
class _Row:
    status: int
    code: str


class Problem(Enum):
    """Every way in which a request can be refused."""

    VALIDATION = _Row(400, "SessionRequestValidationFailed")
    NOT_SUPPORTED = _Row(400, "SessionRequestNotSupported")
    PROPERTIES_MISSING = _Row(400, "SessionPropertiesMissing")
    SESSION_UNKNOWN = _Row(400, "SessionWithIdentifierNotFound")
    UNAUTHORIZED = _Row(401, "Unauthorized")
    ENDPOINT_UNKNOWN = _Row(404, "EndpointNotFound")
    FILE_UNKNOWN = _Row(404, "FileNotFound")
    EXECUTION_UNKNOWN = _Row(404, "ExecutionNotFound")
    TOO_LARGE = _Row(413, "RequestTooLarge")
    POOL_FULL = _Row(429, "MaxConcurrentSessionsReached")
    INTERNAL = _Row(500, "InternalServerError")
    CONTAINER_FAILED = _Row(502, "SessionContainerFailed")
    NO_KERNEL = _Row(503, "SessionAllocationFailed")

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.value.status

    @property
    def code(self) -> str:
        """The code in the body and in `x-ms-error-code`."""
        return self.value.code


class PoolError(Exception):
    """A refusal on its way to the caller."""

    def __init__(self, problem: Problem, message: str, *, target: str | None = None) -> None:
        super().__init__(message)
        self.problem = problem
        self.message = message
        self.target = target

    def body(self) -> dict[str, Any]:
        """Return the error document, with a trace id of its own."""
        error: dict[str, Any] = {"code": self.problem.code, "message": self.message}
        if self.target is not None:
            error["target"] = self.target
        error["traceId"] = uuid.uuid4().hex
        return {"error": error}


class StartError(Exception):
    """The pool, or one kernel or container, cannot start; the message is one line that says why."""
