"""The rim of every surface: refusals become responses, surprises become a 500 without a word of what happened."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from proxy.errors import ErrorCode, GatewayError
from proxy.headers import REQUEST_ID
from proxy.messages import GatewayRequest, GatewayResponse

log = logging.getLogger("tollgate")

type Handler = Callable[[GatewayRequest], Awaitable[GatewayResponse]]


async def answer(handler: Handler, request: GatewayRequest) -> GatewayResponse:
    """Answer a call, whatever the handler does; raises nothing but cancellation."""
    try:
        response = await handler(request)
    except GatewayError as refusal:
        response = refusal.response()
    except Exception:
        log.exception("call_failed request=%s", request.id)
        response = GatewayError(ErrorCode.INTERNAL_ERROR).response()
    return replace(response, headers={**response.headers, REQUEST_ID: request.id})
