"""Uploads are read correctly wherever the network cuts them, and what is none is refused."""

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.local.pool.errors import PoolError, Problem
from infra.local.pool.multipart import UploadParser

TYPE = "multipart/form-data; boundary=limit"
CONTENT = b"first\r\n--limi\r\n--\r\n\r\n-last"
BODY = (
    b"preamble\r\n--limit\r\nContent-Disposition: form-data; name=other\r\n\r\nvalue\r\n"
    b'--limit\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; name="file"; filename="sub/a b"\r\n\r\n'
    + CONTENT
    + b'\r\n--limit\r\nContent-Disposition: form-data; name="file"; filename="empty"\r\n\r\n\r\n--limit--\r\nepilogue'
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, len(BODY)), max_size=20))
def test_a_body_means_the_same_however_it_is_cut(tmp_path: Path, cuts: list[int]) -> None:
    parser = UploadParser(TYPE, folder=tmp_path, most_bytes=len(CONTENT))
    edges = [0, *sorted(cuts), len(BODY)]
    for start, end in itertools.pairwise(edges):
        parser.feed(BODY[start:end])
    uploads = parser.finish()
    assert [(upload.filename, upload.stored.read_bytes()) for upload in uploads] == [
        ("sub/a b", CONTENT),
        ("empty", b""),
    ]
    parser.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("parameters", "filename"),
    [
        ('name="file"; filename="a%20\\"b\\".txt"', 'a%20"b".txt'),
        ("name=file; filename=plain.txt", "plain.txt"),
        ("filename=\"plain\"; filename*=utf-8''na%C3%AFve.txt; name=file", "naïve.txt"),
        ('NAME="file"; FileName="x"', "x"),
    ],
)
def test_file_names_are_read_in_every_form(tmp_path: Path, parameters: str, filename: str) -> None:
    parser = UploadParser(TYPE, folder=tmp_path, most_bytes=10)
    parser.feed(f"--limit\r\nContent-Disposition: form-data; {parameters}\r\n\r\nx\r\n--limit--".encode())
    assert [upload.filename for upload in parser.finish()] == [filename]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", Problem.VALIDATION),
        (b"--limit--", Problem.VALIDATION),
        (b"--limitless\r\n\r\n\r\n--limit--", Problem.VALIDATION),
        (b"--limit\r\n" + b"x" * 20_000, Problem.VALIDATION),
        (BODY[:-20], Problem.VALIDATION),
        (BODY.replace(CONTENT, CONTENT + b"!"), Problem.TOO_LARGE),
    ],
)
def test_a_broken_body_is_refused_and_leaves_no_file(tmp_path: Path, body: bytes, problem: Problem) -> None:
    parser = UploadParser(TYPE, folder=tmp_path, most_bytes=len(CONTENT))
    with pytest.raises(PoolError) as refusal:
        _read(parser, body)
    parser.discard()
    assert refusal.value.problem is problem
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/form-data", "multipart/mixed; boundary=x"])
def test_only_form_data_with_a_boundary_is_an_upload(tmp_path: Path, content_type: str) -> None:
    with pytest.raises(PoolError):
        UploadParser(content_type, folder=tmp_path, most_bytes=1)


def _read(parser: UploadParser, body: bytes) -> None:
    parser.feed(body)
    parser.finish()
