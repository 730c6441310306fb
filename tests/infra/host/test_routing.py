"""Which function a request reaches."""

import pytest

from tests.infra.host.support import Host

pytestmark = pytest.mark.stack


def reached(host: Host, target: str, method: str = "GET") -> tuple[str, dict[str, str]]:
    answer = host.call(method, target)
    assert answer.status == 200
    described = answer.json()
    return described["function"], described["values"]


def test_the_catch_all_named_last_shadows_no_other_function(host: Host) -> None:
    assert reached(host, "/items/7") == ("number", {"n": "7"})
    assert reached(host, "/anything/else") == ("zz_rest", {"path": "anything/else"})


def test_the_first_function_by_name_wins_over_a_more_specific_template(host: Host) -> None:
    assert reached(host, "/same/literal") == ("b_second", {"a": "literal"})


def test_a_constraint_rejects_what_is_not_an_integer(host: Host) -> None:
    assert reached(host, "/items/seven")[0] == "zz_rest"
    assert reached(host, "/items/2147483648")[0] == "zz_rest"


def test_an_optional_segment_that_is_left_out_has_no_value(host: Host) -> None:
    assert reached(host, "/optional") == ("optional", {})
    assert reached(host, "/optional/a") == ("optional", {"x": "a"})


def test_a_segment_with_a_default_takes_it_when_left_out(host: Host) -> None:
    assert reached(host, "/default") == ("with_default", {"x": "seven"})


def test_literals_may_surround_parameters_in_a_segment(host: Host) -> None:
    assert reached(host, "/parts/archive.tar.gz") == ("parts", {"name": "archive.tar", "extension": "gz"})


def test_case_and_a_trailing_slash_do_not_matter(host: Host) -> None:
    assert reached(host, "/ITEMS/7/") == ("number", {"n": "7"})


def test_a_wrong_method_is_no_match_and_falls_through(host: Host) -> None:
    assert reached(host, "/post-only", "POST")[0] == "post_only"
    assert reached(host, "/post-only", "GET")[0] == "zz_rest"


def test_a_catch_all_takes_the_root_before_the_homepage_does(host: Host) -> None:
    assert reached(host, "/") == ("zz_rest", {})


@pytest.mark.parametrize(
    "target", ["/admin", "/admin/anything", "/ADMIN/x", "/%61dmin/x", "/x/../admin/y", "/runtime/x"]
)
def test_no_function_is_reached_below_the_hosts_own_prefixes(host: Host, target: str) -> None:
    answer = host.call("GET", target)

    assert (answer.status, answer.body) == (404, b"")


def test_paths_that_only_begin_like_the_hosts_own_reach_functions(host: Host) -> None:
    assert reached(host, "/administration")[0] == "zz_rest"


def test_an_empty_segment_matches_only_below_a_catch_all(host: Host) -> None:
    assert host.call("GET", "//items").status == 404
    assert reached(host, "/a//b") == ("zz_rest", {"path": "a//b"})


def test_the_host_says_that_it_runs(host: Host) -> None:
    assert host.call("GET", "/admin/host/ping").status == 200
    assert host.call("GET", "/admin/host/status").json()["state"] == "Running"
