"""The rim of every surface: refusals become responses, surprises become a 500 without a word of what happened.

The log hears what kind of surprise it was and where, and not its text: that may quote whatever the caller sent.
"""

import logging
import traceback
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
    except Exception as surprise:  # noqa: BLE001 -- nothing may pass
        log.error("call_failed request=%s cause=%s\n%s", request.id, *_kind_and_place(surprise))  # noqa: TRY400
        response = GatewayError(ErrorCode.INTERNAL_ERROR).response()
    return replace(response, headers={**response.headers, REQUEST_ID: request.id})


def _kind_and_place(surprise: Exception) -> tuple[str, str]:
    return type(surprise).__name__, "".join(traceback.format_tb(surprise.__traceback__))
