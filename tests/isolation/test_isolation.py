"""No request of one tenant reaches another's session, and no answer tells what only the pool should know."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.identifiers import pool_identifier
from tests.isolation.calls import OPERATIONS
from tests.isolation.places import SECRET
from tests.running import ROOT

CASES = int(os.environ.get("TOLLGATE_ISOLATION_CASES", "100000"))
PROCESSES = 2


@pytest.mark.slow
def test_no_tenant_reaches_another_in_a_hundred_thousand_calls() -> None:
    each = -(-CASES // PROCESSES)
    command = (sys.executable, "-m", "tests.isolation", "--cases", str(each), "--seed")
    # In processes of their own, side by side, and out of reach of whoever measures this one.
    running = [subprocess.Popen([*command, str(seed)], cwd=ROOT, stdout=subprocess.PIPE) for seed in range(PROCESSES)]
    told = [process.communicate()[0].decode() for process in running]

    for process, text in zip(running, told, strict=True):
        assert process.returncode == 0, text
    counted = [json.loads(text) for text in told]
    cases = sum(one["cases"] for one in counted)
    forwarded = sum((Counter(one["forwarded"]) for one in counted), Counter[str]())
    statuses = sum((Counter(one["statuses"]) for one in counted), Counter[str]())
    assert cases >= CASES
    assert forwarded.total() >= 0.3 * cases, forwarded
    assert set(forwarded) == OPERATIONS
    assert min(forwarded.values()) >= 0.003 * cases, forwarded
    assert {"200", "204", "400", "401", "403", "404", "411", "413", "502", "503", "504"} <= set(statuses)


_TENANTS = st.from_regex(r"\A[a-c](?:[a-c-]{0,3}[a-c])?\Z")
_SESSIONS = st.tuples(_TENANTS, st.one_of(st.just("default"), _TENANTS), st.text("ab-", min_size=1, max_size=3))


@given(one=_SESSIONS, another=_SESSIONS)
def test_two_sessions_never_share_an_identifier_and_one_always_has_the_same(
    one: tuple[str, str, str], another: tuple[str, str, str]
) -> None:
    first, second = pool_identifier(SECRET, *one), pool_identifier(SECRET, *another)

    assert (first == second) == (one == another)
    assert first == pool_identifier(SECRET, *one)
