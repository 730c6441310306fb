"""Has Hypothesis draw what calls are made of, and makes batches of them: always the same for the same seed.

Hypothesis draws pieces of text and a seed for each batch, and the calls are put together from them by plain chance:
drawing each call by itself would take several times as long as making it. What it would shrink is a batch, so a
failing call is shrunk by itself instead.
"""

import asyncio
import logging
from random import Random

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from tests.isolation.runs import BATCH, Failure, Tally, run_batch
from tests.isolation.world import Product

_UNICODE = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
_AWKWARD = st.text(st.sampled_from("./\\%;&=?#+ \0\t\r\n\x7f\"'<>[]{}|0aA\u00e9\u2028\u202e\ufeff\ufffd"), max_size=12)
_BYTES = st.binary(max_size=20).map(lambda octets: "".join(f"%{octet:02x}" for octet in octets))
_PIECES = st.lists(st.one_of(_UNICODE, _UNICODE, _AWKWARD, _BYTES), min_size=12, max_size=12)


class _BrokenError(AssertionError):
    """A promise is broken."""


def explore(cases: int, seed: int) -> tuple[Tally, Failure | None]:
    """Make so many calls, in whole batches; stop at the first that breaks a promise."""
    tally, failures = Tally(), list[Failure]()
    logging.disable(logging.CRITICAL)  # the product's log is long here
    with asyncio.Runner() as runner:

        @hypothesis.seed(seed)
        @settings(
            max_examples=-(-cases // BATCH),
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @hypothesis.given(batch=st.integers(0, 2**64), pieces=_PIECES)
        def explore_batch(batch: int, pieces: list[str]) -> None:
            failure = runner.run(run_batch(Product(), Random(f"{seed} {batch} {pieces}"), pieces, tally))
            if failure is not None:
                failures.append(failure)
                raise _BrokenError

        try:
            explore_batch()
        except _BrokenError:
            return tally, failures[0]
    return tally, None
