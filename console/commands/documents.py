"""Documents that the API writes as CSV, page by page into a file."""

from collections.abc import Mapping
from typing import BinaryIO

from console.backends import WRONG_USAGE, CommandError
from console.commands.files import STDOUT, writing
from console.commands.paging import csv_pages
from console.commands.progress import working
from console.commands.reach import Reach


async def write_csv(
    reach: Reach, path: str, query: Mapping[str, str | int | None], target: str, *, every: bool = True
) -> None:
    """Write a document as CSV, with all of its pages unless one is enough, and say so."""
    check_output(reach, [target])
    asked = {"format": "csv", **query}
    with writing(target) as file:
        length = await copy(reach, path, asked, file, doing=f"Writing {target}", every=every)
    tell(reach, [{"format": "csv", "file": target, "bytes": length}])


async def copy(
    reach: Reach,
    path: str,
    query: Mapping[str, str | int | None],
    file: BinaryIO,
    *,
    doing: str,
    every: bool = True,
) -> int:
    """Copy the pages into an open file, each as soon as it is there; return how many bytes they have."""
    length, count = 0, 0
    asked = {name: str(value) for name, value in query.items() if value is not None}
    with working(doing) as progress:
        async for content in csv_pages(reach, path, asked):
            with progress.aside():
                file.write(content)
                file.flush()
            length, count = length + len(content), count + 1
            progress.say(f"{count} page{'s' * (count != 1)}, {length:,} bytes")
            if not every:
                break
    return length


def check_output(reach: Reach, targets: list[str]) -> None:
    """Refuse to write JSON and a document to standard output. Raises CommandError."""
    if reach.json and STDOUT in targets:
        raise CommandError("standard output takes one of them: --json, or the file -", exit_status=WRONG_USAGE)


def tell(reach: Reach, written: list[dict[str, str | int]]) -> None:
    """Say what was written where, unless it was written for all to see."""
    files = [each for each in written if each["file"] != STDOUT]
    if reach.json:
        reach.show({"written": files}, lambda: None)
    for each in [] if reach.json else files:
        reach.note(f"{each['file']}: {each['bytes']:,} bytes of {str(each['format']).upper()}.")
