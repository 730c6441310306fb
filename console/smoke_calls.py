"""The calls of the smoke test: the README's first one, and those that look at what it cost.

Rules of this file: a call that is not answered as it should be is a CommandError that says what came instead.
"""

from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import httpx

from console.backends import NOT_REACHABLE, REFUSED, CommandError, Json, read_answer

CODE, RESULT = "40 + 2", 42
EXECUTE_VERSION, SESSION_VERSION = "2024-02-02-preview", "2025-02-02-preview"

_CHARGED, _REVERSED, _PAID_UNTIL = (
    "tollgate-charged-minutes",
    "tollgate-reversed-minutes",
    "tollgate-session-paid-until",
)
_NO_SUCH_CALL = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})


@dataclass(frozen=True, slots=True)
class Ran:
    """What an execution was charged."""

    minutes: Decimal
    paid_until: str


@dataclass(frozen=True, slots=True)
class Sums:
    """What a statement, or several of them, say was charged and taken back."""

    charged: Decimal
    reversed: Decimal

    def __sub__(self, other: "Sums") -> "Sums":
        """Return what came since."""
        return Sums(self.charged - other.charged, self.reversed - other.reversed)


@dataclass(frozen=True, slots=True)
class Caller:
    """A tenant's calls on one session; a `key` of None leaves the client its own, for what looks at none."""

    client: httpx.AsyncClient
    key: str | None
    session: str

    async def ask(self, method: str, path: str, body: Json | None = None) -> httpx.Response:
        """Make a call. Raises CommandError if no answer comes."""
        headers = {} if self.key is None else {"Authorization": f"Bearer {self.key}"}
        try:
            return await self.client.request(method, path, json=body, headers=headers)
        except httpx.TransportError as error:
            words = "no answer came in time" if isinstance(error, httpx.TimeoutException) else str(error)
            raise CommandError(f"{self.where} cannot be reached: {words}", exit_status=NOT_REACHABLE) from None

    async def read(self, path: str) -> Json:
        """Read JSON. Raises CommandError for every refusal."""
        answer = await self.ask("GET", path)
        return read_answer(answer.status_code, answer.content, self.where)

    async def execute(self) -> Ran:
        """Run the README's code, and see that it was counted. Raises CommandError for anything but its result."""
        body = {"properties": {"codeInputType": "inline", "executionType": "synchronous", "code": CODE}}
        answer = await self.ask("POST", f"/code/execute?{self._query(EXECUTE_VERSION)}", body)
        try:
            value = read_answer(answer.status_code, answer.content, self.where)
        except CommandError as error:
            if answer.status_code not in _NO_SUCH_CALL:
                raise
            hint = "smoke runs Python: is the tenant's first pool of another kind?"
            raise CommandError(f"{error}; {hint}", exit_status=error.exit_status, code=error.code) from None
        properties = value.get("properties")
        result = properties.get("result") if isinstance(properties, dict) else None
        if type(result) is not int or result != RESULT:
            raise CommandError(f"{CODE} gave {_short(result)} instead of {RESULT}", exit_status=REFUSED)
        if "ratelimit" not in answer.headers:
            raise CommandError("the answer does not say what is left of the quota (RateLimit)", exit_status=REFUSED)
        return Ran(minutes_in(answer, _CHARGED), _header(answer, _PAID_UNTIL))

    async def usage(self, period: str | None = None) -> tuple[str, Sums, Json]:
        """Read the month and what was charged in it, of this month and of the one given, if that is another."""
        statement = await self.read("/usage")
        charged = [statement["minutes"]]
        if period not in {None, statement["period"]}:
            charged.append((await self.read(f"/usage?period={period}"))["minutes"])
        sums = Sums(
            *(sum((Decimal(str(each[name])) for each in charged), Decimal()) for name in ("charged", "reversed"))
        )
        return statement["period"], sums, statement

    async def would_return(self) -> Decimal:
        """Read what ending the session would give back now. Raises CommandError if it is not open."""
        for each in (await self.read("/usage/sessions"))["sessions"]:
            if each["session"] == self.session:
                return Decimal(str(each["would_return_minutes"]))
        raise CommandError("the session is not among the open ones (/usage/sessions)", exit_status=REFUSED)

    async def end(self) -> Decimal:
        """End the session; return the minutes that came back."""
        answer = await self.ask("DELETE", f"/session?{self._query(SESSION_VERSION)}")
        if answer.status_code >= HTTPStatus.MULTIPLE_CHOICES:
            read_answer(answer.status_code, answer.content, self.where)
        return minutes_in(answer, _REVERSED)

    @property
    def where(self) -> str:
        """The deployment's address."""
        return str(self.client.base_url).rstrip("/")

    def _query(self, version: str) -> str:
        return urlencode({"api-version": version, "identifier": self.session})


def minutes_in(answer: httpx.Response, name: str) -> Decimal:
    """Read a header that holds minutes. Raises CommandError if there is none."""
    text = _header(answer, name)
    if not text.replace(".", "", 1).isdecimal():
        raise CommandError(f"the header {name} holds no minutes", exit_status=REFUSED)
    return Decimal(text)


def _header(answer: httpx.Response, name: str) -> str:
    if name not in answer.headers:
        raise CommandError(f"the answer has no header {name}", exit_status=REFUSED)
    return answer.headers[name]


def _short(value: Any) -> str:
    text = "no result" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
