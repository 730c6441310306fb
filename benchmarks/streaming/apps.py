"""The app, written for each way of serving: read the whole body, answer like a session pool, say how much was read.

They are texts since they run in processes of their own, in folders as the platform has them.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from benchmarks import wire


class Way(StrEnum):
    """How a request gets to the app's code.

    `streaming` has the extension as it comes; its web server parses HTTP more quickly if an app adds httptools to its
    requirements, and then it is `streaming_httptools`.
    """

    FLOOR = "floor"
    CLASSIC = "classic"
    ASGI_APP = "asgi_app"
    STREAMING = "streaming"
    STREAMING_HTTPTOOLS = "streaming_httptools"


# A line of the log per invocation would cost about as much as half a call, so no way writes any.
_QUIET = """import logging

logging.getLogger("azure").setLevel(logging.WARNING)
logging.getLogger("uvicorn.access").addFilter(lambda record: False)
"""

_CLASSIC = f"""import azure.functions as func

{_QUIET}
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("{{*rest}}")
async def serve(req: func.HttpRequest) -> func.HttpResponse:
    headers = {{"received": str(len(req.get_body()))}}
    return func.HttpResponse({wire.ANSWER!r}, headers=headers, mimetype="application/json")
"""

_ASGI_APP = f"""import azure.functions as func

from benchmarks.streaming.floor import serve

{_QUIET}
app = func.AsgiFunctionApp(app=serve, http_auth_level=func.AuthLevel.ANONYMOUS)
"""

# It also says how many invocations the library still holds on to.
_STREAMING = f"""import azure.functions as func
from azure_functions_runtime.http_v2 import http_coordinator
from azurefunctions.extensions.http.fastapi import Request, Response
from uvicorn.config import HTTP_PROTOCOLS

{_QUIET}
HTTP_PROTOCOLS["auto"] = HTTP_PROTOCOLS["%s"]
app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route("{{*rest}}")
async def serve(req: Request) -> Response:
    kept = len(http_coordinator._context_references)
    headers = {{"received": str(len(await req.body())), "kept": str(kept)}}
    return Response({wire.ANSWER!r}, headers=headers, media_type="application/json")
"""

APPS: Mapping[Way, str] = {
    Way.CLASSIC: _CLASSIC,
    Way.ASGI_APP: _ASGI_APP,
    Way.STREAMING: _STREAMING % "h11",
    Way.STREAMING_HTTPTOOLS: _STREAMING % "httptools",
}

_HOST_JSON = """{
  "version": "2.0",
  "logging": {"logLevel": {"default": "Warning"}},
  "extensions": {"http": {"routePrefix": ""}}
}
"""


def write_app(way: Way, folder: Path) -> Path:
    """Write the app's folder below this one, and return it."""
    home = folder / way
    home.mkdir()
    (home / "function_app.py").write_text(APPS[way])
    (home / "host.json").write_text(_HOST_JSON)
    return home
