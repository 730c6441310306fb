"""Who is who in these tests: tenants, keys, pools, and the words that no tenant may ever see.

The tenants' ids begin alike, and both use the same session names. Each is supposed to have learnt the pool identifiers
of the other's sessions.
"""

import hmac
from functools import lru_cache
from types import MappingProxyType

SECRET = b"the namespace secret of the isolation tests"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.the-gateways-own-token.c2lnbmF0dXJl"

ACME, BETA = "acme", "acme-beta"
TENANTS = (ACME, BETA)
KEYS = MappingProxyType(
    {ACME: "tg_AcmeAcmeAcme_theKeyOfTheTenantAcme0123456789ab", BETA: "tg_BetaBetaBeta_theKeyOfBeta"}
)
ORIGIN = "https://gate.example"

PYTHON, SHELL, CUSTOM = "python", "shell", "custom"
_AZURE = (
    "https://westus2.dynamicsessions.io/subscriptions/5c1b9d0e-7a41-4b0f-9a57-2f1f6f3c7d11/resourceGroups/rg-hidden"
)
ENDPOINTS = MappingProxyType(
    {
        "default": (
            f"{_AZURE}/sessionPools/hiddenpython",
            _AZURE.replace("westus2.dynamicsessions.io", "inner.hidden.example:8443") + "/sessionPools/hiddentwo",
        ),
        "shell": (f"{_AZURE}/sessionPools/hiddenshell",),
        "agents": ("https://hiddenagents.blueriver-1a2b3c.westus2.azurecontainerapps.io",),
        "others": ("https://westus2.dynamicsessions.io/subscriptions/another/sessionPools/hiddenothers",),
    }
)
KINDS = MappingProxyType({"default": PYTHON, "shell": SHELL, "agents": CUSTOM, "others": PYTHON})
POOLS_OF = MappingProxyType({ACME: ("default", "shell", "agents"), BETA: ("agents", "default", "shell")})
"""What each tenant was given; its first pool is at the root."""

NAMES = ("session-1", "main", "a b", "a/b", "été ☃", "a&b=c", "50%", "x+y", "../up", "identifier", "q?r#s", "né;m=1")
HIDDEN_NAMES = ("only-the-other-has-this", "nor-this")
"""Sessions that the pool knows of, and whose identifiers nobody has learnt."""

INNER_WORDS = (
    "dynamicsessions.io",
    "azurecontainerapps.io",
    "hidden",
    "5c1b9d0e-7a41",
    "the-gateways-own-token",
    "thekeyof",
)
"""In small letters; one of them stands in every address of a pool, in the token and in the keys."""


@lru_cache(maxsize=4096)
def identifier(tenant: str, pool: str, name: str) -> str:
    """Work out what the pool calls a session."""
    message = (tenant, name) if pool == "default" else (tenant, pool, name)
    return f"{tenant}-{hmac.digest(SECRET, '\0'.join(message).encode(), 'sha256').hex()}"


def other(tenant: str) -> str:
    """Name the other tenant."""
    return BETA if tenant == ACME else ACME
