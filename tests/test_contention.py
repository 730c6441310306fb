"""The contention benchmark makes every charge that it says it makes; how fast, is nobody's business here."""

import pytest

from benchmarks.contention import INSTANCES, Effort, Scheme, contend

pytestmark = [pytest.mark.azurite, pytest.mark.slow]

AT_ONCE = (1, 16)
KINDS = [(scheme, n, sessions) for n in INSTANCES for sessions in AT_ONCE for scheme in Scheme]


async def test_bursts_of_every_kind_are_charged_and_counted(azurite: str) -> None:
    told: list[str] = []

    patient = Effort(bursts_max=2, bursts_seconds=60, burst_seconds_max=60)
    found = await contend(azurite, patient, told.append, at_once=AT_ONCE)

    assert [(bursts.scheme, bursts.instances, bursts.sessions) for bursts in found] == KINDS
    assert len(told) == len(KINDS) / 2
    for bursts in found:
        assert (bursts.bursts, bursts.charges) == (2, 2 * bursts.sessions)
        assert 0 <= bursts.charged <= bursts.charges
        assert (bursts.p50_ms is None) == (bursts.charged <= bursts.charges // 2)
    assert all(bursts.charged == bursts.charges for bursts in found if bursts.sessions == 1)


async def test_charges_of_a_burst_that_is_cut_off_are_not_counted(azurite: str) -> None:
    hasty = Effort(bursts_max=2, bursts_seconds=0, burst_seconds_max=0)

    found = await contend(azurite, hasty, lambda _: None, at_once=AT_ONCE)

    assert [(bursts.scheme, bursts.instances, bursts.sessions) for bursts in found] == KINDS
    for bursts in found:
        assert (bursts.bursts, bursts.charges, bursts.charged) == (1, bursts.sessions, 0)
        assert bursts.p50_ms is None
