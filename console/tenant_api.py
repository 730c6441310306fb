"""The tenants' usage API: `GET /usage` and `GET /usage/entries`, for keys with the scope `usage`."""

from console.bodies import read_usage_query
from console.usage import Usage
from proxy.directory import Directory
from proxy.errors import ErrorCode, GatewayError
from proxy.messages import GatewayRequest, GatewayResponse, json_response
from proxy.tenants import Scope, credential_from


class TenantApi:
    """Answers tenants about their own usage, and nobody else's; safe to use from any number of tasks."""

    def __init__(self, *, directory: Directory, usage: Usage) -> None:
        self._directory = directory
        self._usage = usage

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
                return json_response(await self._usage.statement(principal.tenant, period))
            case ("GET", "usage", "entries"):
                query = read_usage_query(request.query)
                return json_response(await self._usage.entries(principal.tenant, query, path="/usage/entries"))
            case _:
                raise GatewayError(ErrorCode.OPERATION_NOT_FOUND)
