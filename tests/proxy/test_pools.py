"""On which of several endpoints of a pool a session lives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.pools import Pool, PoolKind


def pool(*endpoints: str) -> Pool:
    return Pool("shared", PoolKind.PYTHON, endpoints)


@given(names=st.lists(st.text(min_size=1), min_size=1, max_size=20, unique=True))
def test_a_session_stays_on_its_endpoint_and_a_new_one_moves_only_what_goes_to_it(names: list[str]) -> None:
    three, four = pool("a", "b", "c"), pool("a", "b", "c", "d")

    for name in names:
        before, after = three.endpoint_of(name), four.endpoint_of(name)
        assert after in {before, "d"}
        assert pool("c", "b", "a").endpoint_of(name) == before


def test_sessions_spread_over_the_endpoints() -> None:
    chosen = [pool("a", "b").endpoint_of(f"s{n}") for n in range(1_000)]

    assert 400 < chosen.count("a") < 600


@pytest.mark.parametrize(("name", "endpoints"), [("Pool", ("a",)), ("", ("a",)), ("a/b", ("a",)), ("pool", ())])
def test_a_pool_that_could_not_be_addressed_is_refused(name: str, endpoints: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="a pool"):
        Pool(name, PoolKind.PYTHON, endpoints)
