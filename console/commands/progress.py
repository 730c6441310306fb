"""How far a command is, on standard error: an animated line if that is a terminal, and nothing at all otherwise.

The line goes away when the work is done. What is printed meanwhile is printed `aside`, since the answer may go to the
same terminal.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Line


class Progress:
    """The line of one piece of work; without a terminal all of it does nothing."""

    def __init__(self, line: Line | None, doing: str, total: int | None) -> None:
        self._line = line
        if line is not None:
            self._task = line.add_task(doing, total=total, done="")

    @property
    def is_shown(self) -> bool:
        """Whether anybody sees it."""
        return self._line is not None

    def say(self, done: str, count: int | None = None) -> None:
        """Say what is done by now; the count is a part of the total, where there is one."""
        if self._line is not None:
            self._line.update(self._task, done=done, completed=count)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Take the line away while something is printed."""
        if self._line is None:
            yield
            return
        self._line.stop()
        yield
        self._line.start()


@contextmanager
def working(doing: str, total: int | None = None) -> Iterator[Progress]:
    """Show a line while something is being done; `total` is of what `Progress.say` counts."""
    console = Console(stderr=True)
    if not (sys.stderr.isatty() and console.is_interactive):
        yield Progress(None, doing, total)
        return
    bar: list[ProgressColumn] = [] if total is None else [BarColumn(bar_width=20)]
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), *bar)
    # Streams are left alone: standard output is for the answer, wherever it goes.
    with Line(
        *columns,
        TextColumn("{task.fields[done]}", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    ) as line:
        yield Progress(line, doing, total)
