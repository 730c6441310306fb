"""The app that most conformance tests call, as the source of its `function_app.py`."""

SOURCE = """
import asyncio, hashlib, json, logging
import azure_functions_runtime

runs = {"tick": 0, "tock": 0}


def describe(name, req):
    return func.HttpResponse(json.dumps({"function": name, "values": dict(req.route_params)}))


@app.route(route="items/{n:int}", methods=["GET"])
async def number(req: func.HttpRequest) -> func.HttpResponse:
    return describe("number", req)


@app.route(route="optional/{x?}")
async def optional(req: func.HttpRequest) -> func.HttpResponse:
    return describe("optional", req)


@app.route(route="default/{x=seven}")
async def with_default(req: func.HttpRequest) -> func.HttpResponse:
    return describe("with_default", req)


@app.route(route="parts/{name}.{extension}")
async def parts(req: func.HttpRequest) -> func.HttpResponse:
    return describe("parts", req)


@app.route(route="post-only", methods=["POST"])
async def post_only(req: func.HttpRequest) -> func.HttpResponse:
    return describe("post_only", req)


@app.route(route="Same/{a}")
async def b_second(req: func.HttpRequest) -> func.HttpResponse:
    return describe("b_second", req)


@app.route(route="same/literal")
async def C_third(req: func.HttpRequest) -> func.HttpResponse:
    return describe("C_third", req)


@app.route(route="echo/{*rest}")
async def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    body = req.get_body()
    return func.HttpResponse(json.dumps({
        "method": req.method, "url": req.url, "rest": req.route_params.get("rest"), "query": dict(req.params),
        "headers": dict(req.headers.items()), "length": len(body), "sha256": hashlib.sha256(body).hexdigest(),
        "trace_parent": context.trace_context.trace_parent,
        "same_id": azure_functions_runtime.invocation_id_cv.get() == context.invocation_id,
    }), mimetype="application/json")


def response(*headers, body="body", **fields):
    made = func.HttpResponse(body, **fields)
    for name, value in headers:
        made.headers.add(name, value)
    return made


ANSWERS = {
    "cookies": lambda: response(("Set-Cookie", "a=1; Path=/x; Secure; HttpOnly; SameSite=Strict"),
                                ("Set-Cookie", "b=2%203; Max-Age=60; Domain=example.org")),
    "partitioned": lambda: response(("Set-Cookie", "a=1; Secure; Partitioned")),
    "dashed-expires": lambda: response(("Set-Cookie", "__cf_bm=1; Expires=Sun, 22-Nov-26 10:00:00 GMT")),
    "expires": lambda: response(("Set-Cookie", "a=1; Expires=Sun, 22 Nov 2026 10:00:00 GMT")),
    "repeated": lambda: response(("Via", "first"), ("Via", "second")),
    "mixed-case": lambda: response(("via", "first"), ("Via", "second")),
    "non-ascii": lambda: response(("X-Name", "Zo\\u00eb")),
    "date": lambda: response(("Date", "Thu, 01 Jan 1970 00:00:00 GMT")),
    "control": lambda: response(("X-Name", "a\\x00b")),
    "chunked": lambda: response(("Transfer-Encoding", "chunked")),
    "wrong-length": lambda: response(("Content-Length", "3")),
    "right-length": lambda: response(("Content-Length", "4")),
    "raises": lambda: 1 / 0,
    "none": lambda: None,
    "dictionary": lambda: {"a": 1},
    "text": lambda: "plain text",
    "no-content": lambda: response(status_code=204),
    "not-modified": lambda: response(status_code=304),
    "teapot": lambda: response(("X-Answer", "yes"), status_code=418),
    "empty": lambda: response(body=None),
}


@app.route(route="answers/{kind}")
def answers(req: func.HttpRequest):
    return ANSWERS[req.route_params["kind"]]()


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
async def Tick(timer: func.TimerRequest) -> None:
    assert timer.past_due is False
    runs["tick"] += 1


@app.timer_trigger(arg_name="timer", schedule="%TOCK_SCHEDULE%")
def tock(timer: func.TimerRequest) -> None:
    runs["tock"] += 1


@app.timer_trigger(arg_name="timer", schedule="0 0 0 1 1 *")
async def broken(timer: func.TimerRequest) -> None:
    raise ValueError("the timer is broken")


@app.route(route="runs")
async def count_runs(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(runs))


@app.route(route="{*path}")
async def zz_rest(req: func.HttpRequest) -> func.HttpResponse:
    return describe("zz_rest", req)
"""
