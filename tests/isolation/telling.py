"""What must hold for all that a tenant is told and charged. A promise is a function that says how it is broken.

Rules of this file: pure, and nothing of the product's but the values that it answers with.
"""

import json
import re
from collections.abc import Iterator
from urllib.parse import unquote

from tests.isolation.calls import FILE_BYTES, LISTS
from tests.isolation.places import INNER_WORDS, TENANTS
from tests.isolation.world import Episode, World

_TOKEN_CHARACTERS = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PRINTABLE = re.compile(r"[ -~]*")
_IDENTIFIER = re.compile(rf"(?:{'|'.join(sorted(TENANTS, key=len, reverse=True))})-[0-9a-f]{{64}}", re.IGNORECASE)
_CODE = re.compile(r"[A-Za-z0-9]+")


def no_inner_words(world: World, episode: Episode) -> Iterator[str]:
    """No answer holds the pool's address, a pool identifier, the token or a key."""
    response, meaning = episode.response, episode.meaning
    texts = [" ".join(f"{name}: {value}" for name, value in response.headers.items())]
    if _is_text(episode):
        texts.append(response.body.decode(errors="replace"))
    elif episode.heard and response.body not in {b"", *(heard.answered for heard in episode.heard)}:
        yield f"bytes that belong to the tenant were changed: {response.body[:80]!r}"
    for text in texts:
        for form in _unwrapped(text):
            small = form.lower()
            inner = [word for word in INNER_WORDS if word in small]
            if inner:
                yield f"{inner} stands in {form!r}"
            # Which sessions a list names is another promise's.
            told = [] if meaning is not None and meaning.operation in LISTS else _IDENTIFIER.findall(form)
            for found in told:
                if not _said_itself(episode, found):
                    yield f"{found} stands in {form!r}"


def only_own_sessions(world: World, episode: Episode) -> Iterator[str]:
    """A list of sessions names the caller's own, by its own names."""
    meaning = episode.meaning
    if meaning is None or meaning.operation not in LISTS or episode.response.status != 200:
        return
    document = json.loads(episode.response.body)
    listed = {one["identifier"] for one in document.get("sessions", document.get("value"))}
    strange = listed - world.names[meaning.tenant, meaning.pool]
    if strange:
        yield f"the list names {sorted(strange)}"


def _is_text(episode: Episode) -> bool:
    """Say whether an answer is words, and not a tenant's own bytes."""
    meaning, response = episode.meaning, episode.response
    if _is_containers_own(episode):
        kind = response.headers.get("Content-Type", "").lower()
        return any(word in kind for word in ("text/", "json", "xml"))
    return meaning is None or meaning.operation not in FILE_BYTES or response.status >= 300


def _unwrapped(text: str) -> Iterator[str]:
    """Take escapes off, of JSON and of URLs, as whoever reads the answer does."""
    yield text
    if "\\" in text:
        text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text).replace("\\/", "/")
        yield text
    if "%" in text:
        yield unquote(text)


def _said_itself(episode: Episode, found: str) -> bool:
    """Say whether the caller has said so itself, as the name of its session, say."""
    case = episode.case
    said = f"{case.path} {case.query} {case.body.decode(errors='replace')} {case.headers}"
    return any(found.lower() in unquote(form).lower() for form in (said, unquote(said)))


def sound(world: World, episode: Episode) -> Iterator[str]:
    """Never a 500; errors have the Azure shape; headers are such as the host can send."""
    response = episode.response
    if response.status == 500 and not _is_containers_own(episode):
        yield f"500: {response.body!r}"
    if not 200 <= response.status <= 599:
        yield f"no host can send the status {response.status}"
    names = [name.lower() for name in response.headers]
    if len(set(names)) != len(names):
        yield f"a header has two spellings in {list(response.headers)}"
    for name, value in response.headers.items():
        if not _TOKEN_CHARACTERS.fullmatch(name) or not _PRINTABLE.fullmatch(value):
            yield f"no host can send the header {name!r}: {value!r}"
    if response.status >= 400 and not _is_containers_own(episode):
        yield from _not_the_azure_shape(episode)


def _not_the_azure_shape(episode: Episode) -> Iterator[str]:
    response = episode.response
    try:
        error = json.loads(response.body)["error"]
        code, message = error["code"], error["message"]
    except (ValueError, KeyError, TypeError):
        yield f"no error of the Azure shape: {response.body!r}"
        return
    if not (isinstance(message, str) and isinstance(code, str) and _CODE.fullmatch(code)):
        yield f"no error of the Azure shape: {error}"
    if (response.headers.get("Content-Type"), response.headers.get("x-ms-error-code")) != ("application/json", code):
        yield f"the headers do not fit the error {code}: {dict(response.headers)}"


def _is_containers_own(episode: Episode) -> bool:
    """Say whether an answer is the container's, and not the gateway's or the pool's."""
    meaning = episode.meaning
    return (
        meaning is not None
        and meaning.operation == "container.call"
        and _first_status(episode) == episode.response.status
    )


def _first_status(episode: Episode) -> int | None:
    return episode.heard[0].status if episode.heard else None


def free_at_the_door(world: World, episode: Episode) -> Iterator[str]:
    """A call that the pool never heard of costs nothing, and no call costs another tenant anything."""
    for tenant, cost in episode.cost.items():
        if cost and (not episode.heard or tenant != episode.case.tenant):
            yield f"{tenant} pays {cost}; the pool heard {len(episode.heard)} requests"
