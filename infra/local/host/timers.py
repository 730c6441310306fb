"""Fires timer triggers when they are due.

A function's next run is reckoned from the end of the last one, so runs of one function never overlap, as in Azure; runs
missed meanwhile are not made up for.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from datetime import datetime

from infra.local.host import worker
from infra.local.host.errors import StartError
from infra.local.host.protos import TypedData
from infra.local.host.schedule import Schedule, parse
from infra.local.host.worker import Function, FunctionFailed

_logger = logging.getLogger(__name__)


def timer_value() -> TypedData:
    """Return what a timer's function is given. The host's own monitor of past runs has no part in this host."""
    return TypedData(json=json.dumps({"IsPastDue": False, "ScheduleStatus": None, "Schedule": {"AdjustForDST": True}}))


def read_schedules(
    functions: Mapping[str, Function], now: datetime, environment: Mapping[str, str]
) -> dict[str, Schedule]:
    """Return the schedule of each timer by its function's name; `%NAME%` stands for an app setting.

    Raises:
        StartError: if a schedule cannot be read, or is never due.
    """
    schedules: dict[str, Schedule] = {}
    for function in functions.values():
        if function.trigger["type"] != "timerTrigger":
            continue
        expression = str(function.trigger["schedule"])
        if expression.startswith("%") and expression.endswith("%"):
            expression = environment.get(expression.strip("%"), "")
        try:
            schedule = parse(expression)
        except ValueError as error:
            raise StartError(f"function {function.name}: {error}") from None
        if schedule.next_after(now) is None:
            raise StartError(f"function {function.name}: {expression!r} is never due")
        schedules[function.name] = schedule
    return schedules


async def run_timers(
    functions: Mapping[str, Function],
    schedules: Mapping[str, Schedule],
    clock: Callable[[], datetime],
    *,
    timeout_seconds: float | None,
) -> None:
    """Fire all timers until cancelled. A failing run is logged, and changes nothing for the next."""
    async with asyncio.TaskGroup() as group:
        for name, schedule in schedules.items():
            group.create_task(_run_timer(functions[name], schedule, clock, timeout_seconds))


async def _run_timer(
    function: Function, schedule: Schedule, clock: Callable[[], datetime], timeout_seconds: float | None
) -> None:
    if function.trigger.get("runOnStartup"):
        await _fire(function, timeout_seconds)
    due = schedule.next_after(clock())
    while due is not None:
        remaining_seconds = (due - clock()).total_seconds()
        if remaining_seconds > 0:
            # Sleeps are short, so that a laptop that was asleep finds out soon.
            await asyncio.sleep(min(remaining_seconds, 30))
            continue
        await _fire(function, timeout_seconds)
        due = schedule.next_after(clock())


async def _fire(function: Function, timeout_seconds: float | None) -> None:
    try:
        await worker.invoke(function, timer_value(), timeout_seconds=timeout_seconds)
    except FunctionFailed:
        _logger.warning("Timer %s failed; it runs again when it is next due", function.name)
