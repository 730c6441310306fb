"""Runs one program to its end and says what it took: `python -m benchmarks.launch FILE PROGRAM [ARGUMENT…]`.

FILE gets seconds, processor time and the most memory that the program held at once, as JSON; the exit status is the
program's. A process of its own, and a small one, since a forked child's figure begins with what its parent holds.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss, getrusage(2)


def main() -> int:
    """Run the program."""
    report, *command = sys.argv[1:]
    started = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    figures = {
        "seconds": seconds,
        "cpu_seconds": usage.ru_utime + usage.ru_stime,
        "peak_mib": usage.ru_maxrss * _MAXRSS_BYTES / 1024**2,
    }
    Path(report).write_text(json.dumps(figures))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
