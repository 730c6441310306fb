"""Statements, entries and reports as documents, in the format that the caller asks for.

Rules of this file: pure.
"""

from dataclasses import dataclass

from console.formats import LISTS, VARY, Format, csv_response, format_of
from console.reports import ClosedPage, ReportPage
from console.tables import (
    Table,
    csv_body,
    entries_table,
    focus_report_table,
    focus_statement_table,
    report_table,
    sessions_table,
    statement_table,
)
from console.usage import EntryPage
from console.views import Json, entry_view, instant, report_line_view, statement_view, totals_view
from metering.increments import Granularity
from metering.reports import total
from metering.statements import Statement
from proxy.messages import GatewayRequest, GatewayResponse, json_response
from proxy.tenants import Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """Makes the documents of one deployment.

    Every method but `closed` raises GatewayError VALIDATION_FAILED for a format that there is not.
    """

    granularity: Granularity
    currency: str

    def statement(self, statement: Statement, request: GatewayRequest) -> GatewayResponse:
        """Show a statement to its tenant, or to the operator."""
        name = f"statement-{statement.tenant_id}-{statement.period}"
        match format_of(request):
            case Format.JSON:
                return _json(statement_view(statement))
            case Format.CSV:
                return _csv(statement_table(statement), name)
            case Format.FOCUS:
                return _csv(focus_statement_table(statement), f"focus-{name}")

    def entries(self, tenant: Tenant, page: EntryPage, request: GatewayRequest) -> GatewayResponse:
        """Show a page of entries; `next` is the path and query of the page after it, or null."""
        following = _following(request, page.following)
        if format_of(request, LISTS) is Format.CSV:
            name = f"entries-{tenant.id}-{page.period}"
            return _csv(entries_table(page.entries, self.granularity), name, following)
        return _json({"entries": [entry_view(entry, self.granularity) for entry in page.entries], "next": following})

    def sessions(self, tenant: Tenant, shown: Json, request: GatewayRequest) -> GatewayResponse:
        """Show open sessions, of which the JSON form is given."""
        if format_of(request, LISTS) is Format.CSV:
            return _csv(sessions_table(shown["sessions"]), f"sessions-{tenant.id}")
        return _json(shown)

    def report(self, page: ReportPage, request: GatewayRequest) -> GatewayResponse:
        """Show a page of a report, with the totals of its lines."""
        following = _following(request, page.following)
        match format_of(request):
            case Format.JSON:
                return _json(self._report(page, following))
            case Format.CSV:
                return _csv(report_table(page.lines), f"report-{page.period}", following)
            case Format.FOCUS:
                return _csv(focus_report_table(page.lines), f"focus-report-{page.period}", following)

    def closed(self, page: ClosedPage, request: GatewayRequest) -> Json:
        """Say how many statements were closed."""
        return {
            "period": str(page.period),
            "closed": page.closed,
            "already_closed": page.already_closed,
            "next": _following(request, page.following),
        }

    def _report(self, page: ReportPage, following: str | None) -> Json:
        return {
            "period": str(page.period),
            "currency": self.currency,
            "increment_seconds": self.granularity.increment_seconds,
            "complete_until": instant(page.complete_until),
            "closed": all(line.statement.closed_at is not None for line in page.lines),
            "lines": [report_line_view(line) for line in page.lines],
            "totals": totals_view(total(page.lines), self.granularity),
            "next": following,
        }


def _json(value: Json) -> GatewayResponse:
    return json_response(value, headers=VARY)


def _csv(table: Table, name: str, following: str | None = None) -> GatewayResponse:
    return csv_response(csv_body(table), filename=f"{name}.csv", following=following)


def _following(request: GatewayRequest, query: str | None) -> str | None:
    """Write the path and query of the next page, as this one was reached."""
    if query is None:
        return None
    named = next((part for part in request.query.split("&") if part.startswith("format=")), None)
    path = "/".join(filter(None, request.path.split("/")))
    return f"/{path}?{query}" + (f"&{named}" if named is not None else "")
