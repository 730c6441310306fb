"""Makes a call that breaks a promise as short as it can be, so that a failing test shows only what matters."""

from collections.abc import Iterator
from dataclasses import replace

from tests.isolation.calls import Case
from tests.isolation.promises import check
from tests.isolation.world import Product, World

_TRIES_MAX = 600


async def shrink(product: Product, case: Case, promise: str) -> Case:
    """Leave out what a call breaks the promise without; the call itself if it only breaks it after others."""
    tries = 0
    shorter: Case | None = case
    while shorter is not None:
        case = shorter
        shorter = None
        for candidate in _shorter(case):
            tries += 1
            if tries > _TRIES_MAX:
                return case
            world = World(product)
            breach = check(world, await world.run(candidate))
            if breach is not None and breach.promise == promise:
                shorter = candidate
                break
    return case


def _shorter(case: Case) -> Iterator[Case]:
    for at in range(len(case.headers)):
        yield replace(case, headers=case.headers[:at] + case.headers[at + 1 :])
    parameters = case.query.split("&")
    for at in range(len(parameters)):
        yield replace(case, query="&".join(parameters[:at] + parameters[at + 1 :]))
    yield from (replace(case, body=body) for body in _cut(case.body))
    yield from (replace(case, path=path) for path in _cut(case.path) if path.startswith("/"))
    yield from (replace(case, query=query) for query in _cut(case.query))
    for at, (name, value) in enumerate(case.headers):
        for cut in _cut(value):
            yield replace(case, headers=(*case.headers[:at], (name, cut), *case.headers[at + 1 :]))
    yield from (replace(case, reply=reply) for reply in range(min(20, case.reply)))


def _cut[T: (str, bytes)](text: T) -> Iterator[T]:
    """Cut pieces out of a text: large ones first."""
    size = len(text)
    while size:
        for start in range(0, len(text), size):
            if start + size <= len(text):
                yield text[:start] + text[start + size :]
        size //= 2
