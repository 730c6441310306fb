"""The shapes of what tenants, keys, pools, months and days are called by.

Rules of this file: pure data.
"""

from console.openapi.parts import Json, one_of
from proxy.tenants import KEY_ID, POOL_NAME, TENANT_ID, TENANT_SCOPES

TENANT: Json = {"type": "string", "pattern": f"^{TENANT_ID.pattern}$", "examples": ["acme"]}
KEY: Json = {"type": "string", "pattern": f"^{KEY_ID.pattern}$", "examples": ["4fJq2Zr0TbXk"]}
POOL_NAMED: Json = {"type": "string", "pattern": f"^{POOL_NAME.pattern}$", "examples": ["default"]}
PERIOD: Json = {
    "type": "string",
    "pattern": r"^(?:[1-8]\d{3}|0[1-9]\d{2}|9[0-8]\d{2})-(?:0[1-9]|1[0-2])$",
    "examples": ["2026-11"],
}
DAY: Json = {"type": "string", "format": "date"}
TENANT_SCOPES_NAMED = one_of(sorted(TENANT_SCOPES))
