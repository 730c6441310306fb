"""`tollgate smoke` against deployments that do not do what they should; the real one is in `tests/stack`."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
import pytest

from console.backends import CommandError, over_http
from console.smoke import Smoke, Step
from tests.console.terminals import Terminal
from tests.support.building import FakeClock

OPERATOR_KEY, TENANT_KEY = "tg_operator", "tg_tenant"
NOT_FOUND = {"error": {"code": "ResourceNotFound", "message": "There is no such tenant."}}
STEPS = ["ready", "tenant", "key", "first call", "second call", "usage", "end of session", "clean up"]


def refusal(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": "No."}}


@dataclass
class Deployment:
    """A deployment that works, but for the answers that `instead` gives to a method and a path, one after the other."""

    instead: dict[str, list[httpx.Response | Callable[[], Any]]] = field(default_factory=dict)
    tenants: dict[str, Any] = field(default_factory=dict)
    keys: dict[str, bool] = field(default_factory=dict)
    minutes: dict[str, int] = field(default_factory=lambda: {"charged": 20, "reversed": 5})
    open_minutes: int = 0
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        call = f"{request.method} {request.url.path}"
        self.asked.append(call)
        if self.instead.get(call):
            answer = self.instead[call].pop(0)
            if isinstance(answer, httpx.Response):
                return answer
            await answer()
        own = request.headers["authorization"] == f"Bearer {TENANT_KEY}"
        assert own is not request.url.path.startswith(("/operator", "/healthz"))
        if call == "GET /healthz":
            return httpx.Response(200, json={"status": "ok", "storage": "ok", "pool": "ok"})
        return self._answer(request.method, request.url.path.split("/")[1:], request)

    def _answer(self, method: str, path: list[str], request: httpx.Request) -> httpx.Response:
        match (method, *path):
            case ("GET", "operator", "tenants", tenant):
                known = tenant in self.tenants
                return httpx.Response(200 if known else 404, json={"id": tenant} if known else NOT_FOUND)
            case ("PUT", "operator", "tenants", tenant):
                self.tenants[tenant] = json.loads(request.content)
                return httpx.Response(201, json={"id": tenant})
            case ("POST", "operator", "tenants", _, "keys"):
                self.keys["k1"] = True
                body = json.loads(request.content)
                return httpx.Response(201, json={"id": "k1", "key": TENANT_KEY, "expires_at": body["expires_at"]})
            case ("DELETE", "operator", "tenants", _, "keys", key):
                self.keys[key] = False
                return httpx.Response(200, json={"id": key})
            case ("DELETE", "operator", "tenants", _, "sessions"):
                self.open_minutes = 0
                return httpx.Response(200, json={"ended": True})
            case _:
                return self._answer_tenant(method, path)

    def _answer_tenant(self, method: str, path: list[str]) -> httpx.Response:
        match (method, *path):
            case ("POST", "code", "execute"):
                self.minutes["charged"] += 5
                self.open_minutes += 5
                return executed()
            case ("GET", "usage"):
                cost = {"rate_per_session_hour": "0.03", "currency": "USD"}
                statement = {"period": "2026-11", "minutes": self.minutes, "increment_seconds": 300, "cost": cost}
                return httpx.Response(200, json=statement)
            case ("GET", "usage", "sessions"):
                session = {"session": "smoke-test", "would_return_minutes": self.open_minutes - 5}
                return httpx.Response(200, json={"sessions": [session]})
            case _:
                assert (method, *path) == ("DELETE", "session")
                returned = self.open_minutes - 5
                self.minutes["reversed"] += returned
                self.open_minutes = 0
                return httpx.Response(204, headers={"Tollgate-Reversed-Minutes": str(returned)})


def executed(result: Any = 42, **headers: str | None) -> httpx.Response:
    every = {
        "Tollgate-Charged-Minutes": "5",
        "Tollgate-Session-Paid-Until": "2026-11-23T09:05:00Z",
        "RateLimit": '"period";r=295;t=1',
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    kept = {name: value for name, value in every.items() if value is not None}
    return httpx.Response(200, json={"properties": {"status": "Success", "result": result}}, headers=kept)


@asynccontextmanager
async def smoke(deployment: Deployment, **options: Any) -> AsyncIterator[tuple[Smoke, list[Step]]]:
    steps: list[Step] = []

    async def no_pause(_: float) -> None:
        await asyncio.sleep(0)

    transport = httpx.MockTransport(deployment.answer)
    async with over_http("http://tollgate", OPERATOR_KEY, transport=transport) as backend:
        yield (
            Smoke(
                backend=backend,
                tenant_id="smoke",
                told=steps.append,
                slow=options.pop("slow", lambda _: None),
                clock=FakeClock(),
                pause=no_pause,
                session="smoke-test",
                **options,
            ),
            steps,
        )


async def failing(deployment: Deployment, **options: Any) -> tuple[CommandError, list[Step]]:
    async with smoke(deployment, **options) as (run, steps):
        with pytest.raises(CommandError) as caught:
            await run.run()
    return caught.value, steps


async def test_a_deployment_that_works_is_said_to_and_left_clean() -> None:
    deployment = Deployment()

    async with smoke(deployment) as (run, steps):
        cost = await run.run()

    assert [(step.name, step.ok) for step in steps] == [(name, True) for name in STEPS]
    assert (cost.minutes, f"{cost.amount:.4f}", cost.currency) == (Decimal(5), "0.0025", "USD")
    assert deployment.tenants["smoke"]["minutes_per_month"] == 300
    assert deployment.keys == {"k1": False}
    assert steps[2].what == "k1, until 2026-11-23T10:00:00Z"


async def test_a_tenant_that_is_there_stays_as_it_is() -> None:
    deployment = Deployment(tenants={"smoke": "its own limits"})

    async with smoke(deployment) as (run, _):
        await run.run()

    assert deployment.tenants == {"smoke": "its own limits"}


@pytest.mark.parametrize(
    ("call", "answer", "step", "words", "status"),
    [
        ("GET /healthz", httpx.Response(404, text="Nothing here"), "ready", "does not answer as Tollgate does", 3),
        ("GET /operator/tenants/smoke", httpx.Response(401, json=refusal("InvalidApiKey")), "tenant", "InvalidA", 1),
        ("PUT /operator/tenants/smoke", httpx.Response(503, json=refusal("MeteringUnavailable")), "tenant", "Met", 3),
        ("POST /operator/tenants/smoke/keys", httpx.Response(500, json=refusal("InternalError")), "key", "Intern", 1),
        ("POST /code/execute", httpx.Response(403, json=refusal("QuotaExceeded")), "first call", "QuotaExceeded", 1),
        ("POST /code/execute", httpx.Response(404, json=refusal("OperationNotFound")), "first call", "another kind", 1),
        ("POST /code/execute", httpx.Response(502, json=refusal("PoolUnavailable")), "first call", "PoolUnav", 3),
        ("POST /code/execute", executed(43), "first call", "40 + 2 gave 43 instead of 42", 1),
        ("POST /code/execute", executed(None), "first call", "40 + 2 gave no result instead of 42", 1),
        ("POST /code/execute", executed("4" * 99), "first call", "gave '444", 1),
        ("POST /code/execute", executed(Tollgate_Charged_Minutes=None), "first call", "tollgate-charged-minutes", 1),
        ("POST /code/execute", executed(Tollgate_Charged_Minutes="x"), "first call", "holds no minutes", 1),
        ("POST /code/execute", executed(RateLimit=None), "first call", "RateLimit", 1),
        ("POST /code/execute", executed(), "usage", "/usage says 5 minutes charged since, and the answers 10", 1),
        ("GET /usage/sessions", httpx.Response(200, json={"sessions": []}), "end of session", "not among the open", 1),
        ("DELETE /session", httpx.Response(502, json=refusal("PoolUnavailable")), "end of session", "PoolUnav", 3),
        (
            "DELETE /session",
            httpx.Response(204, headers={"Tollgate-Reversed-Minutes": "10"}),
            "end of session",
            "10 minutes came back instead of 5",
            1,
        ),
        (
            "DELETE /session",
            httpx.Response(204, headers={"Tollgate-Reversed-Minutes": "5"}),
            "end of session",
            "/usage says 0 minutes reversed since, and the answers 5",
            1,
        ),
        ("DELETE /operator/tenants/smoke/keys/k1", httpx.Response(503, json=refusal("X")), "clean up", "X", 3),
    ],
)
async def test_a_step_that_fails_says_what_came_instead_and_everything_is_cleaned_up(
    call: str, answer: httpx.Response, step: str, words: str, status: int
) -> None:
    deployment = Deployment(instead={call: [answer]})

    error, steps = await failing(deployment)

    assert error.exit_status == status
    assert str(error).startswith(f"{step}: ")
    assert words in str(error)
    [told] = [each for each in steps if not each.ok]
    assert told.name == step
    assert f"{step}: {told.what}" == str(error)
    if step != "clean up":
        assert True not in deployment.keys.values()
        assert answer.status_code == 204 or deployment.open_minutes == 0  # a session that was said to be ended, is


async def test_a_deployment_that_has_to_start_first_is_waited_for() -> None:
    starting = [
        httpx.Response(503, text="The service is unavailable."),
        httpx.Response(503, json={"status": "unavailable", "storage": "unreachable", "pool": "ok"}),
        httpx.Response(502),
    ]
    deployment = Deployment(instead={"GET /healthz": [*starting]})

    async with smoke(deployment) as (run, steps):
        await run.run()

    assert deployment.asked.count("GET /healthz") == 4
    assert steps[0].what == "storage ok, pool ok"


async def test_a_deployment_that_never_gets_ready_says_what_it_lacks() -> None:
    lacking = [httpx.Response(503, json={"storage": "unreachable", "pool": "ok"}) for _ in range(100_000)]
    error, _ = await failing(Deployment(instead={"GET /healthz": [*lacking]}), step_seconds=0.5)

    assert (error.exit_status, str(error)) == (1, "ready: storage unreachable, pool ok")


async def test_a_step_that_takes_its_time_is_told_of_and_ends() -> None:
    waiting: list[str] = []
    never = asyncio.Event()
    deployment = Deployment(instead={"POST /code/execute": [never.wait]})

    error, _ = await failing(deployment, slow=waiting.append, slow_seconds=0.02, step_seconds=0.5)

    assert (error.exit_status, str(error)) == (3, "first call: no answer came within 0.5 s")
    assert waiting == ["first call"]
    assert deployment.keys == {"k1": False}


@pytest.mark.parametrize("call", ["POST /operator/tenants/smoke/keys", "POST /code/execute", "DELETE /session"])
async def test_ctrl_c_at_any_step_leaves_no_key_and_no_session(call: str) -> None:
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        reached.set()
        await go_on.wait()

    deployment = Deployment(instead={call: [hold]})
    async with smoke(deployment) as (run, _):
        running = asyncio.create_task(run.run())
        await reached.wait()
        running.cancel()  # as asyncio does at SIGINT
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await running

    assert deployment.keys == {"k1": False}
    assert deployment.open_minutes == 0


def test_a_deployment_that_is_not_there_ends_with_status_three() -> None:
    ended = Terminal({"TOLLGATE_URL": "http://127.0.0.1:9", "TOLLGATE_KEY": "k"}).run("smoke")

    assert ended.status == 3
    assert ended.output.startswith("✗ ready")
    assert ended.errors.startswith("tollgate: ready: http://127.0.0.1:9 cannot be reached")


def test_it_needs_a_tollgate_that_runs(azurite: str) -> None:
    ended = Terminal({"TOLLGATE_STORAGE": azurite}, ("--direct",)).run("smoke")

    assert (ended.status, ended.complaint) == (2, "smoke calls a Tollgate that runs: leave out --direct")
