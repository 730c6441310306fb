"""What the operator API does besides tenants and keys: all of it stands on the ledger, and needs its secret."""

from dataclasses import dataclass

from console.adjustments import Adjustments
from console.alerts import Alerts
from console.audits import Audits
from console.documents import Documents
from console.live import Live
from console.reports import Reports
from console.usage import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The verbs on the ledger; `live` is None where there is no way to the pool."""

    usage: Usage
    adjustments: Adjustments
    audits: Audits
    reports: Reports
    documents: Documents
    alerts: Alerts
    live: Live | None
