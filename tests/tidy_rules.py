"""The repository's rules as functions: each takes the files and returns what breaks it, with how to mend it.

The linters know the language; these rules know Tollgate.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

Files = Mapping[str, str]  # path relative to the project -> text

AZURE_CLIENTS = {"benchmarks/telemetry.py", "metering/table_alerts.py", "metering/table_store.py"} | {
    f"proxy/{name}.py"
    for name in ("bootstrap", "directory", "pool", "storage", "storage_access", "table_tenants", "tokens")
}
PRINTING = ("infra/local/", "scripts/", "benchmarks/")
ENVIRONMENT = (
    "proxy/settings.py",
    "console/commands/reach.py",  # the command line's own key, which is no setting of the gateway
    "infra/local/",
    "scripts/",
    "benchmarks/",
    "tests/",
)

# Put together from pieces, or these lines would break the rules they serve.
MARKERS = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK")) + r")\b")
FOREIGN = re.compile(
    "|".join(
        ("pypi" + r"\.org", "python" + "hosted", "npm" + "js", r"(?<![\w.])/ro" + r"ot\b", r"(?<![\w.])/wo" + r"rk\b")
    )
)


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file, parsed."""

    path: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """The dotted name by which it is imported."""
        return ".".join(PurePosixPath(self.path.removesuffix("/__init__.py")).with_suffix("").parts)

    def imports(self) -> Iterator[str]:
        """Every dotted name that an import statement could mean."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules(files: Files) -> Iterator[Module]:
    """Parse the Python files."""
    for path, text in files.items():
        if path.endswith(".py"):
            yield Module(path, ast.parse(text, path))


def azure_functions_stays_in_the_triggers(files: Files) -> list[str]:
    """Only `function_app.py` knows the platform's request and response."""
    return [
        f"{module.path}: azure.functions is for function_app.py alone; take proxy.messages values"
        for module in modules(files)
        if not module.path.startswith(("tests/", "function_app.py"))
        if any(name == "azure.functions" or name.startswith("azure.functions.") for name in module.imports())
    ]


def azure_clients_stay_in_the_adapters(files: Files) -> list[str]:
    """Storage and identity are reached through a few modules."""
    return [
        f"{module.path}: {name} is imported outside the adapters ({', '.join(sorted(AZURE_CLIENTS))})"
        for module in modules(files)
        if not module.path.startswith("tests/") and module.path not in AZURE_CLIENTS
        for name in module.imports()
        if name.startswith("azure.") and not name.startswith("azure.functions")
    ]


def settings_alone_read_the_environment(files: Files) -> list[str]:
    """What can be set is in one table."""
    return [
        f"{module.path}:{node.lineno}: the environment is read by proxy/settings.py; add a setting there"
        for module in modules(files)
        if not module.path.startswith(ENVIRONMENT)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv", "os.environb")
    ]


def increments_alone_know_the_granularity(files: Files) -> list[str]:
    """No other module has five minutes in it; what is compared with 300 is an HTTP status."""
    return [
        f"{module.path}:{node.lineno}: five minutes as a number; take it from the granularity or the settings"
        for module in modules(files)
        if module.path.startswith(("metering/", "proxy/"))
        if module.path not in ("metering/increments.py", "proxy/settings.py")
        for parent in ast.walk(module.tree)
        if not isinstance(parent, ast.Compare)
        for node in ast.iter_child_nodes(parent)
        if isinstance(node, ast.expr) and ast.unparse(node) in ("300", "5 * 60", "60 * 5", "300.0")
    ]


def table_filters_take_parameters(files: Files) -> list[str]:
    """A filter put together from text lets whoever chose the text read other tenants' rows."""
    return [
        f"{module.path}:{value.lineno}: the table filter is built from strings; pass the values in parameters="
        for module in modules(files)
        for node in ast.walk(module.tree)
        for value in _filters(node)
        if isinstance(value, ast.JoinedStr | ast.BinOp)
        or (isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "format")
    ]


def _filters(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Call(func=ast.Attribute(attr="query_entities"), args=[first, *_]):
            yield first
        case ast.keyword(arg="query_filter", value=value):
            yield value
        case ast.Assign(targets=[ast.Name(id="query_filter")], value=value):
            yield value
        case _:
            pass


def only_tools_print(files: Files) -> list[str]:
    """What is deployed logs; the command line has its console."""
    return [
        f"{module.path}:{node.lineno}: print() is for {', '.join(PRINTING)}; log, or use the command line's console"
        for module in modules(files)
        if not module.path.startswith(PRINTING)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def modules_say_what_they_are_for(files: Files) -> list[str]:
    """The first thing to read in a file is its role."""
    return [
        f"{m.path}: start it with a docstring: its role, its rules"
        for m in modules(files)
        if not ast.get_docstring(m.tree)
    ]


def modules_are_used(files: Files) -> list[str]:
    """A module is imported, started, or read as a file; otherwise it is dead."""
    named = " ".join(text for path, text in files.items() if not path.endswith(".py"))
    parsed = list(modules(files))
    imported = {name for module in parsed if not module.path.startswith("tests/") for name in module.imports()}
    return [
        f"{module.path}: nothing imports or starts it; use it or remove it"
        for module in parsed
        if not module.path.startswith("tests/")
        if PurePosixPath(module.path).name not in ("__init__.py", "__main__.py", "function_app.py")
        if module.name not in imported and "__name__" not in ast.unparse(module.tree)
        if not re.search(rf"\b{re.escape(module.name)}\b", named)
        if not any(PurePosixPath(module.path).name in text for path, text in files.items() if path != module.path)
    ]


def nothing_is_left_for_later(files: Files) -> list[str]:
    """What is not done is not in the tree."""
    return [
        f"{path}:{number}: {found[0]}: do it, or drop it"
        for path, text in files.items()
        for number, line in enumerate(text.splitlines(), 1)
        if (found := MARKERS.search(line))
    ]


def no_machine_or_registry_is_named(files: Files) -> list[str]:
    """The project builds anywhere, from whichever registry is configured there."""
    return [
        f"{path}:{number}: {found[0]} belongs to one machine or registry; leave it out"
        for path, text in files.items()
        for number, line in enumerate(text.splitlines(), 1)
        if (found := FOREIGN.search(line))
    ]


def documented_commands_exist(files: Files) -> list[str]:
    """A command that the documentation shows can be typed."""
    targets = set(re.findall(r"^([a-z-]+):", files.get("Makefile", ""), re.MULTILINE))
    return [
        f"{path}: `make {target}` is not a target of the Makefile"
        for path, text in files.items()
        if path.endswith(".md")
        for target in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE)
        if target not in targets
    ]


RULES: tuple[Callable[[Files], list[str]], ...] = (
    azure_functions_stays_in_the_triggers,
    azure_clients_stay_in_the_adapters,
    settings_alone_read_the_environment,
    increments_alone_know_the_granularity,
    table_filters_take_parameters,
    only_tools_print,
    modules_say_what_they_are_for,
    modules_are_used,
    nothing_is_left_for_later,
    no_machine_or_registry_is_named,
    documented_commands_exist,
)
