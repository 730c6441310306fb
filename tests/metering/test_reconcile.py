"""Reconciliation: what the pool holds and nobody pays for is found, and honest timing is not."""

from datetime import timedelta

import pytest

from metering.increments import Granularity
from metering.reconcile import Bounds, Difference, Mismatch, PoolSession, compare
from metering.rows import Window
from tests.support.building import MORNING, granularity

ACME = "acme-" + "0" * 64


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def window(opened: float = 0, paid_until: float = 600, *, identifier: str = ACME) -> dict[str, tuple[str, Window]]:
    row = Window(
        pool_identifier=identifier,
        session_name="mine",
        opened_at=MORNING + seconds(opened),
        paid_until=MORNING + seconds(paid_until),
        increments=2,
        newest_charge="2026-11/1",
        owner="i1",
    )
    return {identifier: ("acme", row)}


def session(
    created: float | None = 0, last: float | None = 250, expires: float | None = 550, *, identifier: str = ACME
) -> PoolSession:
    created_at, last_accessed_at, expires_at = (
        None if at is None else MORNING + seconds(at) for at in (created, last, expires)
    )
    return PoolSession(
        identifier=identifier, created_at=created_at, last_accessed_at=last_accessed_at, expires_at=expires_at
    )


def differences(
    windows: dict[str, tuple[str, Window]],
    *sessions: PoolSession,
    at: float = 300,
    cooldown: float = 300,
    of: Granularity | None = None,
) -> list[Difference]:
    bounds = Bounds(granularity=of or granularity(), cooldown=seconds(cooldown), listed_at=MORNING + seconds(at))
    return list(compare(windows, sessions, tenant_ids=frozenset({"acme"}), bounds=bounds))


def test_a_session_that_is_paid_for_as_long_as_it_is_held_is_no_difference() -> None:
    assert differences(window(), session()) == []


@pytest.mark.parametrize(
    ("identifier", "tenant"), [(ACME, "acme"), ("nobody-0", None), ("acme", None), ("acme-x-0", None)]
)
def test_a_session_without_a_window_is_held_and_not_paid(identifier: str, tenant: str | None) -> None:
    [found] = differences({}, session(identifier=identifier))

    assert (found.mismatch, found.tenant_id, found.session_name) == (Mismatch.HELD_NOT_PAID, tenant, None)
    assert found.seconds == 550
    assert found.mismatch.is_error


def test_a_session_that_outlives_its_window_is_held_and_not_paid() -> None:
    [found] = differences(window(), session(last=550, expires=850), at=700)

    assert (found.mismatch, found.session_name, found.seconds) == (Mismatch.HELD_NOT_PAID, "mine", 250)


@pytest.mark.parametrize(("at", "found"), [(600, False), (629, False), (630, True)])
def test_a_session_may_be_held_for_a_moment_after_its_window(at: float, found: bool) -> None:  # noqa: FBT001
    assert bool(differences(window(), session(last=301, expires=601), at=at)) == found


@pytest.mark.parametrize(("expires", "found"), [(601, False), (900, False), (901, True)])
def test_a_session_differs_if_it_will_be_held_over_one_increment_longer(expires: float, found: bool) -> None:  # noqa: FBT001
    mismatches = [difference.mismatch for difference in differences(window(), session(expires=expires))]

    assert mismatches == [Mismatch.DIFFERS] * found


def test_without_an_expiry_the_cooldown_counts_from_the_last_call() -> None:
    assert differences(window(), session(last=250, expires=None)) == []
    [found] = differences(window(), session(last=650, expires=None), at=599)
    assert found.seconds == 350
    [bare] = differences(window(), session(created=None, last=None, expires=None), at=700)
    assert bare.seconds == 100


def test_the_cooldown_that_tenants_need_not_pay_for_is_allowed() -> None:
    active_time_only = granularity(300, 0)

    assert differences(window(), session(last=599, expires=899), at=800, of=active_time_only) == []
    assert differences(window(), session(last=599, expires=4199), at=4000, cooldown=3600, of=active_time_only) == []
    [found] = differences(window(), session(last=700, expires=1000), at=950, of=active_time_only)
    assert (found.mismatch, found.seconds) == (Mismatch.HELD_NOT_PAID, 100)


def test_a_window_whose_session_is_gone_is_information_with_how_much_is_left() -> None:
    [found] = differences(window(), at=300)

    assert (found.mismatch, found.tenant_id, found.session_name) == (Mismatch.PAID_NOT_HELD, "acme", "mine")
    assert found.seconds == 300
    assert not found.mismatch.is_error


@pytest.mark.parametrize("at", [10, 29, 600, 900])
def test_a_window_that_was_just_opened_or_has_ended_needs_no_session(at: float) -> None:
    assert differences(window(), at=at) == []
