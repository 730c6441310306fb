"""Answers that come in pages: asks for one after the other.

Only the query of `next` is followed, on the path that was asked for: the key goes nowhere else.
"""

from collections.abc import AsyncIterator, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

from console.backends import NOT_REACHABLE, CommandError
from console.commands.reach import Reach
from console.commands.show import Json
from console.tables import without_header


async def pages(reach: Reach, method: str, path: str, query: Mapping[str, str]) -> AsyncIterator[Json]:
    """Yield pages of JSON, each as soon as it is there."""
    following: Mapping[str, str] | None = query
    while following is not None:
        page = await reach.send(method, path, query=urlencode(following))
        yield page
        following = _next(following, page["next"])


async def csv_pages(reach: Reach, path: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
    """Yield the pages of a CSV document: the first with the header row, the others without."""
    following: Mapping[str, str] | None = query
    is_first = True
    while following is not None:
        page = await reach.backend.document(path, query=urlencode(following))
        yield page.content if is_first else without_header(page.content)
        following, is_first = _next(following, page.next), False


def _next(query: Mapping[str, str], following: str | None) -> Mapping[str, str] | None:
    if following is None:
        return None
    then = {**query, **dict(parse_qsl(urlsplit(following).query))}
    if then == query:
        raise CommandError("the answer's next page is the page itself: this is no Tollgate", exit_status=NOT_REACHABLE)
    return then
