"""What the documentation says of codes, settings and options is what the code has."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from proxy.errors import ERRORS, ErrorCode
from proxy.operations import OPERATIONS
from proxy.settings import Settings
from tests.running import ROOT

README = (ROOT / "README.md").read_text()
ERRORS_PAGE = (ROOT / "docs/errors.md").read_text()


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_error_has_a_heading_and_a_row_with_its_status(code: ErrorCode) -> None:
    assert f"\n## {code.value}\n" in ERRORS_PAGE
    row = re.search(
        rf"^\| \[{code.value}\]\(#{code.value.lower()}\) \| (\d+) \|.*\| (yes|no) \|", ERRORS_PAGE, re.MULTILINE
    )
    assert row is not None
    assert int(row[1]) == ERRORS[code].status
    assert (row[2] == "yes") == ERRORS[code].retryable


def test_every_heading_of_the_errors_page_is_a_code() -> None:
    assert set(re.findall(r"^## (\w+)$", ERRORS_PAGE, re.MULTILINE)) == {code.value for code in ErrorCode}


def test_every_setting_stands_in_the_readme_and_every_row_is_a_setting() -> None:
    table = README.partition("## Settings")[2].partition("## More")[0]

    assert set(re.findall(r"^\| `([A-Z_]+)` \|", table, re.MULTILINE)) == {
        name.upper() for name in Settings.model_fields
    }


def test_every_operation_stands_in_the_readme() -> None:
    for operation in OPERATIONS:
        assert f"/{operation.path[0]}" in README


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), ROOT / "infra/README.md", *(ROOT / "docs").rglob("*.md")]:
        for target, heading in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text()):
            place = page.parent / target if target else page
            assert place.exists(), f"{page.name} links to {target}, which is not there"
            assert not heading or heading in headings(place), f"{page.name} links to #{heading} of {place.name}"


def headings(page: Path) -> set[str]:
    """The names by which a page's headings are linked to."""
    without_code = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", without_code, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_options_of_the_local_stack_stand_in_its_page() -> None:
    page = (ROOT / "docs/local-stack.md").read_text()
    command = [sys.executable, "-m", "infra.local", "--help"]
    help_text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    options = set(re.findall(r"^  (--[a-z-]+)", help_text, re.MULTILINE))
    assert options
    assert options == set(re.findall(r"^\| `(--[a-z-]+)", page, re.MULTILINE))
