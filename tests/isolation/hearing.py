"""What must hold for all that the pool hears of a call. A promise is a function that says how an episode breaks it.

Rules of this file: pure, and nothing of the product's.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from tests.isolation.bodies import filenames_in, identifiers_in
from tests.isolation.calls import ENDINGS, FILE_BYTES, LISTS, POOL_WIDE, TOLD_AS, operation_of
from tests.isolation.places import CUSTOM, KEYS, KINDS, TOKEN
from tests.isolation.readings import climbs, exact_path, identifiers, paths
from tests.isolation.world import Episode, Heard, World

_UPLOADS = frozenset({"files.upload", "files.create", "python.upload"})
_TO_POOL = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "operation-id",
        "traceparent",
        "tracestate",
        "transfer-encoding",
        "user-agent",
        "x-ms-client-request-id",
    }
)
_LEADING_ELSEWHERE = re.compile(
    r"cookie|forwarded|x-forwarded-.*|x-original-.*|x-rewrite-.*|x-envoy-.*|x-k8se-.*|x-http-method.*|proxy-.*|x-api-key"
    r"|x-identity-header|x-functions-.*|x-ms-(?!client-request-id).*|connection|upgrade|te|expect"
)


def own_session(world: World, episode: Episode) -> Iterator[str]:
    """However the pool reads what it hears, the session is the caller's, and the one that the call named."""
    meaning = episode.meaning
    for heard in episode.heard:
        if meaning is None:
            yield f"the call says nothing definite, and the pool heard {heard.url}"
            return
        named = {name for target in heard.targets for name in identifiers(target)}
        if KINDS[meaning.pool] != CUSTOM:
            named |= identifiers_in(dict(heard.headers).get("content-type", ""), heard.body)
        expected = set() if meaning.identifier is None else {meaning.identifier}
        if named != expected:
            strange = sorted(named - expected) or "none"
            yield f"the session could be {strange} instead of {meaning.identifier}: {heard.url}"
        known = world.held.get(meaning.identifier or "")
        if known is not None and known != (meaning.tenant, meaning.pool, meaning.name):
            yield f"{meaning} shares its identifier with {known}"


def own_place(world: World, episode: Episode) -> Iterator[str]:
    """However the pool reads what it hears, it is this pool, and this operation."""
    meaning = episode.meaning
    for heard in episode.heard:
        assert meaning is not None, "the promise before this one holds"
        base = urlsplit(heard.endpoint).path
        if heard.pool != meaning.pool or heard.origin != "{0.scheme}://{0.netloc}".format(urlsplit(heard.endpoint)):
            yield f"{heard.url} is not in the pool {meaning.pool}"
        if dict(heard.headers)["host"] != urlsplit(heard.endpoint).netloc:
            yield f"the host is said to be {dict(heard.headers)['host']}"
        for target in heard.targets:
            for path in paths(target.partition("?")[0]):
                if path != base and not path.startswith(f"{base}/"):
                    yield f"{path} is not below {base}"
                yield from _other_operation(heard, meaning.operation, path.removeprefix(base), exact=False)
            path = exact_path(target).removeprefix(base)
            yield from _other_operation(heard, meaning.operation, path, exact=True)
        if meaning.operation in _UPLOADS:
            names = filenames_in(dict(heard.headers).get("content-type", ""), heard.body)
            yield from (f"the file name {name!r} leads out of its folder" for name in names if climbs(name))


def _other_operation(heard: Heard, meant: str, path: str, *, exact: bool) -> Iterator[str]:
    found = operation_of(heard.method, "/".join(filter(None, path.split("/"))), KINDS[heard.pool or ""], lenient=True)
    if found == TOLD_AS.get(meant, meant):
        return
    if meant in FILE_BYTES and found in FILE_BYTES:
        return  # a file called `content` can be downloaded in two ways
    if meant in LISTS and found in LISTS | {"container.call"}:
        return  # a pool that refuses to list in one way is asked in the other
    if heard.method == "POST" and found == "sessions.view" and meant == "container.call":
        return  # the gateway's own question, whether the pool holds the session
    if exact or found in POOL_WIDE | ENDINGS or (found or "").startswith("sessions."):
        yield f"{path} could be taken for {found}, and {meant} was meant"


def own_token(world: World, episode: Episode) -> Iterator[str]:
    """The pool is shown the gateway's token and no key, and no header that leads elsewhere."""
    for heard in episode.heard:
        shown = [value for name, value in heard.headers if name == "authorization"]
        if shown != [f"Bearer {TOKEN}"]:
            yield f"the pool is shown {shown}"
        said = (heard.url, *(value for _, value in heard.headers))
        if any(key in text for key in KEYS.values() for text in said):
            yield "a key goes to the pool"
        names = [name for name, _ in heard.headers]
        if len(set(names)) != len(names):
            yield f"a header stands twice in {names}"
        if any("\r" in value or "\n" in value or "\0" in value for _, value in heard.headers):
            yield "a header ends before its end"
        if KINDS[heard.pool or ""] == CUSTOM:
            odd = [name for name in names if _LEADING_ELSEWHERE.fullmatch(name)]
        else:
            odd = [name for name in names if name not in _TO_POOL]
        if odd:
            yield f"the headers {odd} go to the pool"
