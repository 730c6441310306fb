"""Files go in, are seen by the code as `/mnt/data`, and come out unchanged; names lead nowhere else."""

from pathlib import Path
from typing import Any

import pytest

from tests.infra.pool.support import ENVELOPE, Pool, code_of, running_pool

pytestmark = pytest.mark.stack

CONTENT = bytes(range(256)) * 300


def test_an_uploaded_file_comes_back_byte_for_byte_in_both_dialects(pool: Pool, session: str) -> None:
    answer = pool.upload("data.bin", CONTENT, session)
    assert answer.status_code == 200
    entry = answer.json()
    assert entry.pop("lastModifiedAt").endswith("Z")
    assert entry == {
        "name": "data.bin",
        "type": "File",
        "contentType": "application/octet-stream",
        "sizeInBytes": len(CONTENT),
        "directory": "",
    }
    older = pool.call("GET", "/files/content/data.bin", session, version=ENVELOPE)
    assert (older.content, older.headers["content-type"]) == (CONTENT, "application/octet-stream")
    assert pool.content("data.bin", session).content == CONTENT


def test_the_envelope_dialect_numbers_what_it_lists(pool: Pool, session: str) -> None:
    upload = pool.call("POST", "/files/upload", session, version=ENVELOPE, files={"file": ("b.txt", b"12")})
    assert upload.json()["value"][0]["properties"]["filename"] == "b.txt"
    pool.call("POST", "/files/upload", session, version=ENVELOPE, files={"file": ("a.txt", b"1")})
    listed = pool.call("GET", "/files", session, version=ENVELOPE).json()
    assert [(item["$id"], item["properties"]["$id"]) for item in listed["value"]] == [("2", "3"), ("4", "5")]
    found = [(item["properties"]["filename"], item["properties"]["size"]) for item in listed["value"]]
    assert found == [("a.txt", 1), ("b.txt", 2)]
    described = pool.call("GET", "/files/b.txt", session, version=ENVELOPE).json()
    assert described["value"][0]["properties"]["size"] == 2


def test_code_and_callers_share_the_folder_before_and_after_the_kernel_is_there(pool: Pool, session: str) -> None:
    pool.upload("in.txt", b"from outside", session)
    assert pool.value("import os\nos.getcwd(), open('/mnt/data/in.txt').read()", session) == [
        "/mnt/data",
        "from outside",
    ]
    pool.value("with open('out.txt', 'w') as file: file.write('from inside')\n1", session)
    assert pool.content("out.txt", session).content == b"from inside"
    pool.upload("late.txt", b"late", session)
    assert pool.value("open('late.txt').read()", session) == "late"


def test_an_upload_replaces_the_file_of_that_name(pool: Pool, session: str) -> None:
    pool.upload("same", b"first", session)
    pool.upload("same", b"second", session)
    assert pool.content("same", session).content == b"second"
    assert pool.names(session) == ["same"]


@pytest.mark.parametrize("name", ["sp ace é.csv", "sp%20ace%20%C3%A9.csv", "日本語.txt", "a@b$c&d=e;f,g#h%i^(j)"])
def test_names_are_kept_verbatim(pool: Pool, session: str, name: str) -> None:
    boundary = b"--b\r\n"
    header = f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
    answer = pool.call(
        "POST",
        "/files",
        session,
        content=boundary + header + b"x\r\n--b--\r\n",
        headers={"content-type": "multipart/form-data; boundary=b"},
    )
    assert answer.json()["name"] == name
    assert pool.names(session) == [name]


@pytest.mark.parametrize("name", ["a*b", "a?b", "a:b", "a\\b", "a<b", "../up", "sub/../up", "dotted.folder/file"])
def test_names_that_the_service_does_not_take_are_refused(pool: Pool, session: str, name: str) -> None:
    assert code_of(pool.upload(name, b"x", session)) == (400, "SessionRequestValidationFailed")
    assert pool.names(session) == []


def test_files_can_lie_in_folders(pool: Pool, session: str) -> None:
    pool.upload("deep.txt", b"1", session, path="/mnt/data/one/two")
    pool.upload("one/flat.txt", b"22", session)
    assert pool.content("deep.txt", session, path="one/two").content == b"1"
    assert pool.content("one%2Ftwo%2Fdeep.txt", session).content == b"1"
    older = pool.call("GET", "/files/content//mnt/data/one/flat.txt", session, version=ENVELOPE)
    assert older.content == b"22"
    top = pool.call("GET", "/files", session, params={"path": "/"}).json()["value"]
    assert [(entry["name"], entry["type"]) for entry in top] == [("one", "Directory")]
    everything = pool.call("GET", "/files", session, params={"recursive": "true"}).json()["value"]
    assert [(entry["directory"], entry["name"]) for entry in everything] == [
        ("", "one"),
        ("one", "flat.txt"),
        ("one", "two"),
        ("one/two", "deep.txt"),
    ]


