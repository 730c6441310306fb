"""How a driver says what it saw. A part of a client is a class, and each public method of it one check.

Standard library only: drivers run in the environments of their clients, which hold nothing of Tollgate.
"""

import json
import os
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

SAW_CHARACTERS_MAX = 400

CSV = b"name,age\nada,36\ngrace,45\nalan,41\n"
FILE_NAME = "sp ace \u00e9.csv"
MEAN = f"import pandas as pd\nprint(pd.read_csv('/mnt/data/{FILE_NAME}').age.mean())"
PLOT = "import matplotlib.pyplot as plt\nplt.plot([1, 4, 9])\nplt.show()"
PNG = b"\x89PNG\r\n\x1a\n"
ODD_NAME = "a/b \u03b1+1&x=2?#%25"  # all that a URL has a meaning for


def report(parts: Mapping[str, object]) -> None:
    """Make the checks of each part, and print what was seen as the last line of standard output."""
    sys.stdout.write(json.dumps({title: check(part) for title, part in parts.items()}) + "\n")


def check(part: object) -> dict[str, dict[str, Any]]:
    """Call the part's methods in the order in which they are written, since later ones build upon earlier ones.

    A method that raises has failed, and the others go on; it may return a note, to be shown instead of "yes".
    """
    seen: dict[str, dict[str, Any]] = {}
    for name in (name for kind in reversed(type(part).__mro__) for name in vars(kind) if not name.startswith("_")):
        try:
            note = getattr(part, name)()
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is told
            seen[name] = {"passed": False, "saw": f"{type(error).__name__}: {error}"[:SAW_CHARACTERS_MAX]}
        else:
            seen[name] = {"passed": True, "saw": "as expected"} | ({"note": note} if note else {})
    return seen


def expect(seen: object, wanted: object) -> None:
    """Raise if this is not what was wanted, and say both."""
    if seen != wanted:
        raise AssertionError(f"saw {seen!r} instead of {wanted!r}")


def expect_in(part: str, whole: str) -> None:
    """Raise if the text does not hold the part, and say both."""
    if part not in whole:
        raise AssertionError(f"saw {whole!r} without {part!r}")


def error_of(function: Callable[[], Any]) -> Exception:
    """Return the error with which a call ends; not to fail is to fail here."""
    try:
        answer = function()
    except Exception as error:  # noqa: BLE001 -- looked at by the caller
        return error
    raise AssertionError(f"no error: {answer!r}")


@contextmanager
def managed_identity() -> Iterator[None]:
    """Have the environment that Azure's credentials take for that of an App Service: nothing else holds the key."""
    os.environ |= {"IDENTITY_ENDPOINT": f"{os.environ['PROXY']}/msi/token", "IDENTITY_HEADER": os.environ["KEY"]}
    try:
        yield
    finally:
        del os.environ["IDENTITY_ENDPOINT"], os.environ["IDENTITY_HEADER"]


def paid_sessions() -> set[str]:
    """Return the names of the sessions that the key's tenant pays for, as Tollgate understood them."""
    request = urllib.request.Request(  # noqa: S310 -- the address is the test's own
        f"{os.environ['PROXY']}/usage/entries?limit=1000", headers={"Authorization": f"Bearer {os.environ['KEY']}"}
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return {entry["session"] for entry in json.load(answer)["entries"]}
