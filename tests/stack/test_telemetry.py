"""What really leaves a host, by the exporter that runs in Azure, heard by an ingestion endpoint on loopback."""

import gzip
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.infra.bicep.tollgate import app_settings, deployed
from tests.running import LEDGER_SECRET, NAMESPACE_SECRET
from tests.stack.hosts import running_hosts

HEARD_SECONDS = 60
TRACE = "0af7651916cd43dd8448eb211c80319c"

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@dataclass
class Ingestion:
    """Takes what Application Insights would take, and keeps it."""

    url: str = ""
    envelopes: list[dict[str, Any]] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    def take(self, body: bytes) -> int:
        """Keep what a request holds; returns how many items that is."""
        items = json.loads(body)
        with self.came:
            self.envelopes += items
            self.came.notify_all()
        return len(items)

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """List what came of a type, such as `MessageData`."""
        return [e for e in list(self.envelopes) if e.get("data", {}).get("baseType") == kind]

    def spans(self) -> list[dict[str, Any]]:
        """List the spans that came."""
        return self.of_type("RequestData") + self.of_type("RemoteDependencyData")

    def named(self, name: str) -> list[dict[str, Any]]:
        """List the spans of a name."""
        return [span for span in self.spans() if span["data"]["baseData"].get("name") == name]

    def metrics(self) -> set[str]:
        """Name the metrics that came."""
        return {p["name"] for e in self.of_type("MetricData") for p in e["data"]["baseData"]["metrics"]}

    def wait_until(self, enough: Any) -> None:
        """Wait until there is enough."""
        deadline = time.monotonic() + HEARD_SECONDS
        with self.came:
            while not enough():
                heard = sorted(self.metrics()), [span["data"]["baseData"].get("name") for span in self.spans()]
                assert self.came.wait(max(0.0, deadline - time.monotonic())), f"heard only {heard}"


@contextmanager
def ingesting() -> Iterator[Ingestion]:
    ingestion = Ingestion()

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            count = ingestion.take(body) if self.path.endswith("/track") else 0
            answer = json.dumps({"itemsReceived": count, "itemsAccepted": count, "errors": []}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    ingestion.url = f"http://127.0.0.1:{server.server_port}/"
    try:
        yield ingestion
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_what_leaves_a_host_is_one_trace_and_counts_and_no_secret(stack: dict[str, Any], tmp_path: Path) -> None:
    of_deployment = {
        name: value
        for name, value in app_settings(deployed()).items()
        if name.startswith(("APPLICATIONINSIGHTS_", "OTEL_", "PYTHON_APPLICATIONINSIGHTS_"))
    }
    del of_deployment["APPLICATIONINSIGHTS_AUTHENTICATION_STRING"]  # there is no identity here
    with ingesting() as ingestion:
        platform = {
            **of_deployment,
            "APPLICATIONINSIGHTS_CONNECTION_STRING": (
                "InstrumentationKey=00000000-0000-0000-0000-000000000001;"
                f"IngestionEndpoint={ingestion.url};LiveEndpoint={ingestion.url}"
            ),
            "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            "OTEL_TRACES_SAMPLER_ARG": "1000000",  # a second: every one
        }
        folder = tmp_path / "hosts"
        with running_hosts(
            folder, storage=stack["storage"], pool=stack["pool_url"], count=1, platform=platform
        ) as hosts:
            tenant_id, tenant = hosts.tenant(minutes_per_month=5)
            headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
            code = {
                "properties": {"codeInputType": "inline", "executionType": "synchronous", "code": "'secret' + 'code'"}
            }
            query = {"api-version": "2024-02-02-preview"}
            for session in ("secret-session", "secret-refused"):
                params = {**query, "identifier": session}
                tenant.call("POST", "/code/execute", params=params, headers=headers, json=code)
            httpx.get(f"{hosts.urls[0]}/files", headers={"x-api-key": "tg_secret"}, timeout=30)
            wanted = {"tollgate.calls", "tollgate.refusals", "tollgate.minutes.charged", "tollgate.ledger.commits"}
            ingestion.wait_until(
                lambda: (
                    wanted <= ingestion.metrics()
                    and len(ingestion.named("tollgate.call")) >= 3
                    and ingestion.named("tollgate.pool")
                    and any("ledger_head" in m["data"]["baseData"]["message"] for m in ingestion.of_type("MessageData"))
                )
            )
            key = tenant.key

    of_trace = [e for e in ingestion.envelopes if e.get("tags", {}).get("ai.operation.id") == TRACE]
    names = {e["data"]["baseData"].get("name") for e in of_trace if e["data"]["baseType"] != "MessageData"}
    assert {"tollgate.call", "tollgate.admit", "tollgate.pool"} <= names
    [sent] = ingestion.named("tollgate.pool")
    calls = {call["data"]["baseData"]["id"] for call in ingestion.named("tollgate.call")}
    assert sent["tags"]["ai.operation.parentId"] in calls
    assert sent["tags"]["ai.cloud.role"] == "tollgate"
    heads = [m for m in ingestion.of_type("MessageData") if "ledger_head" in m["data"]["baseData"]["message"]]
    assert [tenant_id in head["data"]["baseData"]["message"] for head in heads] == [True]
    everything = json.dumps(ingestion.envelopes)
    for secret in ("secret", key, hosts.operator_key, NAMESPACE_SECRET, LEDGER_SECRET.partition(":")[2]):
        assert secret not in everything
