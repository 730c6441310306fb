"""The triggers: bind, call, convert. Everything else is in `proxy` and `console`.

The host tries functions in the order of their names, ignoring case, and the first whose route matches wins, so the
catch-all's name sorts last.
"""

import functools
import logging
import uuid
from dataclasses import dataclass
from urllib.parse import urlsplit

import azure.functions as func

from console.dashboard.page import serve_dashboard
from console.openapi.document import describe
from console.wiring import build_apis
from proxy.alerting import AlertDelivery
from proxy.answering import Handler, answer
from proxy.bootstrap import build
from proxy.capacity import CapacityWatch
from proxy.housekeeping import Housekeeping
from proxy.messages import GatewayRequest
from proxy.settings import Settings, read_settings
from proxy.telemetry import is_exported

# One line per invocation and more would cost the worker about as much as half a call.
logging.getLogger("azure").setLevel(logging.WARNING)
if is_exported():  # the worker has started an SDK before it loads this file; its exporter takes the lines in batches
    logging.getLogger("tollgate.ledger").setLevel(logging.INFO)

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)  # Tollgate proves its tenants itself
settings = read_settings(Settings)  # at start, so that a setting that cannot work fails there


@dataclass(frozen=True, slots=True)
class Surfaces:
    """The handlers behind the triggers."""

    pool: Handler
    operator: Handler
    tenant: Handler
    identity: Handler
    mcp: Handler
    health: Handler
    housekeeping: Housekeeping
    capacity: CapacityWatch
    alert_delivery: AlertDelivery


@functools.cache
def surfaces() -> Surfaces:
    """Build the handlers at the first call: their connections belong to the event loop that serves."""
    parts = build(settings)
    operator, tenant = build_apis(parts.ledger, pool_sessions=parts.pool_sessions, sessions=parts)
    return Surfaces(
        pool=parts.gateway.handle,
        operator=operator.handle,
        tenant=tenant.handle,
        identity=parts.identity.handle,
        mcp=parts.mcp.handle,
        health=parts.health.handle,
        housekeeping=parts.housekeeping,
        capacity=parts.capacity,
        alert_delivery=parts.ledger.alert_delivery,
    )


@app.function_name("healthz")
@app.route("healthz", methods=["GET"])
async def healthz(req: func.HttpRequest) -> func.HttpResponse:
    """Say whether this instance lives and, asked with `ready=1`, whether it can work."""
    return await _serve(surfaces().health, req)


@app.function_name("operator")
@app.route("operator/{*rest}")
async def operator(req: func.HttpRequest) -> func.HttpResponse:
    """Serve the operator API."""
    return await _serve(surfaces().operator, req)


@app.function_name("usage")
@app.route("usage/{*rest}", methods=["GET"])
async def usage(req: func.HttpRequest) -> func.HttpResponse:
    """Serve a tenant's own statement and entries."""
    return await _serve(surfaces().tenant, req)


@app.function_name("identity")
@app.route("msi/token", methods=["GET"])
async def identity(req: func.HttpRequest) -> func.HttpResponse:
    """Answer as a managed identity does, with the API key for a token."""
    return await _serve(surfaces().identity, req)


@app.function_name("openapi")
@app.route("openapi.json", methods=["GET"])
async def openapi(req: func.HttpRequest) -> func.HttpResponse:
    """Describe all of this."""
    return await _serve(describe, req)


@app.function_name("dashboard")
@app.route("dashboard/{*rest}", methods=["GET"])
async def dashboard(req: func.HttpRequest) -> func.HttpResponse:
    """Serve the page for people, and its parts."""
    return await _serve(serve_dashboard, req)


@app.function_name("mcp")
@app.route("mcp")
async def mcp(req: func.HttpRequest) -> func.HttpResponse:
    """Serve agents on the tenant's first pool."""
    return await _serve(surfaces().mcp, req)


@app.function_name("mcp_of_pool")
@app.route("pools/{pool}/mcp")
async def mcp_of_pool(req: func.HttpRequest) -> func.HttpResponse:
    """Serve agents on a pool that they name."""
    return await _serve(surfaces().mcp, req)


@app.function_name("housekeeping")
@app.timer_trigger(arg_name="timer", schedule="0 */5 * * * *")
async def housekeeping(timer: func.TimerRequest) -> None:  # noqa: ARG001 -- bound by its name
    """Remove expired windows, every five minutes; no call ever waits for it."""
    await surfaces().housekeeping.run()


@app.function_name("alerts")
@app.timer_trigger(arg_name="timer", schedule="30 * * * * *")
async def alerts(timer: func.TimerRequest) -> None:  # noqa: ARG001 -- bound by its name
    """See how full the pools are, and deliver the alerts that are due: every minute, the second whatever the first."""
    try:
        await surfaces().capacity.run()
    finally:
        await surfaces().alert_delivery.run()


@app.function_name("zz_session_pool")
@app.route("{*rest}")
async def session_pool(req: func.HttpRequest) -> func.HttpResponse:
    """Carry everything else to the session pool."""
    return await _serve(surfaces().pool, req)


async def _serve(handler: Handler, req: func.HttpRequest) -> func.HttpResponse:
    response = await answer(handler, _convert(req))
    headers = dict(response.headers)
    if response.status not in {204, 304}:
        headers["Content-Length"] = str(len(response.body))  # the host would send the answer in chunks
    return func.HttpResponse(response.body, status_code=response.status, headers=headers)


def _convert(req: func.HttpRequest) -> GatewayRequest:
    parts = urlsplit(req.url)  # not `params`, which lacks empty values and repetitions
    headers = {name.lower(): value for name, value in req.headers.items()}
    forwarded = headers.get("x-forwarded-proto", "").split(",")[0].strip()
    scheme = forwarded if forwarded in {"http", "https"} else parts.scheme
    return GatewayRequest(
        id=uuid.uuid4().hex,
        method=req.method,
        origin=f"{scheme}://{parts.netloc}",
        path=parts.path,
        query=parts.query,
        headers=headers,
        body=req.get_body(),
    )