def test_a_deleted_file_is_gone(pool: Pool, session: str) -> None:
    pool.upload("old", b"x", session)
    pool.upload("folder/inner", b"x", session)
    assert pool.call("DELETE", "/files/old", session).status_code == 204
    older = pool.call("DELETE", "/files/folder", session, version=ENVELOPE)
    assert (older.status_code, older.json()) == (200, {"message": "file deleted successfully"})
    assert pool.names(session) == []
    assert code_of(pool.call("DELETE", "/files/old", session))[0] == 404
    assert code_of(pool.content("old", session))[0] == 404
    assert code_of(pool.call("GET", "/files/old", session))[0] == 404
    assert code_of(pool.call("GET", "/files", session, params={"path": "nowhere"}))[0] == 404


@pytest.mark.parametrize(
    "name", ["..%2F..%2Fetc%2Fpasswd", "%2E%2E", "..%2F", "a%2F..%2F..%2Fb", "%2Fmnt%2Fdata%2F..%2F..%2Fetc%2Fhostname"]
)
def test_a_path_cannot_climb_out_of_the_folder(pool: Pool, session: str, name: str) -> None:
    # Sent as it stands: a client library would resolve the dots itself.
    for method, path in (("GET", f"/files/{name}/content"), ("GET", f"/files/{name}"), ("DELETE", f"/files/{name}")):
        answer = pool.call(method, path, session)
        assert answer.status_code in (400, 404)
    assert pool.call("GET", "/files", session, params={"path": "../.."}).status_code == 400
    assert pool.upload("x", b"", session, path="/mnt/data/../..").status_code == 400


def test_links_made_by_the_code_lead_nowhere(pool: Pool, session: str) -> None:
    pool.value(
        "import os\n"
        "os.symlink('/etc/passwd', 'link.txt'); os.symlink('/', 'root'); os.mkfifo('pipe'); os.mkdir('folder')\n"
        "os.symlink('../../../../../../etc', 'folder/etc')\n1",
        session,
    )
    for name in ("link.txt", "root%2Fetc%2Fpasswd", "folder%2Fetc%2Fpasswd", "pipe", "folder"):
        assert pool.content(name, session).status_code == 404, name
    for path in ("root", "root/etc", "folder/etc"):
        assert pool.call("GET", "/files", session, params={"path": path}).status_code == 404
    assert pool.names(session) == ["folder"]
    assert pool.upload("root/tmp/planted", b"x", session).status_code == 400
    assert pool.upload("link.txt", b"replaced", session).status_code == 200
    assert pool.value("os.path.islink('link.txt'), open('link.txt').read()", session) == [False, "replaced"]
    assert pool.call("DELETE", "/files/root", session).status_code == 204
    assert pool.call("DELETE", "/files/folder", session).status_code == 204
    assert Path("/etc/passwd").exists()  # deleting followed no link


def test_a_file_of_the_largest_size_is_taken_and_one_byte_more_is_not(pool: Pool, session: str) -> None:
    assert pool.upload("largest", bytes(1_000_000), session).status_code == 200
    assert code_of(pool.upload("larger", bytes(1_000_001), session)) == (413, "RequestTooLarge")
    assert code_of(pool.upload("huge", bytes(1_900_000), session))[0] == 413
    assert pool.names(session) == ["largest"]


def test_a_body_without_a_length_is_taken(pool: Pool, session: str) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n' + CONTENT + b"\r\n--b--\r\n"
    pieces = (body[start : start + 1000] for start in range(0, len(body), 1000))
    headers = {"content-type": "multipart/form-data; boundary=b"}
    assert pool.call("POST", "/files", session, content=pieces, headers=headers).status_code == 200
    assert pool.content("f", session).content == CONTENT


@pytest.mark.parametrize(
    "options",
    [
        {"json": {"not": "multipart"}},
        {"content": b"--b\r\n", "headers": {"content-type": "application/json"}},
        {"content": b"", "headers": {"content-type": "multipart/form-data"}},
        {"files": {"other": ("name", b"x")}},
        {"data": {"file": "no file name"}, "files": {"other": ("name", b"x")}},
        {"content": b"--b\r\nunfinished", "headers": {"content-type": "multipart/form-data; boundary=b"}},
    ],
)
def test_a_body_that_is_no_upload_is_refused(pool: Pool, session: str, options: dict[str, Any]) -> None:
    answer = pool.call("POST", "/files/upload", session, version=ENVELOPE, **options)
    assert code_of(answer) == (400, "SessionRequestValidationFailed")


def test_a_session_that_only_holds_files_takes_no_kernel(tmp_path: Path, session: str) -> None:
    with running_pool(tmp_path, warm_sessions=0) as pool:
        pool.upload("file", b"x", session)
        assert pool.content("file", session).content == b"x"
        children = Path(f"/proc/{pool.ready['pid']}/task/{pool.ready['pid']}/children")
        assert children.read_text() == ""
        pool.value("1", session)
        assert len(children.read_text().split()) == 1
