"""Make generated calls and say what became of them: `python -m tests.isolation --cases 1000000 --seed 5`.

Ends with status 1 and the call, as short as it can be, if a promise is broken.
"""

import argparse
import json
import sys

from tests.isolation.exploring import explore


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.isolation", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tally, failure = explore(options.cases, options.seed)
    if failure is not None:
        sys.stdout.write(f"seed {options.seed}, after {tally.cases} calls: {failure}\n")
        return 1
    counted = {"cases": tally.cases, "forwarded": tally.forwarded, "statuses": tally.statuses}
    sys.stdout.write(json.dumps(counted) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
