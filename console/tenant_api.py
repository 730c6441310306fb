"""The tenants' usage API, `GET /usage…`, for keys with the scope `usage`."""

from console.alerts import Alerts
from console.documents import Documents
from console.live import Live, needed
from console.queries import read_session_query, read_usage_query
from console.usage import Usage
from proxy.directory import Directory
from proxy.errors import ErrorCode, GatewayError
from proxy.messages import GatewayRequest, GatewayResponse, json_response
from proxy.tenants import Scope, credential_from


class TenantApi:
    """Answers tenants about their own usage, and nobody else's; safe to use from any number of tasks."""

    def __init__(
        self, *, directory: Directory, usage: Usage, documents: Documents, live: Live | None, alerts: Alerts
    ) -> None:
        self._directory = directory
        self._usage = usage
        self._documents = documents
        self._live = live
        self._alerts = alerts

    async def handle(self, request: GatewayRequest) -> GatewayResponse:
        """Answer one call.

        Raises:
            GatewayError: every refusal.
        """
        principal = await self._directory.authenticate(credential_from(request.headers))
        principal.require(Scope.USAGE)
        assert principal.tenant is not None, "only a tenant's key carries the scope usage"
        match (request.method, *filter(None, request.path.split("/"))):
            case ("GET", "usage"):
                period = read_usage_query(request.query).period
                return self._documents.statement(await self._usage.statement(principal.tenant, period), request)
            case ("GET", "usage", "entries"):
                query = read_usage_query(request.query)
                page = await self._usage.entries(principal.tenant, query)
                return self._documents.entries(principal.tenant, page, request)
            case ("GET", "usage", "sessions"):
                shown = await needed(self._live).sessions(principal.tenant)
                return self._documents.sessions(principal.tenant, shown, request)
            case ("GET", "usage", "quote"):
                asked = read_session_query(request.query, "identifier")
                return json_response(await needed(self._live).quote(principal.tenant, asked))
            case ("GET", "usage", "alerts"):
                return json_response(await self._alerts.of_tenant(principal.tenant))
            case ("GET", "usage", "webhook"):
                return json_response(self._alerts.webhook(principal.tenant))
            case _:
                raise GatewayError(ErrorCode.OPERATION_NOT_FOUND)
