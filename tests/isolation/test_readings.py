"""The lenient readings find what they are there for, and share nothing with the product that they judge."""

import json
import subprocess
import sys

import pytest

from tests.isolation.bodies import filenames_in, identifiers_in
from tests.isolation.calls import Case, meaning_of, operation_of
from tests.isolation.forms import upload
from tests.isolation.places import CUSTOM, PYTHON
from tests.isolation.readings import climbs, exact_path, identifiers, paths
from tests.running import ROOT


@pytest.mark.parametrize(
    "target",
    [
        "/x?identifier=A&identifier=B",
        "/x?identifier=A&IdentiFier=B",
        "/x?identifier=A;identifier=B",
        "/x?identifier=A&x=1%26identifier%3DB",
        "/x?identifier=A&x=1%2526identifier%253DB",
        "/x?identifier=A&x=1%3Bidentifier=B",
        "/x?identifier=A&ident%69fier=B",
        "/x?identifier=A&ident%2569fier=B",
        "/x?identifier=A&+identifier=B",
        "/x?identifier=A&identifier[]=B",
        "/x?identifier=A&identifier%00=B",
        "/x;identifier=B?identifier=A",
        "/x%3Fidentifier=B?identifier=A",
        "/x%23;Identifier%3DB?identifier=A",
    ],
)
def test_every_session_that_a_path_and_query_could_name_is_found(target: str) -> None:
    assert identifiers(target) == {"A", "B"}


def test_what_names_one_session_however_it_is_read_names_one() -> None:
    assert identifiers("/identifier=1/x?api-version=1&path=a%2Fb%26c&identifiers=2&identifier=A") == {"A"}


@pytest.mark.parametrize(
    "path",
    [
        "/p/files/../../q",
        "/p/files/%2e%2e/%2E./q",
        "/p/files/..%2f..%2fq",
        "/p/files/%252e%252e/../q",
        "/p/files/..\\..\\q",
        "/p/files/..%5c../q",
        "/p/files/..;x=1/..;/q",
        "/p/files/.. /..%20/q",
        "/p/./files/..%00/.../q",
        "/p/files/..%3Fx/../q",
    ],
)
def test_every_place_that_a_path_could_lead_to_is_found(path: str) -> None:
    assert any(not found.startswith("/p/") for found in paths(path)), paths(path)


def test_a_careful_server_decodes_once_and_leaves_encoded_slashes() -> None:
    assert paths("/files/a.txt") == {"/files/a.txt"}
    assert exact_path("/a%20b/%2e%2e/c%2Fd/%252e?x=/../") == "/c%2Fd/%2e"


@pytest.mark.parametrize("name", ["..", "a/../b", "..\\x", "%2e%2e/x", ".. /x", "a/..;/b", "..\0x", "%252e%252e%252fx"])
def test_file_names_that_lead_out_of_their_folder_are_told_from_others(name: str) -> None:
    assert climbs(name)
    assert not climbs("a..b/..c/d.. e/x.txt")


@pytest.mark.parametrize(
    "body",
    [
        b'{"identifier": "A", "identifier": "B"}',
        b'{"identifier": "A", "Properties": {"IDENTIFIER": "B"}}',
        b'{"identifier": "A", "x": [[{"sessionId": "B"}]]}',
        rb'{"identifier": "A", "\u0069dentifier": "\u0042"}',
        b'\xef\xbb\xbf{"identifier": "A", "SessionID": "B"}',
        '{"identifier": "A", "SessionID": "B"}'.encode("utf-16"),
        '{"identifier": "A", "SessionID": "B"}'.encode("utf-16-le"),
    ],
)
def test_every_session_that_a_body_could_name_is_found(body: bytes) -> None:
    assert identifiers_in("application/json", body) == {"A", "B"}


def test_forms_name_sessions_too() -> None:
    hidden = json.dumps({"code": "&identifier=B&"}).encode()
    assert identifiers_in("application/x-www-form-urlencoded", hidden) == {"B"}
    assert identifiers_in("application/json", hidden) == set()
    assert "B" in identifiers_in("multipart/form-data; boundary=b", upload("b", "x", b"B", field="Identifier"))


def test_every_boundary_of_a_form_is_looked_at() -> None:
    body = upload("b1", "one", b"x") + upload("b2", "two", b"x").replace(b"\r\n", b"\n")

    assert filenames_in("multipart/form-data; boundary=b1; boundary=b2", body) == {"one", "two"}
    assert filenames_in("text/plain", upload("b3", "three", b"x")) == {"three"}


def test_a_call_means_one_thing_or_nothing() -> None:
    def meaning(path: str, query: str, tenant: str = "acme") -> object:
        found = meaning_of(Case(tenant, "GET", path, query, (), b"", 0))
        return None if found is None else (found.pool, found.operation, found.name)

    assert meaning("/files/a/content", "identifier=a%20b") == ("default", "files.content", "a b")
    assert meaning("/files", "identifier=a", tenant="acme-beta") == ("agents", "container.call", "a")
    assert meaning("//pools//shell/files", "x=1&identifier=a") == ("shell", "files.list", "a")
    assert meaning("/listSessions", "") == ("default", "sessions.list", None)
    for path, query in [
        ("/files", ""),
        ("/files", "identifier=a&identifier=a"),
        ("/pools/others/files", "identifier=a"),
    ]:
        assert meaning(path, query) is None


def test_a_pool_may_overlook_case_and_a_tenant_may_not_mean_it() -> None:
    path = ".Management/listSessions"
    assert operation_of("POST", path, CUSTOM) == "container.call"
    assert operation_of("POST", path, CUSTOM, lenient=True) == "sessions.views"
    assert operation_of("GET", "Files/x", PYTHON) is None
    assert operation_of("GET", "Files/x", PYTHON, lenient=True) == "files.get"


def test_the_readings_share_no_code_with_the_product() -> None:
    look = (
        "import sys, tests.isolation.readings, tests.isolation.bodies, tests.isolation.calls, tests.isolation.places;"
        "print({name.partition('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", look], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert "'tests'" in loaded
    assert "'metering'" not in loaded
    assert "'proxy'" not in loaded
