"""The oracle bites: each plausible mistake in the product is caught, and by the promise that it breaks."""

import logging
from collections.abc import Iterator

import pytest

from tests.simulation.variants import VARIANTS
from tests.simulation.world import run_seed

SEEDS = 1_000


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Keep the product's log, which is long here, out of the report."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_a_broken_product_is_caught_within_a_thousand_seeds(name: str) -> None:
    promise, parts = VARIANTS[name]

    for seed in range(SEEDS):
        broken = run_seed(seed, parts=parts)
        if broken is not None and broken.promise == promise:
            return
    pytest.fail(f"no seed shows that '{promise}' is broken")


def test_every_promise_has_a_product_that_breaks_it() -> None:
    assert {promise for promise, _ in VARIANTS.values()} == {
        "never over",
        "never twice",
        "never lost",
        "never unfairly refused",
        "balance is the sum of entries",
        "covered",
        "storage down",
        "always answered",
        "every crossing is alerted",
    }
