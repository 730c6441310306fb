"""Statements as rows of FOCUS 1.2, the FinOps convention for billing data: one row for each line of a statement.

Rules of this file: pure. Rows hold typed values, and None where the convention says null; whoever writes them out says
how a value is spelled. The columns stand in the order that the convention asks for: its own by name, then ours (`x_`).

The money:

* `BilledCost` and `EffectiveCost` are what the line costs, so they sum up to the statement to the last digit.
* The unit prices are those of one increment, to 18 decimal places. `ContractedCost` and `ListCost` are exactly the
  product of a price as it is written and `PricingQuantity`, as the convention demands. They are therefore not rounded
  to the four places of a bill, and are not what anybody pays.

A line that corrects an earlier period is a row of that class, `Correction`, in the period that it is booked in. What
the pool costs stands once for each tenant, on its last row, so that these columns can be summed as well.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from metering.reports import ReportLine
from metering.statements import Line, LineKind, Statement, price

type Value = str | int | Decimal | datetime | None
type Row = Mapping[str, Value]

COLUMNS = (
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargeFrequency",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ConsumedQuantity",
    "ConsumedUnit",
    "ContractedCost",
    "ContractedUnitPrice",
    "EffectiveCost",
    "InvoiceId",
    "InvoiceIssuerName",
    "ListCost",
    "ListUnitPrice",
    "PricingCategory",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "SkuId",
    "SkuMeter",
    "SkuPriceDetails",
    "SkuPriceId",
    "SubAccountId",
    "SubAccountName",
    "x_CorrectedPeriod",
    "x_LedgerHash",
    "x_Sessions",
)
POOL_COLUMNS = ("x_Margin", "x_PoolCost", "x_PoolMinutes", "x_StrandedMinutes")
OPERATOR_COLUMNS = tuple(sorted((*COLUMNS, *POOL_COLUMNS)))

ACCOUNT_ID = "tollgate"  # of the one account that all tenants are part of, whatever its name becomes
SKU = "dynamic-session"

_PLACES = 18
_ONE = 10**18
_UNITS = (("Hours", 3600), ("Minutes", 60))


def statement_rows(statement: Statement) -> Iterator[Row]:
    """Write a statement as rows with the columns `COLUMNS`."""
    shared = _statement_values(statement)
    for line in statement.lines:
        yield {**shared, **_line_values(line, statement), **_prices(line, statement)}


def report_rows(line: ReportLine) -> Iterator[Row]:
    """Write a tenant's line of a report as rows with the columns `OPERATOR_COLUMNS`; none for a tenant without entries.

    What the pool costs stands on the last of them, and nowhere if it was not counted.
    """
    rows = tuple(statement_rows(line.statement))
    for row in rows[:-1]:
        yield {**row, **dict.fromkeys(POOL_COLUMNS)}
    for row in rows[-1:]:
        yield {**row, **_pool_values(line)}


def unit_of(seconds: int) -> str:
    """Name a length of time as the convention names units: `5 Minutes`, `Hours`, `90 Seconds`."""
    name, length = next((unit for unit in _UNITS if seconds % unit[1] == 0), ("Seconds", 1))
    return name if seconds == length else f"{seconds // length} {name}"


def _statement_values(statement: Statement) -> Row:
    period, seconds, issuer = statement.period, statement.terms.increment_seconds, statement.terms.issuer
    return {
        "BillingAccountId": ACCOUNT_ID,
        "BillingAccountName": issuer,
        "BillingCurrency": statement.terms.currency,
        "BillingPeriodEnd": period.until,
        "BillingPeriodStart": period.start_at,
        "InvoiceId": None if statement.closed_at is None else f"{statement.tenant_id}-{period}",
        "InvoiceIssuerName": issuer,
        "PricingCategory": "Standard",
        "PricingUnit": unit_of(seconds),
        "ProviderName": issuer,
        "PublisherName": issuer,
        "ServiceCategory": "Compute",
        "ServiceName": "Dynamic sessions",
        "ServiceSubcategory": "Containers",
        "SkuId": SKU,
        "SkuMeter": "Session time",
        "SkuPriceDetails": f'{{"x_IncrementSeconds": {seconds}}}',
        "SkuPriceId": f"{SKU}-{seconds}s",
        "SubAccountId": statement.tenant_id,
        "SubAccountName": statement.terms.name,
        "x_LedgerHash": statement.head_hash,
    }


def _line_values(line: Line, statement: Statement) -> Row:
    used, start_at = line.kind is LineKind.USAGE, datetime.combine(line.day, time(), UTC)
    # A quantity in seconds is exact where one in minutes would not be.
    minutes, rest = divmod(statement.terms.increment_seconds, 60)
    unit, length = ("Seconds", statement.terms.increment_seconds) if rest else ("Minutes", minutes)
    return {
        "ChargeCategory": "Usage" if used else "Adjustment",
        "ChargeClass": None if line.corrects is None else "Correction",
        "ChargeDescription": _describe(line, statement.terms.currency),
        "ChargeFrequency": "Usage-Based" if used else "One-Time",
        "ChargePeriodEnd": start_at + timedelta(days=1),
        "ChargePeriodStart": start_at,
        "ConsumedQuantity": _written(line.increments * length * _ONE) if used else None,
        "ConsumedUnit": unit if used else None,
        "x_CorrectedPeriod": None if line.corrects is None else str(line.corrects),
        "x_Sessions": line.sessions,
    }


def _describe(line: Line, currency: str) -> str:
    rate = f"{line.rate_per_session_hour:f} {currency} per session hour"
    if line.kind is LineKind.USAGE:
        return f"Session time on {line.day}, at {rate}"
    corrected = "" if line.corrects is None else f" for {line.corrects}"
    return f"Adjustment of session time on {line.day}{corrected}, at {rate}"


def _prices(line: Line, statement: Statement) -> Row:
    seconds, list_rate = statement.terms.increment_seconds, statement.terms.list_rate_per_session_hour
    contracted, listed = _unit_price(seconds, line.rate_per_session_hour), _unit_price(seconds, list_rate)
    return {
        "BilledCost": line.cost,
        "ContractedCost": _written(contracted * line.increments),
        "ContractedUnitPrice": _written(contracted),
        "EffectiveCost": line.cost,
        "ListCost": _written(listed * line.increments),
        "ListUnitPrice": _written(listed),
        "PricingQuantity": _written(line.increments * _ONE),
    }


def _pool_values(line: ReportLine) -> Row:
    pool, stranded = line.pool, line.stranded_seconds
    return {
        "x_Margin": line.margin,
        "x_PoolCost": None if pool is None else pool.cost,
        "x_PoolMinutes": None if pool is None else _minutes(pool.seconds),
        "x_StrandedMinutes": None if stranded is None else _minutes(stranded),
    }


@lru_cache(maxsize=1024)  # the lines of a statement, and most statements, share a few prices
def _unit_price(seconds: int, rate: Decimal) -> int:
    """Price one increment, in units of the last place that is written; half to even."""
    return round(price(1, increment_seconds=seconds, rate_per_session_hour=rate) * _ONE)


def _minutes(seconds: int) -> Decimal:
    return _written(round(Fraction(seconds, 60) * _ONE))


def _written(scaled: int) -> Decimal:
    """Make the decimal of so many units of the last place: no zeros at its end, but one place, so that it shows.

    It is made of text, since that alone keeps every digit, however many.
    """
    whole, rest = divmod(abs(scaled), _ONE)
    places = f"{rest:0{_PLACES}}".rstrip("0") if rest else "0"
    return Decimal(f"{'-' if scaled < 0 else ''}{whole}.{places}")
