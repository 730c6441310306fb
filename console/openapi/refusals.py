"""The errors of an operation, from the table of codes: one answer for each status, shared by all that refuse alike.

Rules of this file: pure. Where an operation leads to the pool, refusals of the pool's own pass, under codes of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from console.openapi.parts import TEXT, Json, answer, content, headers, record, ref, said, schema
from proxy.errors import ERRORS, ErrorCode

# Tollgate answers for these in the pool's stead: the pool's own stand for a failure of Tollgate's, or of the pool's.
_NEVER_THE_POOLS = frozenset({401, 403, 429})

# What Tollgate never sees: every operation is answered so, by the platform.
OF_THE_PLATFORM: Json = {
    "414": {
        "description": "The URL is longer than the platform takes: its query has more than 4 KiB, or all of it 8 KiB."
    }
}

ERROR = record(
    {
        "error": record(
            {
                "code": said(TEXT, "Stable; also in `x-ms-error-code`."),
                "message": said(TEXT, "For people; may change."),
                "target": said(TEXT, "The parameter, the field or the resource at fault."),
                "neededMinutes": {"type": "number", "description": "With `QuotaExceeded`: what the call needs."},
                "remainingMinutes": {"type": "number", "description": "With `QuotaExceeded`: what is left."},
                "quotaEndsAt": {
                    "type": "string",
                    "format": "date-time",
                    "description": "With `QuotaExceeded`: when a new month or day begins.",
                },
            },
            optional=("target", "neededMinutes", "remainingMinutes", "quotaEndsAt"),
        )
    },
    description="A refusal, in the shape of Azure's REST APIs.",
)


@dataclass(frozen=True)
class Refusals:
    """What an operation may be refused with.

    Attributes:
        passes_on: whether refusals of the pool's own pass.
        in_mcp: whether they are told in the form of the Model Context Protocol.
    """

    codes: frozenset[ErrorCode]
    passes_on: bool = False
    in_mcp: bool = False

    @classmethod
    def of(cls, *codes: Iterable[ErrorCode], passes_on: bool = False, in_mcp: bool = False) -> Self:
        """Put groups of codes together."""
        return cls(frozenset().union(*codes), passes_on, in_mcp)

    @cached_property
    def by_status(self) -> dict[str, list[ErrorCode]]:
        """The codes of each status, in the order of the table."""
        found: dict[str, list[ErrorCode]] = {}
        for code, row in sorted(ERRORS.items(), key=lambda item: item[1].status):
            if code in self.codes:
                found.setdefault(str(row.status), []).append(code)
        return found | ({"4XX": []} if self.passes_on else {})

    def answers(self) -> Json:
        """Refer to the answers, by status."""
        own = {status: ref("responses", self._name(status)) for status in self.by_status}
        return own | {status: ref("responses", f"Platform{status}") for status in OF_THE_PLATFORM}

    def components(self) -> Json:
        """Describe the answers, by the names under which they are referred to."""
        return {self._name(status): self._answer(status) for status in self.by_status}

    def _is_open(self, status: str) -> bool:
        return self.passes_on and status.startswith("4") and status not in map(str, _NEVER_THE_POOLS)

    def _name(self, status: str) -> str:
        kind = "McpError" if self.in_mcp else "Error"
        codes = [code.value for code in self.by_status[status]]
        return ".".join([f"{kind}{status}", *codes, *(["Pool"] if self._is_open(status) else [])])

    def _answer(self, status: str) -> Json:
        codes = self.by_status[status]
        sentences = [f"`{code.value}`: {ERRORS[code].text}" for code in codes]
        if self._is_open(status):
            sentences.append("The session pool's own refusals come under the pool's codes.")
        required = ["WWW-Authenticate"] if status == "401" else []
        optional = ["Allow"] if status == "405" else []
        optional += ["Retry-After"] if self._is_open(status) or any(ERRORS[code].retryable for code in codes) else []
        if self.passes_on:
            optional += ["RateLimit-Policy", "RateLimit", "Tollgate-Charged-Minutes", "Tollgate-Session-Paid-Until"]
        (optional if self.in_mcp else required).append("x-ms-error-code")
        shown = content(self._value(status, codes))
        return answer("\n\n".join(sentences), shown, answer_headers=headers(required, optional))

    def _value(self, status: str, codes: Iterable[ErrorCode]) -> Json:
        if self.in_mcp:
            return {"anyOf": [schema("McpReply"), schema("Error")]} if self.passes_on else schema("McpReply")
        if self._is_open(status):
            return schema("Error")
        closed = {"type": "object", "properties": {"code": {"enum": [code.value for code in codes]}}}
        return {"allOf": [schema("Error"), {"type": "object", "properties": {"error": closed}}]}
