"""What is said of the golden month, by the names of the files that hold it: the bodies of the answers over HTTP."""

from pathlib import Path

from console.documents import Documents
from console.reports import ReportPage
from console.usage import EntryPage
from proxy.messages import GatewayRequest
from proxy.tenants import Tenant
from tests.golden.seed import NOVEMBER, make_month
from tests.support.building import granularity

FILES = Path(__file__).parent / "files"


async def documents() -> dict[str, bytes]:
    """Write the golden month up in every format."""
    month, made = await make_month(), {}
    written = Documents(granularity=granularity(), currency="USD")
    report = ReportPage(period=NOVEMBER, lines=month.lines, complete_until=NOVEMBER.until, following=None)
    for suffix, asked in (("json", "json"), ("csv", "csv"), ("focus.csv", "focus")):
        request = GatewayRequest(id="r", method="GET", path="/", query=f"format={asked}")
        made[f"report.{suffix}"] = written.report(report, request).body
        for line in month.lines:
            name = line.statement.tenant_id
            made[f"{name}.{suffix}"] = written.statement(line.statement, request).body
            if asked != "focus":
                page = EntryPage(NOVEMBER, month.entries[name], None)
                tenant = Tenant(id=name, name=name, minutes_per_month=None)
                made[f"{name}.entries.{suffix}"] = written.entries(tenant, page, request).body
    return made
