"""Keys, limits and timeouts that `host.json` and the arguments set."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.infra.host.support import Host, running_host, write_app

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """At most two requests at a time, none longer than a second, and a header on every answer."""
    app = write_app(
        tmp_path_factory.mktemp("limited"),
        """
        import asyncio, time

        @app.route(route="hang")
        async def hang(req: func.HttpRequest) -> str:
            await asyncio.sleep(60)

        @app.route(route="hang-in-thread")
        def hang_in_thread(req: func.HttpRequest) -> str:
            time.sleep(1.5)
            return "late"

        @app.route(route="quick")
        async def quick(req: func.HttpRequest) -> func.HttpResponse:
            return func.HttpResponse("", headers={"X-Own": "function"})
        """,
        {
            "functionTimeout": "00:00:01",
            "extensions": {
                "http": {
                    "maxOutstandingRequests": 2,
                    "customHeaders": {"X-Frame-Options": "DENY", "x-own": "host"},
                }
            },
        },
    )
    with running_host(app) as running:
        yield running


def test_the_route_prefix_is_api_unless_set(limited: Host) -> None:
    assert limited.call("GET", "/api/quick").status == 200
    assert limited.call("GET", "/quick").status == 404


def test_the_homepage_answers_where_no_route_does(limited: Host) -> None:
    answer = limited.call("GET", "/")

    assert (answer.status, answer.header("content-type")) == (200, "text/html")


def test_custom_headers_are_added_unless_the_function_set_them(limited: Host) -> None:
    answer = limited.call("GET", "/api/quick")

    assert answer.header("x-frame-options") == "DENY"
    assert answer.header("x-own") == "function"


def test_over_the_outstanding_limit_the_host_asks_to_be_scaled_out(limited: Host) -> None:
    with ThreadPoolExecutor() as pool:
        hanging = [pool.submit(limited.call, "GET", "/api/hang") for _ in range(2)]
        deadline = time.monotonic() + 5
        while (answer := limited.call("GET", "/api/quick")).status == 200:
            assert time.monotonic() < deadline
        statuses = [request.result().status for request in hanging]

    assert (answer.status, answer.body, answer.header("x-function-scaleout")) == (429, b"", "1")
    assert statuses == [500, 500]
    assert limited.call("GET", "/api/quick").status == 200


def test_a_function_that_overruns_its_time_answers_500(limited: Host) -> None:
    answer = limited.call("GET", "/api/hang-in-thread")

    assert (answer.status, answer.body) == (500, b"")


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A host that checks keys, and lets one request in at a time."""
    app = write_app(
        tmp_path_factory.mktemp("locked"),
        """
        import asyncio

        inside = 0

        @app.route(route="open")
        async def opened(req: func.HttpRequest) -> str:
            return "open"

        @app.route(route="function", auth_level=func.AuthLevel.FUNCTION)
        async def function_level(req: func.HttpRequest) -> str:
            return "function"

        @app.route(route="master", auth_level=func.AuthLevel.ADMIN)
        async def admin_level(req: func.HttpRequest) -> str:
            return "admin"

        @app.route(route="alone")
        async def alone(req: func.HttpRequest) -> str:
            global inside
            inside += 1
            await asyncio.sleep(0.02)
            seen, inside = inside, inside - 1
            return str(seen)
        """,
        {"extensions": {"http": {"routePrefix": "", "maxConcurrentRequests": 1}}},
    )
    with running_host(app, "--master-key", "master", "--function-key", "host") as running:
        yield running


@pytest.mark.parametrize(
    ("target", "key", "status"),
    [
        ("/open", None, 200),
        ("/function", None, 401),
        ("/function", "wrong", 401),
        ("/function", "host", 200),
        ("/function", "master", 200),
        ("/master", "host", 401),
        ("/master", "master", 200),
        ("/admin/host/status", "host", 401),
        ("/admin/host/status", "master", 200),
    ],
)
def test_a_key_opens_its_level_in_the_header_and_in_the_query(
    locked: Host, target: str, key: str | None, status: int
) -> None:
    assert locked.call("GET", target, headers={"x-functions-key": key} if key else {}).status == status
    assert locked.call("GET", f"{target}?code={key}" if key else target).status == status


def test_over_the_concurrency_limit_requests_wait(locked: Host) -> None:
    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(lambda _: locked.call("GET", "/alone").body, range(8)))

    assert seen == [b"1"] * 8
