"""Files in sessions as agents meet them over MCP."""

import base64
import re

import pytest

from proxy.pool import Answered
from tests.proxy.mcp_agents import PNG, Agent, last, text_of
from tests.support.gates import answered

FILE = {"name": "a.csv", "type": "File", "sizeInBytes": 4, "lastModifiedAt": "2026-11-23T09:00:00Z"}


@pytest.mark.parametrize(
    ("path", "folder"),
    [("", None), ("/", None), (".", None), ("/mnt/data", None), ("a b/c", "a%20b%2Fc"), ("/mnt/data/./a/", "a")],
)
async def test_files_are_listed(path: str, folder: str | None) -> None:
    agent = Agent()
    agent.pool_says({"value": [FILE, {"name": "sub", "type": "Directory", "lastModifiedAt": "x"}]})

    result = await agent.call("list_files", path=path)

    assert (last(agent).method, last(agent).path) == ("GET", "/files")
    assert last(agent).query.partition("&path=")[2] == (folder or "")
    assert text_of(result) == "a.csv: 4 bytes\nsub/"
    assert result["structuredContent"]["files"][0] == {
        "name": "a.csv",
        "is_folder": False,
        "size_bytes": 4,
        "modified_at": "2026-11-23T09:00:00Z",
    }
    assert result["structuredContent"]["more"] is False


async def test_an_empty_folder_is_told_to_be_so() -> None:
    agent = Agent()
    agent.pool_says({"value": []})

    assert text_of(await agent.call("list_files")) == "No files."


async def test_a_list_of_which_the_pool_gives_a_part_says_so() -> None:
    agent = Agent()
    agent.pool_says({"value": [FILE], "nextLink": "https://pool.example/files?skip=1"})

    listed = await agent.call("list_files")

    assert text_of(listed) == "a.csv: 4 bytes\nThere are more."
    assert listed["structuredContent"]["more"] is True


async def test_a_long_list_is_cut_and_says_so() -> None:
    agent = Agent()
    agent.pool_says({"value": [FILE] * 1_001})

    listed = (await agent.call("list_files"))["structuredContent"]

    assert (len(listed["files"]), listed["more"]) == (1_000, True)


@pytest.mark.parametrize(
    ("path", "asked", "folder"),
    [
        ("a.csv", "/files/a.csv/content", ""),
        ("./a.csv", "/files/a.csv/content", ""),
        ("/mnt/data/a b.csv", "/files/a%20b.csv/content", ""),
        ("sub/deep/ü?#.csv", "/files/%C3%BC%3F%23.csv/content", "sub%2Fdeep"),
        ("content/x", "/files/x/content", "content"),
        ("x/content", "/files/content/content", "x"),
        ("upload", "/files/upload/content", ""),
    ],
)
async def test_a_file_is_read_wherever_it_is(path: str, asked: str, folder: str) -> None:
    agent = Agent()
    agent.gate.pool.outcome = Answered(answered(200, b"a,b\n1,2\n"))

    result = await agent.call("read_file", path=path)

    assert (last(agent).method, last(agent).path) == ("GET", asked)
    assert last(agent).query.partition("&path=")[2] == folder
    assert result["content"] == [{"type": "text", "text": "a,b\n1,2\n"}]
    assert result["_meta"]["tollgate/charged-minutes"] == 5


async def test_a_picture_is_shown_and_other_bytes_are_embedded() -> None:
    agent = Agent()
    picture, other = base64.b64decode(PNG), b"\xff\x00"

    agent.gate.pool.outcome = Answered(answered(200, picture))
    assert (await agent.call("read_file", path="a.png"))["content"] == [
        {"type": "image", "data": PNG, "mimeType": "image/png"}
    ]
    agent.gate.pool.outcome = Answered(answered(200, other))
    [part] = (await agent.call("read_file", path="sub/a b.bin"))["content"]
    assert part["resource"]["uri"] == "file:///mnt/data/sub/a%20b.bin"
    assert base64.b64decode(part["resource"]["blob"]) == other


@pytest.mark.parametrize(
    ("path", "name", "folder"),
    [("a.csv", "a.csv", ""), ("/mnt/data/sub/ü.csv", "ü.csv", "sub"), ("a/b/x y", "x y", "a%2Fb")],
)
@pytest.mark.parametrize("given", [{"text": "grüß\r\n--x"}, {"base64": base64.b64encode(b"\x00\xff").decode()}])
async def test_a_file_is_written(path: str, name: str, folder: str, given: dict[str, str]) -> None:
    agent = Agent()
    content = given["text"].encode() if "text" in given else b"\x00\xff"

    result = await agent.call("write_file", path=path, **given)

    call = last(agent)
    assert (call.method, call.path) == ("POST", "/files")
    assert call.query.partition("&path=")[2] == folder
    boundary = call.headers["content-type"].partition("boundary=")[2]
    assert call.body.startswith(f"--{boundary}\r\nContent-Disposition: form-data; name=".encode())
    assert f'; filename="{name}"\r\n'.encode() in call.body
    assert call.body.endswith(b"\r\n\r\n" + content + f"\r\n--{boundary}--\r\n".encode())
    assert result["structuredContent"]["size_bytes"] == len(content)
    assert re.fullmatch(r"Wrote \d+ bytes to /mnt/data/.*\.", text_of(result))
