"""One call, straight down: who is it, what is asked, which session, is it paid for, forward, settle, translate back.

All branching of the request path is in `Gateway.handle` and the steps right below it. Before the pool hears of a call
the ledger fails closed; after that, the ledger never costs the caller the answer.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from metering.clock import Clock
from metering.increments import Granularity
from metering.meter import Admission, Ending, Meter, Outcome
from metering.requests import Admit, Quota, QuotaExceeded, TooManySessions
from metering.store import LedgerUnavailable
from proxy import answers, headers, identifiers, operations
from proxy.errors import ErrorCode, GatewayError
from proxy.messages import GatewayRequest, GatewayResponse
from proxy.operations import Body, Effect, Operation
from proxy.pool import Answered, NoAnswer, NotSent, PoolCall, PoolOutcome, Refused, SessionPool, choose_endpoint
from proxy.tenants import Principal, Tenant, credential_from

LEDGER_RETRY_SECONDS = 5
POOL_RETRY_SECONDS = 10

log = logging.getLogger("tollgate.gateway")


class Authenticator(Protocol):
    """Proves API keys."""

    async def authenticate(self, credential: str | None) -> Principal:
        """Return who presents this key. Raises GatewayError: InvalidApiKey, MeteringUnavailable."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One call of a tenant on one of its sessions, understood."""

    id: str
    tenant: Tenant
    quota: Quota
    operation: Operation
    names: answers.Names
    forward: PoolCall


