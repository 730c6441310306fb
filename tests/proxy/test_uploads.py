"""What an upload must look like before anybody is charged for it."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import GatewayError
from proxy.uploads import check_upload

DECLARED = "multipart/form-data; boundary=b1"


def form(content: bytes = b"x", *, disposition: str = 'name="file"; filename="a.csv"', boundary: str = "b1") -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: form-data; {disposition}\r\nContent-Type: text/csv\r\n\r\n"
    return head.encode() + content + f"\r\n--{boundary}--\r\n".encode()


@given(content=st.binary(max_size=500))
def test_whatever_a_file_holds_its_form_is_sound(content: bytes) -> None:
    assert check_upload(DECLARED, form(content)) == DECLARED


@pytest.mark.parametrize(
    "disposition",
    [
        'name="file"; filename="a.csv"',
        'filename="a.csv"; name="file"',
        "name=file; filename=a.csv",
        'name="file"; filename="sp%20ace.csv"',
        'name="file"; filename="/mnt/data/sub/é.csv"',
        "name=\"file\"; filename*=utf-8''%C3%A9.csv",
        'name="file"; filename="a;b=\\"c\\".csv"',
    ],
)
def test_every_form_in_which_clients_name_a_file_is_sound(disposition: str) -> None:
    assert check_upload(DECLARED, form(disposition=disposition)) == DECLARED


@pytest.mark.parametrize("declared", ["application/json", "", "text/plain; charset=utf-8", "multipart/form-data"])
def test_a_sound_form_under_a_wrong_content_type_gets_the_right_one(declared: str) -> None:
    boundary = "----formdata-undici-0123"

    assert check_upload(declared, form(boundary=boundary)) == f'multipart/form-data; boundary="{boundary}"'


def test_other_fields_and_empty_files_are_sound() -> None:
    other = b'--b1\r\nContent-Disposition: form-data; name="note"\r\n\r\nhello\r\n'

    assert check_upload(DECLARED, other + form()) == DECLARED
    assert check_upload(DECLARED, b"preamble\r\n" + form(b"")) == DECLARED


@pytest.mark.parametrize(
    ("declared", "body"),
    [
        (DECLARED, b""),
        (DECLARED, b"not a form"),
        (DECLARED, form()[:-6]),
        (DECLARED, form()[:40]),
        (DECLARED, form(boundary="other")),
        (DECLARED, b"--b1--\r\n"),
        (DECLARED, form(disposition='name="other"; filename="a.csv"')),
        (DECLARED, form(disposition='name="file"')),
        (DECLARED, form(disposition='name="file"; filename=""')),
        (DECLARED, form(disposition='name="file"; filename="../a.csv"')),
        (DECLARED, form(disposition='name="file"; filename="a/%2e%2e/b.csv"')),
        (DECLARED, form(disposition='name="file"; filename="a\x00.csv"')),
        (DECLARED, form(disposition='name="file"; filename="..\\\\a.csv"')),
        (DECLARED, b"--b1\r\nContent-Disposition: form-data\r\n" + b"x" * 20_000 + b"\r\n--b1--\r\n"),
        ("application/json", b'{"file": "x"}'),
        ("application/json", b"--\r\n\r\n----\r\n"),
        ("multipart/form-data; boundary=" + "x" * 80, form(boundary="x" * 80)),
    ],
)
def test_what_is_cut_off_or_holds_no_file_is_refused(declared: str, body: bytes) -> None:
    with pytest.raises(GatewayError, match="^SessionRequestValidationFailed$"):
        check_upload(declared, body)


@given(body=st.binary(max_size=300), declared=st.text(max_size=60))
def test_no_body_breaks_the_check(body: bytes, declared: str) -> None:
    for given_body in (body, b"--b1\r\n" + body + b"\r\n--b1--"):
        with contextlib.suppress(GatewayError):  # anything else would be a 500
            assert "boundary" in check_upload(declared, given_body)


def test_a_form_of_many_parts_is_refused_in_no_time() -> None:
    part = b'--b1\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n'

    with pytest.raises(GatewayError):
        check_upload(DECLARED, part * 100_000 + b"--b1--")
