"""The promises bite: each plausible mistake in the product is caught, and by the promise that it breaks."""

import asyncio
import logging
from collections.abc import Iterator
from random import Random

import pytest

from tests.isolation.promises import PROMISES
from tests.isolation.runs import BATCH, Tally, run_batch
from tests.isolation.variants import VARIANTS

CASES = 10_000  # a tenth of what the product itself is put through
PIECES = ("x", "é", "\u2603", "a/b", "..", "%2e", "\u202e", "\0", "\r\n", "q'\"", "\U0001f600", "")


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Keep the product's log, which is long here, out of the report."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_a_broken_product_is_caught_within_ten_thousand_calls(name: str) -> None:
    promise, product = VARIANTS[name]

    with asyncio.Runner() as runner:
        for seed in range(CASES // BATCH):
            failure = runner.run(run_batch(product, Random(seed), PIECES, Tally()))
            if failure is not None and failure.breach.promise == promise:
                return
    pytest.fail(f"no call shows that '{promise}' is broken")


def test_every_promise_has_a_product_that_breaks_it() -> None:
    assert {promise for promise, _ in VARIANTS.values()} == set(PROMISES)
