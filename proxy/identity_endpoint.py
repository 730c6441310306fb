"""`GET /msi/token`: answers as the managed identity of an App Service does, with the API key for a token.

A program that proves itself with `DefaultAzureCredential` then needs two environment variables and no change:
`IDENTITY_ENDPOINT` with this address and `IDENTITY_HEADER` with its key (App Service documentation, "How to use managed
identities", REST endpoint reference, api-version 2019-08-01; azure-identity 1.27 for Python and 4.13 for JavaScript,
run 2026-11).
"""

from datetime import timedelta
from urllib.parse import parse_qs

from metering.clock import Clock
from proxy.errors import ErrorCode, GatewayError
from proxy.gateway import Authenticator
from proxy.messages import GatewayRequest, GatewayResponse, json_response

# What clients ask a token for: the service's audience, and the one that it had at first, which some still use.
RESOURCES = frozenset({"https://dynamicsessions.io", "https://acasessions.io"})
# As long as App Service's own. Each use of the token is checked as any use of the key: it ends when the key does.
LIFETIME = timedelta(hours=24)


class IdentityEndpoint:
    """Hands a proven key back as a token; safe to use from any number of tasks."""

    def __init__(self, *, authenticator: Authenticator, clock: Clock) -> None:
        self._authenticator = authenticator
        self._clock = clock

    async def handle(self, request: GatewayRequest) -> GatewayResponse:
        """Answer one call.

        Raises:
            GatewayError: INVALID_API_KEY; VALIDATION_FAILED for a token that is for something else.
        """
        key = request.headers.get("x-identity-header", "").strip()
        principal = await self._authenticator.authenticate(key or None)
        principal.calling_tenant()
        resource = parse_qs(request.query).get("resource", [""])[-1].removesuffix("/")
        if resource not in RESOURCES:
            raise GatewayError(
                ErrorCode.VALIDATION_FAILED, "Tokens are given for https://dynamicsessions.io only.", target="resource"
            )
        expires_at = self._clock() + LIFETIME
        return json_response(
            {
                "access_token": key,
                "expires_on": str(int(expires_at.timestamp())),  # text: clients read it so
                "resource": resource,
                "token_type": "Bearer",
            },
            headers={"Cache-Control": "no-store"},
        )
