"""The pool's address in texts, however it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.addresses import replace

ENDPOINT = "https://westus2.dynamicsessions.io/subscriptions/S/resourceGroups/G/sessionPools/POOL"
OURS = "https://gate.example/pools/p"


@pytest.mark.parametrize(
    "told",
    [
        ENDPOINT,
        ENDPOINT.replace("https", "http"),
        ENDPOINT.replace(".io", ".io:443"),
        ENDPOINT.upper(),
        ENDPOINT.replace("/", "\\/"),
        ENDPOINT.replace("/", "\\u002f"),
    ],
)
def test_the_address_becomes_tollgates_in_every_form_in_which_it_is_written(told: str) -> None:
    assert replace(f'{{"link": "{told}/files"}}'.encode(), ENDPOINT, OURS).startswith(b'{"link": "https://gate.example')
    assert b"dynamicsessions" not in replace(told.encode(), ENDPOINT, OURS).lower()


@pytest.mark.parametrize("told", ["westus2.dynamicsessions.io", "/subscriptions/S/resourceGroups/G/sessionPools/POOL"])
def test_parts_of_the_address_are_replaced_too(told: str) -> None:
    assert told.encode() not in replace(f"at {told}: busy".encode(), ENDPOINT, OURS)


@given(text=st.binary(max_size=300))
def test_a_text_without_the_address_is_the_same_object(text: bytes) -> None:
    assert replace(text, ENDPOINT, OURS) is text


@given(before=st.binary(max_size=50), behind=st.binary(max_size=50))
def test_what_stands_around_the_address_stays(before: bytes, behind: bytes) -> None:
    told = replace(before + b" " + ENDPOINT.encode() + b" " + behind, ENDPOINT, OURS)

    assert told == before + b" " + OURS.encode() + b" " + behind
