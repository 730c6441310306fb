"""Write docs/licences.md: what Tollgate is made of besides its own code, and under which licences.

The lock files say what there is, and the installed packages' own metadata says the licences. What a lock names for
another operating system only is not installed here; its licence is kept below.
"""

import argparse
import json
import re
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from scripts.spdx import UNKNOWN, in_spdx, licence_of
from scripts.steps import ROOT

PAGE = ROOT / "docs/licences.md"
VENDORED = "console/dashboard/static/vendor/uplot"
STORAGE = "infra/local/azurite/package-lock.json"
ELSEWHERE = {"appnope": "BSD-2-Clause", "colorama": "BSD-3-Clause"}
PUBLIC_DOMAIN = "public domain"
BY_HAND = {"uri-templates": PUBLIC_DOMAIN}  # its metadata has an address in place of a licence

INTRODUCTION = """# Licences

What Tollgate is made of besides its own code. `make licences` writes this page from the lock files and the packages'
own metadata. A test sees to it that it is up to date and that every licence is permissive. The exceptions, each with a
reason in the test, are under MPL-2.0, which asks for something only of whoever changes their files.

Programs that the tests start in environments of their own (client libraries, checking tools, what local sessions can
import) are no part of Tollgate, and not listed.
"""

_PIN = re.compile(r"^([\w.-]+)==([^\s;]+)(?: ; ([^\\\n]+?))?(?: \\)?$", re.MULTILINE)


@dataclass(frozen=True)
class Package:
    """A locked package; `condition` says where it is installed, empty if everywhere."""

    name: str
    version: str
    condition: str
    licence: str


def locked_packages(requirements: str) -> Iterator[Package]:
    """Read a lock file's text."""
    for name, version, condition in _PIN.findall(requirements):
        yield Package(name, version, condition.replace("'", ""), _licence(name))


def vendored_package(folder: Path) -> Package:
    """Read what a vendored package's README says of its name and version, and its licence's heading."""
    name, version = (folder / "README.txt").read_text().split()[:2]
    heading = (folder / "LICENSE.txt").read_text().partition("\n")[0]
    named = re.fullmatch(r"The (\w+) License \(\w+\)", heading)
    return Package(name, version.rstrip(","), "", in_spdx(named[1]) if named else UNKNOWN)


def npm_licences(lock: str) -> Mapping[str, str]:
    """Read the licences of all packages out of the text of an npm lock file, by the folder that each goes into."""
    packages: Mapping[str, Mapping[str, str]] = json.loads(lock)["packages"]
    return {
        place: BY_HAND.get(place.rpartition("node_modules/")[2]) or in_spdx(entry.get("license", ""))
        for place, entry in packages.items()
        if place
    }


def page(root: Path = ROOT) -> str:
    """Put the page together."""
    shipped = list(locked_packages((root / "requirements.txt").read_text()))
    names = {package.name for package in shipped}
    developing = [p for p in locked_packages((root / "requirements-dev.txt").read_text()) if p.name not in names]
    lock = (root / STORAGE).read_text()
    azurite = json.loads(lock)["packages"]["node_modules/azurite"]
    brought = Counter(npm_licences(lock).values())
    storage = ", ".join(
        f"{number} {licence}" for licence, number in sorted(brought.items(), key=lambda x: (-x[1], x[0]))
    )
    sections = [
        INTRODUCTION,
        "## In Azure\n\nInstalled there from `requirements.txt`:\n",
        _table(shipped),
        f"## In the dashboard\n\nServed to browsers from `{VENDORED}`:\n",
        _table([vendored_package(root / VENDORED)]),
        "## For developers\n\nWhat `requirements-dev.txt` adds, for the local stack, the tests and the checks:\n",
        _table(developing),
        _wrapped(
            f"And Azurite {azurite['version']} ({azurite['license']}), the local storage, which brings "
            f"{brought.total() - 1} npm packages. All together, by licence: {storage}."
        ),
    ]
    return "\n".join(sections)


def main() -> int:
    """Write the page, or with `--check` say whether it is up to date."""
    parser = argparse.ArgumentParser(prog="python -m scripts.licences", description="Write docs/licences.md.")
    parser.add_argument("--check", action="store_true", help="only tell whether it is up to date")
    check: bool = parser.parse_args().check
    text = page()
    if not check:
        PAGE.write_text(text)
    elif not PAGE.exists() or PAGE.read_text() != text:
        sys.stderr.write("licences: docs/licences.md is stale. Run: make licences\n")
        return 1
    return 0


def _licence(name: str) -> str:
    try:
        return licence_of(distribution(name))
    except PackageNotFoundError:
        return ELSEWHERE.get(name, UNKNOWN)


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 120)) + "\n"


def _table(packages: Sequence[Package]) -> str:
    rows = ["| package | version | licence |", "|---|---|---|"]
    for package in packages:
        where = f" (only where `{package.condition}`)" if package.condition else ""
        rows.append(f"| {package.name}{where} | {package.version} | {package.licence} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.exit(main())
