"""The program inside a shell session: runs one command after another, each in a shell of its own.

It runs in the sessions' interpreter, alone: it must not import anything of Tollgate. Requests and replies are lines of
JSON on the descriptor that the command line names; what commands print goes to the standard streams, which the pool
reads itself. What a command leaves running goes on, and its output belongs to whatever command runs then.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from typing import Any


def run(command: str, seconds: float) -> dict[str, Any]:
    """Run a command, as the service does: as one argument of `sh -c`, which may have 128 KiB on Linux."""
    try:
        process = subprocess.Popen(["sh", "-c", command], stdin=subprocess.DEVNULL, start_new_session=True)
    except (OSError, ValueError) as failure:
        return {"ending": "raised", "error": str(failure)}
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return {"ending": "timed_out"}
    return {"ending": "succeeded", "exit_code": status if status >= 0 else 128 - status}


def main(descriptor: int) -> None:
    """Serve until the pool closes its end."""
    with socket.socket(fileno=descriptor) as channel, channel.makefile("rw", encoding="utf-8") as lines:
        print('{"id": 0}', file=lines, flush=True)
        for line in lines:
            request = json.loads(line)
            outcome = run(request["code"], request["seconds"])
            print(json.dumps({"id": request["id"], **outcome}), file=lines, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
