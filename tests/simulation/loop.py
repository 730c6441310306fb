"""An event loop in virtual time: nothing waits, and among the callbacks that are ready the seed chooses the next.

So every `await` is a point at which anything else may happen first, and one seed always gives one history. There are
no threads, sockets or signals here. Each task remembers who started it (`OWNER`), so that an instance can be killed.
"""

import asyncio
import contextlib
import contextvars
import heapq
import random
from collections.abc import Callable, Coroutine
from typing import Any, override

STEPS_MAX = 3_000_000

OWNER: contextvars.ContextVar[list[asyncio.Task[Any]] | None] = contextvars.ContextVar("OWNER", default=None)
"""Where the tasks that this context starts are noted."""


class Stuck(Exception):  # noqa: N818
    """Nothing is left to run, and what was waited for has not happened."""


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs coroutines to their end in no time at all."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._draw = chance.random
        self._now = 0.0
        self._waiting: list[asyncio.Handle] = []
        self._timers: list[tuple[float, int, asyncio.Handle]] = []
        self._sequence = 0
        self.steps = 0
        self.accidents: list[str] = []

    def run(self, main: Coroutine[Any, Any, None]) -> None:
        """Run until `main` has ended; what else is left then is cancelled and run out.

        Raises:
            Stuck: `main` waits for something that cannot happen any more, or the steps never end.
        """
        asyncio.events._set_running_loop(self)  # what asyncio's own loops do
        try:
            task = asyncio.Task(main, loop=self)
            try:
                self._run_until(task.done)
                task.result()
            finally:
                self._bury()
        finally:
            asyncio.events._set_running_loop(None)
            self.close()

    def _bury(self) -> None:
        """Cancel what is left until nothing is; what goes wrong on the way no longer belongs to the history."""
        while left := asyncio.all_tasks(self):
            for task in left:
                task.cancel()
            with contextlib.suppress(Exception):
                self._run_until(lambda left=left: all(task.done() for task in left))  # type: ignore[misc]

    def _run_until(self, done: Callable[[], bool]) -> None:
        ready, timers = self._waiting, self._timers
        while not done():
            if not ready:
                if not timers:
                    raise Stuck("nothing is left to run")
                self._now = timers[0][0]
                while timers and timers[0][0] <= self._now:
                    ready.append(heapq.heappop(timers)[2])
            index = int(self._draw() * len(ready)) if len(ready) > 1 else 0
            handle = ready[index]
            ready[index] = ready[-1]
            ready.pop()
            if not handle._cancelled:
                self.steps += 1
                if self.steps > STEPS_MAX:
                    raise Stuck("the steps never end")
                handle.get_context().run(handle._callback, *handle._args)  # type: ignore[attr-defined]  # kept by asyncio

    @override
    def time(self) -> float:
        return self._now

    @override
    def call_soon[*Ts](
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._waiting.append(handle)
        return handle

    @override
    def call_later[*Ts](
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    @override
    def call_at[*Ts](
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._sequence += 1
        heapq.heappush(self._timers, (when, self._sequence, handle))
        return handle

    @override
    def create_task(self, coro: Any, *, context: Any = None, **_: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, context=context)
        owned = OWNER.get()
        if owned is not None:
            owned.append(task)
        return task

    @override
    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody caught; the oracle takes it for a failure."""
        self.accidents.append(f"{context.get('message')}: {context.get('exception')!r}")
