"""The totals of a report that comes in pages.

Rules of this file: pure; sums are exact. Minutes are added up as whole seconds, which they are, and money as decimals.
"""

from collections import Counter, defaultdict
from datetime import datetime
from decimal import Decimal

from console.commands.show import Json
from console.views import minutes_of_seconds

_OF_TENANTS = ("charged", "reversed", "adjusted", "billed")
_OF_THE_POOL = ("pool_minutes", "stranded_minutes")
_MONEY = ("cost", "pool_cost", "margin")


class RunningTotals:
    """What the pages so far come to."""

    def __init__(self) -> None:
        self.tenants = 0
        self.closed = 0
        self.at_a_loss = 0
        self.complete_until: str | None = None
        self._sessions = 0
        self._seconds: Counter[str] = Counter()
        self._money: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._days: dict[str, Counter[str]] = {}

    def add(self, page: Json) -> None:
        """Add a page."""
        totals, until = page["totals"], page["complete_until"]
        self.tenants += totals["tenants"]
        self.closed += sum(line["closed"] for line in page["lines"])
        self.at_a_loss += sum(is_loss(line["margin"]) for line in page["lines"])
        self.complete_until = min(self.complete_until or until, until, key=datetime.fromisoformat)
        self._sessions += totals["sessions_opened"]
        for name in _OF_TENANTS:
            self._seconds[name] += _seconds(totals["minutes"][name])
        for name in _OF_THE_POOL:
            self._seconds[name] += _seconds(totals[name])
        for name in _MONEY:
            self._money[name] += Decimal(totals[name])
        for day in totals["days"]:
            numbers = self._days.setdefault(day["date"], Counter())
            numbers.update(seconds=_seconds(day["minutes"]), sessions=day["sessions"])

    @property
    def is_closed(self) -> bool:
        """Whether all statements are; where there are none, nothing was closed."""
        return 0 < self.tenants == self.closed

    def view(self) -> Json:
        """Write the totals as a report of one page has them."""
        minutes = {name: minutes_of_seconds(self._seconds[name]) for name in (*_OF_TENANTS, *_OF_THE_POOL)}
        money = {name: f"{self._money[name]:f}" for name in _MONEY}
        return {
            "tenants": self.tenants,
            "minutes": {name: minutes[name] for name in _OF_TENANTS},
            "sessions_opened": self._sessions,
            "cost": money["cost"],
            "pool_minutes": minutes["pool_minutes"],
            "stranded_minutes": minutes["stranded_minutes"],
            "pool_cost": money["pool_cost"],
            "margin": money["margin"],
            "days": [
                {"date": date, "minutes": minutes_of_seconds(day["seconds"]), "sessions": day["sessions"]}
                for date, day in sorted(self._days.items())
            ],
        }


def is_loss(margin: str | None) -> bool:
    """Whether money is lost; without numbers of the pool nobody knows."""
    return margin is not None and Decimal(margin) < 0


def _seconds(minutes: float) -> int:
    return round(Decimal(str(minutes)) * 60)
