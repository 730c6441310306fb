"""Route templates, compiled into one table.

Rules of this file: pure. Matching follows the host: functions are tried in the order of their names, ignoring case, and
the first whose template *and* method fit wins; there is no other notion of specificity. A wrong method is therefore no
match. Where a template says something that this module might read differently from the host, it is refused.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

_RESERVED_PREFIXES = ("admin", "runtime")
_PART = re.compile(r"\{((?:[^{}]|\{\{|\}\})*)\}|((?:[^{}]|\{\{|\}\})+)")
_PARAMETER = re.compile(
    r"(?P<star>\*{0,2})(?P<name>[A-Za-z_]\w*)(?P<constraints>(?::\w+(?:\(.*?\))?(?=[:=?]|$))*)"
    r"(?:(?P<optional>\?)|=(?P<default>.*))?"
)
_CONSTRAINT = re.compile(r":(?P<name>\w+)(?:\((?P<argument>.*?)\)(?=:|$))?")
_GUID = re.compile(r"[0-9a-f]{32}|\{?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,20}", re.ASCII)

type Check = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named part of a template. `default` stands in when the path leaves the part out; None leaves it out too."""

    name: str
    checks: tuple[Check, ...]
    default: str | None


@dataclass(frozen=True, slots=True)
class Route:
    """One function's template; `methods` is empty where the function takes all."""

    function: str
    template: str
    methods: frozenset[str]
    pattern: re.Pattern[str]
    parameters: tuple[Parameter, ...]

    def match(self, path: str) -> dict[str, str] | None:
        """Return the values of the parameters, without those left open; None if the path does not fit."""
        match = self.pattern.fullmatch(path)
        if match is None:
            return None
        values: dict[str, str] = {}
        for parameter, text in zip(self.parameters, match.groups(), strict=True):
            value = parameter.default if text is None else text
            if value is None:
                continue
            if not all(check(value) for check in parameter.checks):
                return None
            values[parameter.name] = value
        return values


class RouteTable:
    """All routes of an app, per method in the order in which they are tried."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = tuple(sorted(routes, key=lambda route: route.function.lower()))
        _refuse_conflicts(self._routes)
        methods = {method for route in self._routes for method in route.methods}
        self._by_method = {
            method: tuple(route for route in self._routes if not route.methods or method in route.methods)
            for method in methods
        }
        self._for_other_methods = tuple(route for route in self._routes if not route.methods)

    def __iter__(self) -> Iterator[Route]:
        """Iterate in the order in which routes are tried."""
        return iter(self._routes)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the first route that takes the decoded path with this method, and its parameters' values."""
        for route in self._by_method.get(method, self._for_other_methods):
            values = route.match(path)
            if values is not None:
                return route, values
        return None


def compile_route(function: str, template: str, methods: Iterable[str], prefix: str) -> Route:
    """Compile one function's template, which stands below the prefix of all routes.

    Raises:
        ValueError: if the template is malformed, reserved for the host, or holds what this host does not know.
    """
    template = template.removeprefix("/").removesuffix("/")
    if template.lower().startswith(_RESERVED_PREFIXES):
        raise ValueError(f"route {template!r} starts with admin or runtime, which the host keeps for itself")
    full_template = "/".join(part for part in (prefix, template) if part)
    segments = _segments(full_template)
    if any(
        _is_catch_all(left) or (_may_be_absent(left) and not _may_be_absent(right))
        for left, right in pairwise(segments)
    ):
        raise ValueError(f"route {template!r}: only the last segments may be optional, and a catch-all ends a route")
    compiled = [_compile_segment(segment) for segment in segments]
    parameters = [parameter for _, segment_parameters in compiled for parameter in segment_parameters]
    names = [parameter.name.lower() for parameter in parameters]
    if len(set(names)) < len(names):
        raise ValueError(f"route {template!r} names a parameter twice")
    return Route(
        function=function,
        template=full_template,
        methods=frozenset(method.upper() for method in methods),
        pattern=re.compile("".join(text for text, _ in compiled) + "/?", re.IGNORECASE | re.DOTALL),
        parameters=tuple(parameters),
    )


