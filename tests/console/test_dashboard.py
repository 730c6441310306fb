"""What a browser gets: a closed set of files, kept to this origin, and nothing that the page would not load."""

import hashlib
import re
from html.parser import HTMLParser
from pathlib import PurePosixPath

import pytest

from console.dashboard.page import STATIC, assets, serve_dashboard
from proxy.answering import answer
from proxy.messages import GatewayRequest, GatewayResponse

PAGE = (STATIC / "index.html").read_text()
OWN_SCRIPTS = sorted(STATIC.glob("*.js"))
VENDORED = {
    "uPlot.iife.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uPlot.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
    "LICENSE.txt": "8f989229699b4fe2f1a0432d0e9edc338a8a911e250e2d1b01ecd770a5f5b1bd",
}


async def get(path: str, *, method: str = "GET", **headers: str) -> GatewayResponse:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await answer(serve_dashboard, GatewayRequest(id="1", method=method, path=path, headers=named))


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/", "/dashboard/index.html"])
async def test_the_page_is_served_to_anybody(path: str) -> None:
    response = await get(path)

    assert (response.status, response.body.decode()) == (200, PAGE)
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("path", sorted(path for path in assets() if path))
async def test_every_file_has_its_type_and_the_headers_that_confine_it(path: str) -> None:
    response = await get(f"/dashboard/{path}")

    assert response.body == (STATIC / path).read_bytes()
    types = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".txt": "text/plain"}
    expected = types.get(PurePosixPath(path).suffix, "image/svg+xml")
    assert response.headers["Content-Type"].partition(";")[0] == expected
    assert {name: response.headers[name] for name in sorted(response.headers) if name.startswith(("C", "R", "X"))} == {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "Content-Type": response.headers["Content-Type"],
        "Cross-Origin-Opener-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }


async def test_a_file_that_the_browser_has_is_not_sent_again() -> None:
    etag = (await get("/dashboard")).headers["ETag"]

    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = await get("/dashboard", if_none_match=known)
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", etag)
        assert "Content-Security-Policy" in again.headers
    assert (await get("/dashboard", if_none_match='"other"')).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/dashboard/missing.js",
        "/dashboard/../page.py",
        "/dashboard/%2e%2e/page.py",
        "/dashboard/..%2fpage.py",
        "/dashboard/vendor",
        "/dashboard//dashboard.js",
        "/dashboard/vendor\\uplot\\LICENSE.txt",
        "/dashboards",
        "/Dashboard",
        "/etc/passwd",
    ],
)
async def test_anything_else_does_not_exist(path: str) -> None:
    response = await get(path)

    assert (response.status, response.headers["x-ms-error-code"]) == (404, "OperationNotFound")


async def test_the_page_takes_nothing() -> None:
    assert (await get("/dashboard", method="POST")).status == 404


class Elements(HTMLParser):
    """Collects the tags of the page with their attributes, and the text inside scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inline = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.lasttag in {"script", "style"}:
            self.inline += data.strip()


def test_the_page_loads_files_of_its_own_and_has_no_code_in_it() -> None:
    page = Elements()
    page.feed(PAGE)
    loaded = [
        attributes[name] or "" for tag, attributes in page.found for name in ("src", "href") if name in attributes
    ]

    assert {path.removeprefix("/dashboard/") for path in loaded} - {"#main"} <= set(assets())
    assert page.inline == ""
    assert not [name for _, attributes in page.found for name in attributes if name.startswith("on") or name == "style"]


def test_the_key_field_has_no_name_and_fills_nothing_in() -> None:
    page = Elements()
    page.feed(PAGE)
    (field,) = [attributes for _, attributes in page.found if attributes.get("id") == "key"]

    assert (field["type"], field["autocomplete"]) == ("password", "off")
    assert "name" not in field  # so that no form ever sends it


@pytest.mark.parametrize("script", OWN_SCRIPTS, ids=lambda path: str(path.name))
def test_a_script_imports_its_neighbours_and_makes_no_markup_of_text(script: str) -> None:
    text = (STATIC / script).read_text()

    imported = re.findall(r'from "([^"]+)"', text)
    assert all(name.startswith("./") and (STATIC / name).exists() for name in imported)
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Storage", "cookie"):
        assert forbidden not in text
    assert "https://" not in text
    assert "http://" not in text


@pytest.mark.parametrize("name", VENDORED)
def test_the_chart_library_is_as_it_was_published(name: str) -> None:
    assert hashlib.sha256((STATIC / "vendor/uplot" / name).read_bytes()).hexdigest() == VENDORED[name]
    assert "1.6.32" in (STATIC / "vendor/uplot/README.txt").read_text()
