"""The real packages, unmodified, with Tollgate's URL and a key: what works, and what the documentation says of it."""

import pytest

from tests.clients.drivers import Drivers, clients
from tests.clients.table import PAGE, table_in, write_table

pytestmark = [pytest.mark.stack, pytest.mark.slow]


@pytest.mark.parametrize("client", clients())
def test_all_that_a_client_does_works_through_tollgate(client: str, drivers: Drivers) -> None:
    failures = drivers.outcome(client).failures

    assert not failures, "\n".join(failures)


def test_the_table_in_the_documentation_is_what_was_seen(drivers: Drivers) -> None:
    drivers.start(clients())
    outcomes = {client: drivers.outcome(client) for client in clients()}

    for client, outcome in outcomes.items():
        assert not outcome.problem, f"{client}: {outcome.problem}"
    assert table_in(PAGE.read_text()) == write_table(outcome.rows for outcome in outcomes.values()), (
        "the clients do something else than docs/clients.md says; to write down what they do: make clients"
    )