class Gateway:
    """Carries tenants' calls to the pool and meters them; safe to use from any number of tasks."""

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        meter: Meter,
        pool: SessionPool,
        endpoints: Sequence[str],
        namespace_secret: bytes,
        granularity: Granularity,
        clock: Clock,
        body_bytes_max: int,
    ) -> None:
        self._authenticator = authenticator
        self._meter = meter
        self._pool = pool
        self._endpoints = endpoints
        self._namespace_secret = namespace_secret
        self._granularity = granularity
        self._clock = clock
        self._body_bytes_max = body_bytes_max

    async def handle(self, request: GatewayRequest) -> GatewayResponse:
        """Carry one call to the tenant's session, and charge exactly that tenant for it.

        Raises:
            GatewayError: every refusal of Tollgate's own.
        """
        principal = await self._authenticator.authenticate(credential_from(request.headers))
        found = operations.match(request.method, request.path)
        principal.require(found.operation.scope)
        assert principal.tenant is not None, "only a tenant's key carries the scopes of operations"
        call = self._understand(request, principal.tenant, found)

        if found.operation.effect in {Effect.OBSERVES, Effect.ENDS}:
            return await self._look_or_end(call)

        admission = await self._admit(call)
        outcome: PoolOutcome = NoAnswer("cancelled")
        try:
            outcome = await self._pool.send(call.forward)
        finally:
            taken_back = await self._settle(call, admission, outcome)
        charged = admission.increments - taken_back
        bill = headers.of_charge(self._granularity, charged, None if taken_back else admission.paid_until)
        return self._answer(call, outcome, {**bill, **self._limits(call)}, still_charged=charged > 0)

    def _understand(self, request: GatewayRequest, tenant: Tenant, found: operations.Match) -> _Call:
        """Check what the call says, and turn the session's name into what the pool calls it. Nothing is charged yet."""
        operation = found.operation
        self._check_length(request, operation)
        query = identifiers.read_query(request.query, operation.query)
        identifier = identifiers.pool_identifier(self._namespace_secret, tenant.id, query.session_name)
        body = request.body
        if operation.body is Body.CODE:
            body = identifiers.rewrite_body(body, operation.dialect, query.session_name, identifier)
        endpoint = choose_endpoint(self._endpoints, identifier)
        return _Call(
            id=request.id,
            tenant=tenant,
            quota=tenant.quota(self._granularity),
            operation=operation,
            names=answers.Names(
                session_name=query.session_name, pool_identifier=identifier, origin=request.origin, endpoint=endpoint
            ),
            forward=PoolCall(
                endpoint=endpoint,
                method=operation.method,
                path=found.pool_path,
                query=query.for_pool(identifier),
                headers=headers.to_pool(request.headers),
                body=body,
                effect=operation.effect,
            ),
        )

    def _check_length(self, request: GatewayRequest, operation: Operation) -> None:
        """Refuse a body that the host has not handed over (chunked ones arrive empty), and one that is too large."""
        length = request.headers.get("content-length", "")
        chunked = "transfer-encoding" in request.headers
        if chunked or (operation.body is not Body.NONE and not length.isdecimal()):
            raise GatewayError(ErrorCode.LENGTH_REQUIRED)
        if max(len(request.body), int(length or 0)) > self._body_bytes_max:
            raise GatewayError(
                ErrorCode.REQUEST_TOO_LARGE, f"The request body is larger than {self._body_bytes_max} bytes."
            )

    async def _admit(self, call: _Call) -> Admission:
        request = Admit(
            pool_identifier=call.names.pool_identifier,
            session_name=call.names.session_name,
            operation=call.operation.name,
            request_id=call.id,
            quota=call.quota,
        )
        try:
            answer = await self._meter.admit(call.tenant.id, request)
        except LedgerUnavailable as error:
            log.warning("call_not_admitted tenant=%s cause=%s", call.tenant.id, error)
            raise GatewayError(
                ErrorCode.METERING_UNAVAILABLE, retry_after_seconds=LEDGER_RETRY_SECONDS, headers=self._limits(call)
            ) from error
        match answer:
            case QuotaExceeded():
                raise self._over_quota(call, answer)
            case TooManySessions():
                wait = (answer.free_at - self._clock()).total_seconds()
                raise GatewayError(
                    ErrorCode.TOO_MANY_SESSIONS,
                    f"All {answer.limit} concurrent sessions are in use; "
                    f"one is free at {headers.instant(answer.free_at)} unless it is used again.",
                    retry_after_seconds=wait,
                    headers=self._limits(call),
                )
            case Admission():
                return answer

    def _over_quota(self, call: _Call, refusal: QuotaExceeded) -> GatewayError:
        minutes = self._granularity.minutes
        needed, remaining = headers.number(minutes(refusal.needed)), headers.number(minutes(refusal.remaining))
        span, until = "day" if refusal.daily else "month", headers.instant(refusal.until)
        return GatewayError(
            ErrorCode.QUOTA_EXCEEDED,
            f"This call needs {needed} more session minutes; {remaining} are left of this {span}'s quota, "
            f"which ends at {until}.",
            headers=self._limits(call),
            details={"neededMinutes": float(needed), "remainingMinutes": float(remaining), "quotaEndsAt": until},
        )

    async def _settle(self, call: _Call, admission: Admission, outcome: PoolOutcome) -> int:
        """Tell the meter what became of the call; return the increments taken back."""
        ran = isinstance(outcome, Answered | NoAnswer)
        try:
            return await self._meter.settle(admission, Outcome.RAN if ran else Outcome.DID_NOT_RUN)
        except LedgerUnavailable as error:
            log.error("charge_not_reversed tenant=%s request=%s cause=%s", call.tenant.id, call.id, error)  # noqa: TRY400
            return 0

    async def _look_or_end(self, call: _Call) -> GatewayResponse:
        """Carry a call that takes no session of the pool, and so is not charged."""
        ending = self._meter.ending(call.names.pool_identifier) if call.operation.effect is Effect.ENDS else None
        outcome = await self._pool.send(call.forward)
        bill: dict[str, str] = {}
        if call.operation.effect is Effect.ENDS and isinstance(outcome, Answered) and outcome.answer.status < 300:
            given_back = await self._end(call, ending)
            bill = {"Tollgate-Reversed-Minutes": headers.number(self._granularity.minutes(given_back))}
        return self._answer(call, outcome, {**bill, **self._limits(call)}, still_charged=False)

    async def _end(self, call: _Call, ending: Ending | None) -> int:
        try:
            return await self._meter.end(call.tenant.id, ending, operation=call.operation.name, request_id=call.id)
        except LedgerUnavailable as error:
            log.warning("window_not_ended tenant=%s request=%s cause=%s", call.tenant.id, call.id, error)
            return 0

    def _answer(
        self, call: _Call, outcome: PoolOutcome, extra: dict[str, str], *, still_charged: bool
    ) -> GatewayResponse:
        """Turn what became of the call into the tenant's answer; the pool's own failures become refusals of ours."""
        note = " Its charge stands for now." if still_charged else " Nothing was charged."
        match outcome:
            case NotSent(reason):
                log.warning("pool_not_reached tenant=%s request=%s cause=%s", call.tenant.id, call.id, reason)
                raise _unavailable("The session pool cannot be reached." + note, extra)
            case NoAnswer(reason):
                log.warning("pool_gave_no_answer tenant=%s request=%s cause=%s", call.tenant.id, call.id, reason)
                raise GatewayError(ErrorCode.POOL_TIMEOUT, headers=extra)
            case Refused(_, busy=True):
                log.warning("pool_busy tenant=%s request=%s", call.tenant.id, call.id)
                raise GatewayError(
                    ErrorCode.POOL_BUSY,
                    "The session pool has no session free." + note,
                    retry_after_seconds=POOL_RETRY_SECONDS,
                    headers=extra,
                )
            case Refused(answer) if answer.status in {401, 403}:
                log.error("pool_refused_tollgate request=%s status=%d", call.id, answer.status)
                raise _unavailable("The session pool does not accept Tollgate." + note, extra)
            case Answered(answer) if answer.status >= 500:
                log.warning("pool_failed tenant=%s request=%s status=%d", call.tenant.id, call.id, answer.status)
                raise _unavailable("The session pool failed; the call may have run, so its charge stands.", extra)
            case Refused(answer) | Answered(answer):
                response = answers.translate(answer, call.names)
                return replace(response, headers={**response.headers, **extra})

    def _limits(self, call: _Call) -> dict[str, str]:
        standing = self._meter.standing(call.tenant.id)
        return headers.of_limits(self._granularity, call.quota, standing, self._clock())


def _unavailable(message: str, extra: dict[str, str]) -> GatewayError:
    return GatewayError(ErrorCode.POOL_UNAVAILABLE, message, retry_after_seconds=POOL_RETRY_SECONDS, headers=extra)
