"""Prints answers: JSON for machines, tables for people. The JSON is the API's own."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

type Json = dict[str, Any]

_PIPED_WIDTH = 400  # no line breaks in the middle of a name
_DATE_WIDTH = 10  # narrow terminals break an instant after its date


@dataclass(frozen=True, slots=True)
class Column:
    """One member of an answer, for people.

    Attributes:
        path: the member's name, with dots into objects.
        none: what null means.
        instant: whether it is one, which people read without its fraction.
        words: how to write the member, where its own text says too little; null is still `none`.
        is_number: whether it stands on the right, below others.
    """

    title: str
    path: str
    none: str = "-"
    instant: bool = False
    words: Callable[[Any], str] | None = None
    is_number: bool = False

    def text(self, row: Json) -> Text:
        """Write the member of this row."""
        value: Any = row
        for name in self.path.split("."):
            value = value[name]
        if value is not None and self.words is not None:
            value = self.words(value)
        elif isinstance(value, list):
            value = ", ".join(map(str, value))
        elif isinstance(value, bool):
            value = "yes" if value else "no"
        elif isinstance(value, str) and self.instant:
            value = short_instant(value)
        return Text(self.none if value is None else str(value), overflow="fold")


class Output(Console):
    """Standard output for people; where it is no terminal, for programs that look for words in lines."""

    def __init__(self) -> None:
        super().__init__()
        if not self.is_terminal:
            self.width = max(self.width, _PIPED_WIDTH)

    def on_broken_pipe(self) -> None:
        """Leave it to the root of the commands: it ends all output that nobody reads in one way."""
        raise BrokenPipeError


def short_instant(text: str) -> str:
    """Write an instant for people, without its fraction."""
    return text[:19].replace("T", " ") + "Z"


def show_json(value: Json) -> None:
    """Print an answer for machines."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def show_rows(rows: Sequence[Json], columns: Sequence[Column]) -> None:
    """Print a list for people."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        least = _DATE_WIDTH if column.instant else len(column.title)
        table.add_column(
            column.title, overflow="fold", min_width=least, justify="right" if column.is_number else "left"
        )
    for row in rows:
        table.add_row(*(column.text(row) for column in columns))
    Output().print(table)


def show_one(row: Json, columns: Sequence[Column]) -> None:
    """Print one thing for people, a line for each of its members."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for column in columns:
        table.add_row(column.title, column.text(row))
    Output().print(table)
