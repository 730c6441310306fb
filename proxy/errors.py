"""Every refusal that Tollgate itself makes: one closed table, and the exception that carries a row of it.

Rules of this file: a code is stable and has its heading in `docs/errors.md`; public text never holds a key, a token, a
pool's address or another tenant's words. The body has the Azure REST shape, since the clients and SDKs of the session
API parse it: `{"error": {"code", "message", "target"?}}`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from proxy.messages import GatewayResponse, json_response


class Fault(StrEnum):
    """Who has to act."""

    CALLER = "caller"
    OPERATOR = "operator"
    POOL = "pool"


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One row of the table.

    Attributes:
        status: HTTP status.
        text: the public text where the raiser gives none.
        retryable: whether the same call may succeed later without anyone acting.
        fault: who has to act.
    """

    status: int
    text: str
    retryable: bool
    fault: Fault


class ErrorCode(StrEnum):
    """The stable codes, as they stand in `error.code` and in `x-ms-error-code`."""

    INVALID_API_KEY = "InvalidApiKey"
    SCOPE_NOT_ALLOWED = "ScopeNotAllowed"
    TENANT_SUSPENDED = "TenantSuspended"
    QUOTA_EXCEEDED = "QuotaExceeded"
    TOO_MANY_SESSIONS = "TooManySessions"
    TOO_MANY_CALLS = "TooManyCalls"
    VALIDATION_FAILED = "SessionRequestValidationFailed"
    PROPERTIES_MISSING = "SessionPropertiesMissing"
    OPERATION_NOT_FOUND = "OperationNotFound"
    METHOD_NOT_ALLOWED = "MethodNotAllowed"
    POOL_NOT_FOUND = "PoolNotFound"
    RESOURCE_NOT_FOUND = "ResourceNotFound"
    ADJUSTMENT_EXCEEDS_QUOTA = "AdjustmentExceedsQuota"
    PERIOD_NOT_OVER = "PeriodNotOver"
    PERIOD_CLOSED = "PeriodClosed"
    LENGTH_REQUIRED = "LengthRequired"
    REQUEST_TOO_LARGE = "RequestTooLarge"
    ANSWER_TOO_LARGE = "AnswerTooLarge"
    METERING_UNAVAILABLE = "MeteringUnavailable"
    POOL_BUSY = "PoolBusy"
    POOL_UNAVAILABLE = "PoolUnavailable"
    POOL_TIMEOUT = "PoolTimeout"
    POOL_ANSWER_INVALID = "PoolAnswerInvalid"
    INTERNAL_ERROR = "InternalError"


_C, _O, _P = Fault.CALLER, Fault.OPERATOR, Fault.POOL

ERRORS: Mapping[ErrorCode, ErrorRow] = MappingProxyType(
    {
        ErrorCode.INVALID_API_KEY: ErrorRow(401, "The API key is missing, unknown, expired or revoked.", False, _C),
        ErrorCode.SCOPE_NOT_ALLOWED: ErrorRow(403, "The API key does not carry the scope of this call.", False, _C),
        ErrorCode.TENANT_SUSPENDED: ErrorRow(403, "The tenant is suspended. Ask the operator.", False, _O),
        ErrorCode.QUOTA_EXCEEDED: ErrorRow(403, "The quota does not cover this call.", False, _C),
        ErrorCode.TOO_MANY_SESSIONS: ErrorRow(429, "All of the tenant's concurrent sessions are in use.", True, _C),
        ErrorCode.TOO_MANY_CALLS: ErrorRow(429, "The tenant's calls per minute are used up.", True, _C),
        ErrorCode.VALIDATION_FAILED: ErrorRow(400, "The request is not valid.", False, _C),
        ErrorCode.PROPERTIES_MISSING: ErrorRow(400, "The body has the shape of the other dialect.", False, _C),
        ErrorCode.OPERATION_NOT_FOUND: ErrorRow(404, "There is no such operation.", False, _C),
        ErrorCode.METHOD_NOT_ALLOWED: ErrorRow(405, "This path does not take this method.", False, _C),
        ErrorCode.POOL_NOT_FOUND: ErrorRow(404, "There is no such session pool for this tenant.", False, _C),
        ErrorCode.RESOURCE_NOT_FOUND: ErrorRow(404, "There is no such resource.", False, _C),
        ErrorCode.ADJUSTMENT_EXCEEDS_QUOTA: ErrorRow(409, "The adjustment would exceed the quota.", False, _C),
        ErrorCode.PERIOD_NOT_OVER: ErrorRow(409, "The period cannot be closed yet.", True, _C),
        ErrorCode.PERIOD_CLOSED: ErrorRow(409, "Nothing is booked into that period any more.", False, _C),
        ErrorCode.LENGTH_REQUIRED: ErrorRow(
            411, "A request with a body needs a Content-Length; chunked bodies are not accepted.", False, _C
        ),
        ErrorCode.REQUEST_TOO_LARGE: ErrorRow(413, "The request body is too large.", False, _C),
        ErrorCode.ANSWER_TOO_LARGE: ErrorRow(
            422, "The session's answer is too large to pass on; the call ran, so its charge stands.", False, _C
        ),
        ErrorCode.METERING_UNAVAILABLE: ErrorRow(
            503, "The ledger cannot be reached, so nothing new can be charged. Sessions already paid go on.", True, _O
        ),
        ErrorCode.POOL_BUSY: ErrorRow(503, "The session pool has no session free. Nothing was charged.", True, _P),
        ErrorCode.POOL_UNAVAILABLE: ErrorRow(502, "The session pool cannot be reached. Nothing was charged.", True, _P),
        ErrorCode.POOL_TIMEOUT: ErrorRow(
            504, "The session pool gave no answer; the call may have run, so its charge stands.", False, _P
        ),
        ErrorCode.POOL_ANSWER_INVALID: ErrorRow(
            502, "The session pool's answer makes no sense; the call may have run, so its charge stands.", True, _P
        ),
        ErrorCode.INTERNAL_ERROR: ErrorRow(500, "Tollgate failed. The operator finds the cause in the log.", False, _O),
    }
)


class GatewayError(Exception):
    """A refusal: a row of the table, perhaps with better words than the row's own.

    Attributes:
        code: which row.
        message: public text.
        target: the parameter or resource at fault, if one is.
        retry_after_seconds: goes out as `Retry-After`, whole seconds, at least 1.
        headers: further response headers.
        details: further members of the `error` object.
    """

    def __init__(
        self,
        code: ErrorCode,
        message: str | None = None,
        *,
        target: str | None = None,
        retry_after_seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code.value)
        self.code = code
        self.message = message or ERRORS[code].text
        self.target = target
        self.retry_after_seconds = retry_after_seconds
        self.headers = headers or {}
        self.details = details or {}

    def response(self) -> GatewayResponse:
        """Render the refusal."""
        headers = {"x-ms-error-code": self.code.value, **self.headers}
        if self.code is ErrorCode.INVALID_API_KEY:
            headers["WWW-Authenticate"] = "Bearer"
        if self.retry_after_seconds is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after_seconds)))
        error: dict[str, Any] = {"code": self.code.value, "message": self.message}
        if self.target is not None:
            error["target"] = self.target
        error.update(self.details)
        return json_response({"error": error}, status=ERRORS[self.code].status, headers=headers)
