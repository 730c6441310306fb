"""What sets Tollgate up and keeps its lock files fresh; standard library only, since nothing is installed yet.

Run from the project's folder: `python -m scripts.setup` and `python -m scripts.lock` (see the Makefile).
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  whoever has only an older Python is told so, not shown a traceback
    sys.exit(
        f"setup: this is Python {sys.version_info[0]}.{sys.version_info[1]}, and the set-up needs 3.11 or later. "
        "Install one and run: make setup PYTHON=python3.13"
    )
