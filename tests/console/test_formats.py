"""Which format is chosen, and how CSV goes out."""

import pytest

from console.formats import LISTS, Format, choose_format, csv_response, format_of
from proxy.errors import ErrorCode, GatewayError
from proxy.messages import GatewayRequest

FOCUS = 'text/csv;profile="focus-1.2"'


@pytest.mark.parametrize("wanted", Format)
@pytest.mark.parametrize("accept", ["", "text/csv", FOCUS, "image/png"])
def test_the_query_decides_whatever_the_header_says(wanted: Format, accept: str) -> None:
    assert choose_format({"format": wanted.value}, accept) is wanted


@pytest.mark.parametrize("named", ["", "xml", "JSON", "csv ", "focus-1.2"])
def test_an_unknown_format_in_the_query_is_refused_by_name_and_not_repeated(named: str) -> None:
    with pytest.raises(GatewayError) as refused:
        choose_format({"format": named}, "")

    assert (refused.value.code, refused.value.target) == (ErrorCode.VALIDATION_FAILED, "format")
    assert refused.value.message == "format: must be one of json, csv, focus"


def test_a_list_has_no_focus_form() -> None:
    with pytest.raises(GatewayError) as refused:
        choose_format({"format": "focus"}, "", LISTS)
    assert refused.value.message == "format: must be one of json, csv"
    assert choose_format({}, f"{FOCUS}, text/csv;q=0.5", LISTS) is Format.CSV


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", Format.JSON),
        ("*/*", Format.JSON),
        ("application/*", Format.JSON),
        ("application/json", Format.JSON),
        ("text/csv", Format.CSV),
        ("Text/CSV", Format.CSV),
        ("text/*", Format.CSV),
        ("text/csv; charset=utf-8", Format.CSV),
        (FOCUS, Format.FOCUS),
        ("text/csv; Profile=focus-1.2; charset=utf-8", Format.FOCUS),
        # the quality decides, then the precision, then the order
        ("application/json;q=0.5, text/csv", Format.CSV),
        ("application/json;q=0.5, text/csv;q=0.4", Format.JSON),
        (f"text/csv;q=0.9, {FOCUS};q=1.0", Format.FOCUS),
        (f"text/csv, {FOCUS}", Format.CSV),
        (f"{FOCUS}, text/csv", Format.FOCUS),
        ("*/*, text/csv", Format.CSV),
        ("text/csv, application/json", Format.CSV),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Format.JSON),
        ("text/csv;q=0.1, */*;q=0.8", Format.JSON),
        ("application/json;q=0, */*", Format.CSV),
        # what names none of ours, or what cannot be read, gets JSON
        ("image/png", Format.JSON),
        ('text/csv;profile="focus-1.0"', Format.JSON),
        ("text/csv;q=0", Format.JSON),
        ("application/json;q=0", Format.JSON),
        ("text/csv;q=2", Format.JSON),
        ("text/csv;q=x, application/json;q=0.1", Format.JSON),
        (",;=,,q=1", Format.JSON),
    ],
)
def test_the_header_decides_by_quality_precision_and_order(accept: str, chosen: Format) -> None:
    assert choose_format({}, accept) is chosen


def test_a_call_is_read_for_both() -> None:
    def call(query: str, **headers: str) -> GatewayRequest:
        return GatewayRequest(id="r", method="GET", path="/usage", query=query, headers=headers)

    assert format_of(call("period=2026-11")) is Format.JSON
    assert format_of(call("period=2026-11&format=focus")) is Format.FOCUS
    assert format_of(call("", accept="text/csv")) is Format.CSV
    with pytest.raises(GatewayError):
        format_of(call("format="))
    with pytest.raises(GatewayError):
        format_of(call("format=focus"), LISTS)


def test_csv_goes_out_as_a_file_and_caches_keep_it_apart_from_json() -> None:
    response = csv_response(b"a\r\n", filename="acme-2026-11.csv")

    assert response.status == 200
    assert response.body == b"a\r\n"
    assert response.headers == {
        "Content-Type": "text/csv; charset=utf-8",
        "Content-Disposition": 'attachment; filename="acme-2026-11.csv"',
        "Vary": "Accept",
    }


def test_the_next_page_is_linked() -> None:
    response = csv_response(b"", filename="r.csv", following="/operator/reports/2026-11?after=a&limit=2&format=csv")

    assert response.headers["Link"] == '</operator/reports/2026-11?after=a&limit=2&format=csv>; rel="next"'


@pytest.mark.parametrize("name", ['a"b.csv', "a\r\nb.csv", "größe.csv", ""])
def test_nobodys_words_become_the_name_of_a_file(name: str) -> None:
    with pytest.raises(AssertionError):
        csv_response(b"", filename=name)
