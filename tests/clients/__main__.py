"""Drive every client, and write the table of the documentation: `python -m tests.clients`."""

import contextlib
import sys
import tempfile
from pathlib import Path

from tests.clients.deployment import running_deployment
from tests.clients.drivers import Drivers, clients
from tests.clients.table import PAGE, with_table, write_table


def main() -> int:
    """Write what was seen, whatever it is; the status is 1 if anything failed."""
    names, failed = clients(), False
    with tempfile.TemporaryDirectory() as scratch, running_deployment(Path(scratch)) as deployment:
        (Path(scratch) / "homes").mkdir()
        drivers = Drivers(deployment, Path(scratch) / "homes")
        with contextlib.closing(drivers):
            drivers.start(names)
            outcomes = {name: drivers.outcome(name) for name in names}
    for name, outcome in outcomes.items():
        for failure in outcome.failures:
            sys.stderr.write(f"{name}: {failure}\n")
            failed = True
    PAGE.write_text(with_table(PAGE.read_text(), write_table(outcome.rows for outcome in outcomes.values())))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