type Part = str | re.Match[str]  # literal text, or a parameter as written


def _segments(template: str) -> list[list[Part]]:
    """Split a template at its slashes, and each segment into literals and parameters."""
    segments: list[list[Part]] = [[]]
    position = 0
    while position < len(template):
        part = _PART.match(template, position)
        if part is None:
            raise ValueError(f"route {template!r}: the braces do not match")
        position = part.end()
        if part[2] is None:
            parameter = _PARAMETER.fullmatch(part[1].replace("{{", "{").replace("}}", "}"))
            if parameter is None:
                raise ValueError(f"route {template!r}: {{{part[1]}}} is not a parameter")
            segments[-1].append(parameter)
            continue
        first, *others = part[2].replace("{{", "{").replace("}}", "}").split("/")
        if first:
            segments[-1].append(first)
        segments.extend([text] if text else [] for text in others)
    if template and not all(segments):
        raise ValueError(f"route {template!r} has an empty segment")
    return [segment for segment in segments if segment]


def _may_be_absent(segment: list[Part]) -> bool:
    part = segment[0]
    return isinstance(part, re.Match) and bool(part["star"] or part["optional"] or part["default"] is not None)


def _is_catch_all(segment: list[Part]) -> bool:
    part = segment[0]
    return isinstance(part, re.Match) and bool(part["star"])


def _compile_segment(segment: list[Part]) -> tuple[str, list[Parameter]]:
    """Return a segment's pattern, with the slash before it, and its parameters in the order of the groups."""
    parameters = [_parameter(part) for part in segment if isinstance(part, re.Match)]
    if len(segment) > 1:
        if any(_may_be_absent([part]) for part in segment):
            raise ValueError("an optional parameter must be a whole segment")
        texts = [re.escape(part) if isinstance(part, str) else "([^/]+)" for part in segment]
        return "/" + "".join(texts), parameters
    (part,) = segment
    if isinstance(part, str):
        return "/" + re.escape(part), parameters
    if part["star"]:
        # The host refuses an empty segment before it looks at what a catch-all may span: //x never matches.
        return "(?:/([^/].*))?", parameters
    return ("(?:/([^/]+))?" if _may_be_absent(segment) else "/([^/]+)"), parameters


def _parameter(part: re.Match[str]) -> Parameter:
    constraints = _CONSTRAINT.finditer(part["constraints"])
    return Parameter(
        name=part["name"],
        checks=tuple(check for match in constraints if (check := _check(match["name"], match["argument"]))),
        default=part["default"],
    )


def _check(name: str, argument: str | None) -> Check | None:
    """Return the test of a constraint; None for `required`, which a matched parameter always meets."""
    if name.lower() == "required":
        return None
    if name.lower() == "regex" and argument is not None:
        expression = re.compile(argument, re.IGNORECASE)
        return lambda text: expression.search(text) is not None
    if name.lower() == "maxlength" and argument is not None:
        longest = int(argument)
        return lambda text: len(text) <= longest
    try:
        return _CHECKS[name.lower()]
    except KeyError:
        raise ValueError(f"this host does not know the route constraint {name!r}") from None


def _integer_within(bits: int) -> Check:
    limit = 1 << (bits - 1)
    return lambda text: _INTEGER.fullmatch(text) is not None and -limit <= int(text) < limit


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


_CHECKS: Mapping[str, Check] = {
    "int": _integer_within(32),
    "long": _integer_within(64),
    "alpha": lambda text: text.isascii() and text.isalpha(),
    "bool": lambda text: text.lower() in ("true", "false"),
    "guid": lambda text: _GUID.fullmatch(text) is not None,
    "decimal": _is_number,
    "double": _is_number,
    "float": _is_number,
}


def _refuse_conflicts(routes: tuple[Route, ...]) -> None:
    """Refuse two functions with the same template and a method in common."""
    for position, route in enumerate(routes):
        for other in routes[position + 1 :]:
            overlap = not route.methods or not other.methods or route.methods & other.methods
            if overlap and route.template.lower() == other.template.lower():
                raise ValueError(
                    f"functions {route.function} and {other.function} both claim the route {route.template!r}"
                )
