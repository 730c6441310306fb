"""The program inside a session: a Jupyter kernel that reports values as the pool's API wants them.

It runs in the sessions' interpreter, alone: it must not import anything of Tollgate. The namespace of the user's code
stays empty.
"""

import ast
import json
import os
import sys
from typing import Any

from ipykernel.kernelapp import IPKernelApp

_KILLED = 137


def as_json(value: object) -> dict[str, str] | None:
    """Wrap a value that JSON can hold; None (use the text form) for what it cannot, NaN and infinities included."""
    try:
        return {"value": json.dumps(value, allow_nan=False)}
    except (TypeError, ValueError, RecursionError):
        return None


def evaluates_to_none(code: str) -> bool:
    """Say whether code that gave no value ends in an expression whose value is None.

    A call does not count: `print(1)` has no result, while a variable holding None has the result null.
    """
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError):
        return False
    return bool(body) and isinstance(body[-1], ast.Expr) and not isinstance(body[-1].value, ast.Call | ast.Await)


def prepare(shell: Any) -> None:
    """Teach a shell to report values as JSON, and to end when it is out of memory."""
    formatter = shell.display_formatter.formatters["application/json"]
    for kind in (int, float, str, bool, list, dict, tuple):
        formatter.for_type(kind, as_json)

    def report_none(result: Any) -> None:
        silent = result.info is None or result.info.silent or not result.success
        if not silent and result.result is None and evaluates_to_none(shell.transform_cell(result.info.raw_cell)):
            shell.display_pub.publish({"application/json": {"value": "null"}})

    def out_of_memory(*_: Any, **__: Any) -> None:
        os._exit(_KILLED)  # as the service's container, which is killed as a whole

    shell.events.register("post_run_cell", report_none)
    shell.set_custom_exc((MemoryError,), out_of_memory)


def main(connection_file: str) -> None:
    """Serve one kernel until it is told to end."""
    application: Any = IPKernelApp.instance()
    application.initialize(
        ["-f", connection_file, "--HistoryManager.enabled=False", "--InteractiveShell.colors=nocolor"]
    )
    prepare(application.shell)
    application.start()


if __name__ == "__main__":
    main(sys.argv[1])
