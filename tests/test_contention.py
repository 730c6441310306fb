"""The contention benchmark makes every charge that it says it makes; how fast, is nobody's business here."""

import pytest

from benchmarks.contention import INSTANCES, SESSIONS, Scheme, contend

pytestmark = [pytest.mark.azurite, pytest.mark.slow]


async def test_bursts_of_every_kind_are_charged_or_cut_off_and_counted(azurite: str) -> None:
    told: list[str] = []

    found = await contend(azurite, 4, told.append)

    kinds = [(scheme, n, sessions) for n in INSTANCES for sessions in SESSIONS for scheme in Scheme]
    assert [(bursts.scheme, bursts.instances, bursts.sessions) for bursts in found] == kinds
    assert len(told) == len(kinds) / 2
    for bursts in found:
        assert bursts.charges == bursts.bursts * bursts.sessions
        assert 0 <= bursts.charged <= bursts.charges
        assert (bursts.p50_ms is None) == (bursts.charged <= bursts.charges // 2)
    assert all(bursts.charged == bursts.charges for bursts in found if bursts.sessions == 1)
