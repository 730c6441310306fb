"""Route templates by themselves; `test_routing` has them at work."""

import pytest

from infra.local.host.routes import RouteTable, compile_route


def match(template: str, path: str, prefix: str = "") -> dict[str, str] | None:
    return compile_route("function", template, (), prefix).match(path)


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("", "/", {}),
        ("/", "/", {}),
        ("a", "/a/", {}),
        ("a", "/a//", None),
        ("{x}", "/", None),
        ("{x}", "/a/b", None),
        ("{x}-{y}", "/a-b-c", {"x": "a-b", "y": "c"}),
        ("a/{x?}", "/a/", {}),
        ("{a=1}/{b?}", "/", {"a": "1"}),
        ("{*path}", "/", {}),
        ("{**path}", "/a/b/", {"path": "a/b/"}),
        ("a/{*path}", "/a", {}),
        ("a/{*path}", "/a//b", None),
        ("a/{*path}", "/ab", None),
        ("v{{1}}/{x}", "/v{1}/y", {"x": "y"}),
        ("{ignored:maxlength(0)?}", "/", {}),
        ("a.b", "/axb", None),
    ],
)
def test_a_path_fits_a_template_as_it_does_in_the_host(template: str, path: str, values: dict[str, str] | None) -> None:
    assert match(template, path) == values


@pytest.mark.parametrize(
    ("constraint", "fits", "does_not_fit"),
    [
        ("int", ["0", "-5", "2147483647"], ["", "a", "2147483648", "1.0", "٣"]),
        ("long", ["9223372036854775807"], ["9223372036854775808"]),
        ("alpha", ["abcXYZ"], ["a1", "é"]),
        ("bool", ["true", "FALSE"], ["1", "yes"]),
        ("guid", ["0f8fad5b-d9cb-469f-a165-70867728950e", "0F8FAD5BD9CB469FA16570867728950E"], ["0f8fad5b"]),
        ("decimal", ["1.5", "-2"], ["x", "1,5x"]),
        ("double", ["1e3", ".5"], ["e3"]),
        ("float", ["1"], ["one"]),
        ("required", ["x"], []),
        ("maxlength(2)", ["ab"], ["abc"]),
        ("regex(^a{{2}}$)", ["aa", "AA"], ["aaa"]),
        ("int:regex(^1)", ["12"], ["21", "1a"]),
    ],
)
def test_a_constraint_admits_only_its_values(constraint: str, fits: list[str], does_not_fit: list[str]) -> None:
    template = f"{{x:{constraint}}}"
    assert [match(template, f"/{text}") for text in fits] == [{"x": text} for text in fits]
    assert [match(template, f"/{text}") for text in does_not_fit] == [None] * len(does_not_fit)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("admin", "starts with admin"),
        ("Administration/x", "starts with admin"),
        ("runtime/x", "starts with admin or runtime"),
        ("{x", "braces do not match"),
        ("{1x}", "is not a parameter"),
        ("{x}/{X}", "names a parameter twice"),
        ("a//b", "empty segment"),
        ("{x?}/b", "only the last segments may be optional"),
        ("{*x}/b", "a catch-all ends a route"),
        ("{*x}/{y?}", "a catch-all ends a route"),
        ("a{x?}", "must be a whole segment"),
        ("{x:datetime}", "does not know the route constraint"),
    ],
)
def test_a_template_that_might_be_read_differently_is_refused(template: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        compile_route("function", template, (), "")


def test_the_prefix_stands_before_every_route() -> None:
    assert match("a", "/api/a", prefix="api") == {}
    assert match("a", "/a", prefix="api") is None


def test_two_functions_may_share_a_template_with_different_methods() -> None:
    table = RouteTable([compile_route("get", "a", ["get"], ""), compile_route("post", "a", ["POST"], "")])

    found = table.find("POST", "/a")

    assert found is not None
    assert found[0].function == "post"
    assert table.find("DELETE", "/a") is None


def test_a_function_for_all_methods_conflicts_with_any_other_of_its_template() -> None:
    with pytest.raises(ValueError, match="both claim the route"):
        RouteTable([compile_route("all", "A", [], ""), compile_route("post", "a", ["POST"], "")])
