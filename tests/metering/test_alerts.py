"""A threshold of a quota makes an alert in the transaction that reaches it, once, and none stands in a charge's way."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.admissions import Admission
from metering.alert_rows import alert_key, read_alert, write_alert
from metering.alerts import PERCENTS_MAX, Alert, Subject, Target, crossed, quota_alert_id
from metering.ledger import ALERTED_MAX, ALERTS_MAX, Decision, decide
from metering.periods import Period
from metering.requests import Adjust, Admit, Admitted, Quota, QuotaExceeded, Request, Reverse
from metering.rows import PeriodRow, Rows
from tests.support.building import MORNING, FakeClock, admit, meter, terms
from tests.support.memory_store import Fault, MemoryLedgerStore

NOVEMBER = Period(2026, 11)
EMPTY = PeriodRow.empty("t", NOVEMBER)


def decided(row: PeriodRow, *requests: Request, at: float = 0) -> Decision:
    now = MORNING + timedelta(seconds=at)
    rows = Rows(tenant_id="t", period_row=row, windows={})
    return decide(rows, requests, terms=terms(), now=now, commit_id="c")


def asking(session: str, quota: Quota) -> Admit:
    return replace(admit(session), quota=quota)


def adjust(increments: int, quota: Quota) -> Adjust:
    return Adjust(increments=increments, reason="r", request_id="r", quota=quota)


def test_each_threshold_is_alerted_with_the_entry_that_reaches_it() -> None:
    quota = Quota(increments_per_period=4)
    decision = decided(EMPTY, *(asking(f"s{n}", quota) for n in range(4)))

    told = [(alert.percent, alert.used, alert.entry) for alert in decision.alerts]
    assert told == [(50, 2, "2026-11/2"), (75, 3, "2026-11/3"), (90, 4, "2026-11/4"), (100, 4, "2026-11/4")]
    first = decision.alerts[0]
    assert (first.id, first.tenant_id, first.limit, first.at) == ("t:2026-11:quota:4:050", "t", 4, MORNING)
    assert first.waiting_for == {Target.TENANT, Target.OPERATOR}


def test_a_threshold_is_alerted_once_however_often_it_is_reached() -> None:
    quota = Quota(increments_per_period=2, alert_percents=(50,))
    first = decided(EMPTY, asking("s1", quota))
    [answer] = first.answers
    assert isinstance(answer, Admitted)
    assert answer.charge is not None

    back = replace(first.period_row, reversed=1)
    again = decided(back, asking("s2", quota), at=1)

    assert [alert.percent for alert in first.alerts] == [50]
    assert again.alerts == ()


def test_a_quota_that_is_changed_has_thresholds_of_its_own() -> None:
    first = decided(EMPTY, asking("s1", Quota(increments_per_period=2, alert_percents=(50,))))
    second = decided(first.period_row, asking("s2", Quota(increments_per_period=4, alert_percents=(50,))), at=1)

    assert [alert.id for alert in second.alerts] == ["t:2026-11:quota:4:050"]


@pytest.mark.parametrize("quota", [Quota(), Quota(increments_per_period=2, alert_percents=())])
def test_without_a_quota_or_thresholds_there_are_no_alerts(quota: Quota) -> None:
    assert decided(EMPTY, asking("s1", quota), asking("s2", quota)).alerts == ()


def test_what_is_refused_alerts_nobody() -> None:
    decision = decided(EMPTY, asking("s1", Quota(increments_per_period=0)))

    assert isinstance(decision.answers[0], QuotaExceeded)
    assert (decision.alerts, decision.entries) == ((), ())


def test_an_adjustment_alerts_as_a_charge_does() -> None:
    decision = decided(EMPTY, adjust(5, Quota(increments_per_period=10)))

    assert [(alert.percent, alert.entry) for alert in decision.alerts] == [(50, "2026-11/1")]


def test_an_adjustment_in_the_tenants_favour_alerts_nobody_twice() -> None:
    quota = Quota(increments_per_period=10)
    decision = decided(EMPTY, adjust(5, quota), adjust(-5, quota), adjust(5, quota))

    assert [alert.entry for alert in decision.alerts] == ["2026-11/1"]


def test_alerts_leave_room_for_the_charges_in_a_transaction_and_the_rest_come_with_the_next_entry() -> None:
    percents = tuple(range(1, PERCENTS_MAX + 1))
    quotas = [Quota(increments_per_period=limit, alert_percents=percents) for limit in (1, 2, 3)]
    first = decided(EMPTY, *(asking(f"s{n}", quota) for n, quota in enumerate(quotas)))
    second = decided(first.period_row, adjust(-1, quotas[2]), at=1)

    assert len(first.alerts) == ALERTS_MAX
    assert {alert.id for alert in (*first.alerts, *second.alerts)} == {
        quota_alert_id("t", NOVEMBER, limit=limit, percent=percent) for limit in (1, 2, 3) for percent in percents
    }


def test_a_quota_that_is_changed_all_the_time_leaves_a_row_that_fits_and_the_present_one_is_alerted_once() -> None:
    row, ids = EMPTY, list[str]()
    for number in range(1, 4 * ALERTED_MAX):
        quota = Quota(increments_per_period=number * 1_000, alert_percents=(1,))
        decision = decided(row, adjust(number * 10 - row.balance, quota), adjust(1, quota))
        row, ids = decision.period_row, ids + [alert.id for alert in decision.alerts]
        assert len(row.alerted) <= ALERTED_MAX

    assert len(ids) == len(set(ids)) == 4 * ALERTED_MAX - 1


@given(
    limit=st.integers(1, 60),
    percents=st.lists(st.integers(1, 100), max_size=PERCENTS_MAX),
    steps=st.lists(st.integers(-8, 12).filter(bool), max_size=30),
)
def test_alerts_are_those_thresholds_that_the_balance_ever_reached(
    limit: int, percents: list[int], steps: list[int]
) -> None:
    quota = Quota(increments_per_period=limit, alert_percents=tuple(percents))
    row, alerts, balance, highest = EMPTY, list[Alert](), 0, 0
    for number, step in enumerate(steps):
        decision = decided(row, adjust(step, quota), at=number)
        row, alerts = decision.period_row, [*alerts, *decision.alerts]
        balance += step if step < 0 or balance + step <= limit else 0
        highest = max(highest, balance)

    assert {alert.percent for alert in alerts} == {p for p in percents if highest and highest / limit >= p / 100}
    assert len({alert.id for alert in alerts}) == len(alerts)


def test_more_thresholds_than_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 10 thresholds"):
        Quota(alert_percents=tuple(range(1, PERCENTS_MAX + 2)))


def test_of_a_limit_of_nothing_nothing_is_crossed() -> None:
    assert list(crossed(used=0, limit=0, percents=(50,))) == []


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.DUPLICATE, Fault.LATE])
async def test_the_alert_of_a_charge_that_was_made_is_there_whatever_the_answer_was(fault: Fault) -> None:
    store, clock = MemoryLedgerStore(), FakeClock()
    faults = iter([fault])
    store.fault = lambda name: next(faults, None) if name == "commit" else None
    made = meter(store, clock)

    admission = await made.admit("t", admit("s1", month=2))
    store.land()

    assert isinstance(admission, Admission)
    row = await store.period_row("t", NOVEMBER)
    alerts = [value for value, _ in store.rows.values() if isinstance(value, Alert)]
    assert {(alert.limit, alert.percent) for alert in alerts} == row.alerted == {(2, 50)}
    await made.aclose()


async def test_a_charge_that_is_taken_back_leaves_its_alert() -> None:
    store, clock = MemoryLedgerStore(), FakeClock()
    made = meter(store, clock)
    admission = await made.admit("t", admit("s1", month=1))
    assert isinstance(admission, Admission)

    decision = decided((await store.period_row("t", NOVEMBER)), Reverse(charge=admission.charges[0]), at=1)

    assert decision.alerts == ()
    await made.aclose()


ALERT = Alert(
    id="t:2026-11:quota:4:050",
    subject=Subject.QUOTA,
    tenant_id="t",
    percent=50,
    limit=4,
    used=2,
    at=MORNING,
    period=NOVEMBER,
    entry="2026-11/2",
    next_attempt_at=MORNING,
)
OF_POOL = Alert(
    id="p", subject=Subject.POOL, pool="shell", percent=90, limit=600, used=540, at=MORNING, next_attempt_at=MORNING
)


@pytest.mark.parametrize(
    "alert",
    [
        ALERT,
        OF_POOL,
        replace(ALERT, waiting_for=frozenset(), delivered_at=MORNING),
        replace(ALERT, waiting_for=frozenset({Target.TENANT}), attempts=3, problem="HTTP 500"),
    ],
)
def test_an_alert_is_read_back_as_it_was_written(alert: Alert) -> None:
    assert read_alert(write_alert("p", alert)) == alert


def test_keys_of_alerts_name_the_crossing() -> None:
    assert alert_key(ALERT) == "alert:2026-11:quota:4:050"
    assert alert_key(OF_POOL) == "alert:shell:090:2026-11-23T09:00:00.000000Z"


def test_an_alert_is_pending_while_somebody_has_not_heard_of_it() -> None:
    assert ALERT.is_pending
    assert not replace(ALERT, waiting_for=frozenset()).is_pending
