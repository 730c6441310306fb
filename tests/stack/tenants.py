"""A tenant and an operator of a running stack, as clients over HTTP."""

from dataclasses import dataclass
from typing import Any

import httpx

ENVELOPE_VERSION = "2024-02-02-preview"
FLAT_VERSION = "2025-02-02-preview"
CALL_SECONDS = 60


def send(method: str, url: str, **more: Any) -> httpx.Response:
    """Make one call on a connection of its own."""
    return httpx.request(method, url, timeout=CALL_SECONDS, verify=False, **more)  # noqa: S501 -- plain HTTP


@dataclass(frozen=True)
class TenantClient:
    """Calls a stack with a tenant's key."""

    url: str
    key: str

    def call(
        self, method: str, path: str, *, session: str | None = None, version: str = "", **more: Any
    ) -> httpx.Response:
        """Make one call; `session` and `version` go into the query."""
        query = {"api-version": version, "identifier": session} if session is not None else {}
        query |= more.pop("params", {})
        headers = {"Authorization": f"Bearer {self.key}", **more.pop("headers", {})}
        return send(method, self.url + path, params=query, headers=headers, **more)

    def execute(self, code: str, session: str = "session-1") -> httpx.Response:
        """Run code in the envelope dialect."""
        body = {"properties": {"codeInputType": "inline", "executionType": "synchronous", "code": code}}
        return self.call("POST", "/code/execute", session=session, version=ENVELOPE_VERSION, json=body)

    def run(self, code: str, session: str = "session-1") -> dict[str, Any]:
        """Run code in the envelope dialect, and return the answer's properties."""
        response = self.execute(code, session)
        assert response.status_code == 200, response.text
        properties: dict[str, Any] = response.json()["properties"]
        return properties

    def envelope(self, method: str, path: str, session: str = "session-1", **more: Any) -> httpx.Response:
        """Make a call in the envelope dialect."""
        return self.call(method, path, session=session, version=ENVELOPE_VERSION, **more)

    def flat(self, method: str, path: str, session: str = "session-1", **more: Any) -> httpx.Response:
        """Make a call in the flat dialect."""
        return self.call(method, path, session=session, version=FLAT_VERSION, **more)

    def usage(self) -> dict[str, Any]:
        """Read the statement of the current period."""
        statement: dict[str, Any] = self.call("GET", "/usage").json()
        return statement

    def entries(self) -> list[dict[str, Any]]:
        """Read the entries of the current period."""
        entries: list[dict[str, Any]] = self.call("GET", "/usage/entries").json()["entries"]
        return entries


@dataclass(frozen=True)
class Operator:
    """Calls a stack with an operator's key."""

    stack: dict[str, Any]

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Make one call to the operator API."""
        headers = {"x-api-key": self.stack["operator_key"]}
        return httpx.request(
            method, f"{self.stack['url']}/operator{path}", headers=headers, timeout=CALL_SECONDS, **more
        )

    def put(self, tenant: str, **limits: Any) -> None:
        """Create a tenant or change its limits."""
        response = self.call("PUT", f"/tenants/{tenant}", json={"minutes_per_month": None, **limits})
        assert response.status_code in {200, 201}, response.text

    def tenant(self, tenant: str, **limits: Any) -> TenantClient:
        """Create a tenant with a key, and return its client."""
        self.put(tenant, **limits)
        response = self.call("POST", f"/tenants/{tenant}/keys", json={"label": "tests"})
        assert response.status_code == 201, response.text
        return TenantClient(self.stack["url"], response.json()["key"])
