"""One call, straight down: who is it, what is asked, which session, is it paid for, forward, settle, translate back.

All branching of the request path is in `Gateway.handle` and the steps right below it. Before the pool hears of a call
the ledger fails closed; after that, the ledger never costs the caller the answer.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from metering.admissions import Admission, Ending, Outcome
from metering.clock import Clock
from metering.increments import Granularity
from metering.meter import Meter
from metering.requests import Admit
from metering.store import LedgerUnavailable
from proxy import answers, calls, early_routes, headers, operations, refusals
from proxy.answers import UnusableAnswer
from proxy.call_rates import CallRates
from proxy.calls import Call
from proxy.errors import ErrorCode, GatewayError
from proxy.messages import GatewayRequest, GatewayResponse
from proxy.operations import Dialect, Effect
from proxy.pool import Answered, NoAnswer, NotSent, PoolOutcome, Refused, SessionPool
from proxy.pools import Pool
from proxy.telemetry import CallRecord, Telemetry
from proxy.tenants import Principal, credential_from

POOL_RETRY_SECONDS = 10

# What the pool says when it takes no session for a call; a container may say the same, and have run.
_DOUBTFUL = frozenset({401, 403, 404, 429})

log = logging.getLogger("tollgate.gateway")


class Authenticator(Protocol):
    """Proves API keys."""

    async def authenticate(self, credential: str | None) -> Principal:
        """Return who presents this key. Raises GatewayError: InvalidApiKey, MeteringUnavailable."""
        ...


class SessionLister(Protocol):
    """Names a tenant's sessions."""

    async def answer(self, call: Call) -> GatewayResponse:
        """Answer a call that asks for them. Raises GatewayError: MeteringUnavailable, PoolUnavailable, PoolTimeout."""
        ...


