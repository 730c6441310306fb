"""What runs in the environment of a deployment: loads an app folder as Azure's worker does, calls it, and tells.

`python -P deployed_app.py FOLDER`, with the parts of the local host that drive the runtime on the path. The calls come
as JSON on standard input, a list of function, method and path; the answers go out as JSON.
"""

import asyncio
import json
import os
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infra.local.host.protos import RpcHttp, TypedData
from infra.local.host.worker import invoke, load_app


async def serve(folder: Path, calls: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Load the app and make the calls, none of which has a body or a key."""
    functions = {function.name: function for function in await load_app(folder)}
    answers = []
    for name, method, path in calls:
        headers = {"host": "tollgate.example"}
        request = RpcHttp(method=method, url=f"https://tollgate.example{path}", headers=headers, body=TypedData())
        answer = await invoke(functions[name], TypedData(http=request), timeout_seconds=30)
        assert answer is not None
        assert answer.http is not None
        assert answer.http.body is not None
        answers.append((int(answer.http.status_code), (answer.http.body.bytes or b"").decode()))
    return {"functions": sorted(functions), "answers": answers, "strangers": list(strangers(folder))}


def strangers(folder: Path) -> list[str]:
    """List the files of modules that come neither from the app, nor from this environment or this Python."""
    paths = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    own = [folder, *map(Path, paths), *map(Path, os.environ["PYTHONPATH"].split(os.pathsep))]
    loaded = [getattr(module, "__file__", None) for module in sys.modules.values()]
    files = {Path(file).resolve() for file in loaded if file}
    files.discard(Path(__file__).resolve())
    return sorted(str(file) for file in files if not any(file.is_relative_to(place.resolve()) for place in own))


if __name__ == "__main__":
    app = Path(sys.argv[1]).resolve()
    sys.path.insert(0, str(app))
    os.chdir(app)
    json.dump(asyncio.run(serve(app, json.load(sys.stdin))), sys.stdout)