class Gateway:
    """Carries tenants' calls to the pools and meters them; safe to use from any number of tasks."""

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        meter: Meter,
        pool: SessionPool,
        pools: Sequence[Pool],
        sessions: SessionLister,
        namespace_secret: bytes,
        granularity: Granularity,
        clock: Clock,
        body_bytes_max: int,
        telemetry: Telemetry,
    ) -> None:
        self._authenticator = authenticator
        self._meter = meter
        self._pool = pool
        self._pools: Mapping[str, Pool] = {pool.name: pool for pool in pools}
        self._sessions = sessions
        self._namespace_secret = namespace_secret
        self._granularity = granularity
        self._clock = clock
        self._body_bytes_max = body_bytes_max
        self._telemetry = telemetry
        self._rates = CallRates(clock)

    async def handle(self, request: GatewayRequest) -> GatewayResponse:
        """Carry one call to the tenant's session, and charge exactly that tenant for it.

        Raises:
            GatewayError: every refusal of Tollgate's own.
        """
        if not early_routes.is_execute(request.path):
            return await self._handle(request)
        try:
            response = await self._handle(request)
        except GatewayError as refusal:
            response = refusal.response()
        return early_routes.visible_error(response)

    async def _handle(self, request: GatewayRequest) -> GatewayResponse:
        with self._telemetry.call(request.id) as record:
            principal = await self._authenticator.authenticate(credential_from(request.headers))
            record.tenant_id = "" if principal.tenant is None else principal.tenant.id
            self._rates.take(principal.calling_tenant())
            response = await self.carry(principal, request, record)
            record.status = response.status
            return response

    async def carry(self, principal: Principal, request: GatewayRequest, record: CallRecord) -> GatewayResponse:
        """Carry one call for who is proven to be calling; the headers' key is not looked at.

        The call does not count as one of the tenant's calls in a minute. `record` is told what becomes known of it.

        Raises:
            GatewayError: every refusal of Tollgate's own.
        """
        tenant = principal.calling_tenant()
        route = calls.choose_pool(tenant, self._pools, request.path)
        found = operations.match(request.method, route.path, route.pool.kind)
        record.pool, record.operation = route.pool.name, found.operation.name
        principal.require(found.operation.scope)
        calls.check_length(request, found.operation, self._body_bytes_max)
        call = calls.understand(request, tenant, route, found, self._namespace_secret)

        if call.operation.effect is Effect.LISTS:
            return await self._sessions.answer(call)
        if call.operation.effect in (Effect.OBSERVES, Effect.ENDS, Effect.DESCRIBES):
            return await self._look_or_end(call)

        admission = await self._admit(call)
        outcome: PoolOutcome = NoAnswer("cancelled")
        try:
            outcome = await self._resolve(call, admission, await self._pool.send(call.forward))
        finally:
            taken_back = await self._settle(call, admission, outcome)
        charged = admission.increments - taken_back
        record.charged_minutes = self._granularity.minutes(charged)
        bill = headers.of_charge(self._granularity, charged, None if taken_back else admission.paid_until)
        return self._answer(
            call, outcome, {**bill, **_freshness(admission, outcome), **self._limits(call)}, still_charged=charged > 0
        )

    async def _admit(self, call: Call) -> Admission:
        request = Admit(
            pool_identifier=call.names.pool_identifier,
            session_name=call.names.session_name,
            operation=call.ledger_name,
            request_id=call.id,
            quota=call.tenant.quota(self._granularity),
        )
        try:
            answer = await self._meter.admit(call.tenant.id, request)
        except LedgerUnavailable as error:
            log.warning("call_not_admitted tenant=%s cause=%s", call.tenant.id, error)
            raise refusals.metering_unavailable(headers=self._limits(call)) from error
        if isinstance(answer, Admission):
            return answer
        raise refusals.not_admitted(answer, self._granularity, now=self._clock(), headers=self._limits(call))

    async def _resolve(self, call: Call, admission: Admission, outcome: PoolOutcome) -> PoolOutcome:
        """Ask the pool where an answer could be its refusal as well as the container's own words.

        Only a charge that could be taken back is worth asking for; what the container says decides no money.
        """
        if call.operation.effect is not Effect.PASSES or not admission.charges or not isinstance(outcome, Answered):
            return outcome
        if outcome.answer.status not in _DOUBTFUL:
            return outcome
        held = await self._pool.send(calls.look_at_session(call))
        if not isinstance(held, Answered | Refused):
            return outcome
        shut_out = held.answer.status == outcome.answer.status and held.answer.status in {401, 403}
        if shut_out or answers.says_no_session(held.answer):
            return Refused(outcome.answer, busy=outcome.answer.status == 429)
        return outcome

    async def _settle(self, call: Call, admission: Admission, outcome: PoolOutcome) -> int:
        """Tell the meter what became of the call; return the increments taken back."""
        ran = isinstance(outcome, Answered | NoAnswer)
        try:
            return await self._meter.settle(admission, Outcome.RAN if ran else Outcome.DID_NOT_RUN)
        except LedgerUnavailable as error:
            log.error("charge_not_reversed tenant=%s request=%s cause=%s", call.tenant.id, call.id, error)  # noqa: TRY400
            return 0

    async def _look_or_end(self, call: Call) -> GatewayResponse:
        """Carry a call that takes no session of the pool, and so is not charged."""
        ending = self._meter.ending(call.names.pool_identifier) if call.operation.effect is Effect.ENDS else None
        outcome = await self._pool.send(call.forward)
        bill: dict[str, str] = {}
        if call.operation.effect is Effect.ENDS and isinstance(outcome, Answered) and outcome.answer.status < 300:
            given_back = await self._end(call, ending)
            bill = {"Tollgate-Reversed-Minutes": headers.number(self._granularity.minutes(given_back))}
        return self._answer(call, outcome, {**bill, **self._limits(call)}, still_charged=False)

    async def _end(self, call: Call, ending: Ending | None) -> int:
        try:
            return await self._meter.end(call.tenant.id, ending, operation=call.ledger_name, request_id=call.id)
        except LedgerUnavailable as error:
            log.warning("window_not_ended tenant=%s request=%s cause=%s", call.tenant.id, call.id, error)
            return 0

    def _answer(
        self, call: Call, outcome: PoolOutcome, extra: dict[str, str], *, still_charged: bool
    ) -> GatewayResponse:
        """Turn what became of the call into the tenant's answer; the pool's own failures become refusals of ours."""
        note = " Its charge stands for now." if still_charged else " Nothing was charged."
        match outcome:
            case NotSent(reason):
                log.warning("pool_not_reached tenant=%s request=%s cause=%s", call.tenant.id, call.id, reason)
                raise _unavailable("The session pool cannot be reached." + note, extra)
            case NoAnswer(_, too_large=True):
                raise GatewayError(ErrorCode.ANSWER_TOO_LARGE, headers=extra)
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
            case Answered(answer) if answer.status >= 500 and call.operation.effect is not Effect.PASSES:
                log.warning("pool_failed tenant=%s request=%s status=%d", call.tenant.id, call.id, answer.status)
                raise _unavailable("The session pool failed; the call may have run, so its charge stands.", extra)
            case Refused(answer) | Answered(answer):
                response = self._translate(call, answer, extra)
                return replace(response, headers={**response.headers, **extra})

    def _translate(self, call: Call, answer: answers.PoolAnswer, extra: dict[str, str]) -> GatewayResponse:
        try:
            response = answers.translate(answer, call.names, call.operation)
            early = call.operation.dialect is Dialect.EARLY
            return early_routes.early_answer(call.operation.name, response) if early else response
        except UnusableAnswer as error:
            log.warning("pool_answer_invalid tenant=%s request=%s cause=%s", call.tenant.id, call.id, error)
            raise GatewayError(
                ErrorCode.POOL_ANSWER_INVALID, retry_after_seconds=POOL_RETRY_SECONDS, headers=extra
            ) from error

    def _limits(self, call: Call) -> dict[str, str]:
        standing = self._meter.standing(call.tenant.id)
        return headers.of_limits(self._granularity, call.tenant.quota(self._granularity), standing, self._clock())


def _freshness(admission: Admission, outcome: PoolOutcome) -> dict[str, str]:
    """Say whether the call met a fresh session: by the pool's word where it gives one, otherwise by the ledger's.

    Time that was not paid for is time in which the pool may have ended the session.
    """
    if not isinstance(outcome, Answered):
        return {}
    told = headers.is_new_session(outcome.answer.headers)
    return headers.of_session(is_new=admission.opens_window if told is None else told)


def _unavailable(message: str, extra: dict[str, str]) -> GatewayError:
    return GatewayError(ErrorCode.POOL_UNAVAILABLE, message, retry_after_seconds=POOL_RETRY_SECONDS, headers=extra)
