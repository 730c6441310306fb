"""The repository keeps its own rules (see `tidy_rules.py`), and each rule finds what it is there for."""

import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests import tidy_rules
from tests.tidy_rules import RULES, Files

ROOT = Path(__file__).resolve().parent.parent


@cache
def project_files() -> Files:
    """Read every text file that git tracks or would track; without git, all but what set-up and tools make."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0:
        paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    else:
        tops = [path for path in ROOT.iterdir() if not path.name.startswith(".") or path.name in (".ci", ".funcignore")]
        paths = [path for top in tops for path in (top.rglob("*") if top.is_dir() else [top])]
    files = {}
    for path in paths:
        if path.is_file() and "__pycache__" not in path.parts:
            try:
                files[path.relative_to(ROOT).as_posix()] = path.read_text()
            except UnicodeDecodeError:
                continue
    return files


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.__name__))
def test_the_project_keeps_the_rule(rule: Callable[[Files], list[str]]) -> None:
    problems = rule(project_files())

    assert not problems, "\n".join(problems)


def module(text: str) -> str:
    return f'"""Role."""\n{text}\n'


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (
            tidy_rules.azure_functions_stays_in_the_triggers,
            "proxy/gateway.py",
            module("import azure.functions as func"),
        ),
        (tidy_rules.azure_functions_stays_in_the_triggers, "console/pages.py", module("from azure import functions")),
        (tidy_rules.azure_clients_stay_in_the_adapters, "metering/meter.py", module("from azure.data import tables")),
        (tidy_rules.settings_alone_read_the_environment, "proxy/pool.py", module("import os\nx = os.environ['A']")),
        (tidy_rules.settings_alone_read_the_environment, "metering/meter.py", module("import os\nx = os.getenv('A')")),
        (tidy_rules.increments_alone_know_the_granularity, "metering/ledger.py", module("x = 300")),
        (tidy_rules.increments_alone_know_the_granularity, "proxy/gateway.py", module("x = 5 * 60")),
        (tidy_rules.table_filters_take_parameters, "proxy/directory.py", module("t.query_entities(f'a eq {x}')")),
        (tidy_rules.table_filters_take_parameters, "proxy/directory.py", module("t.q(query_filter='a eq ' + x)")),
        (tidy_rules.table_filters_take_parameters, "metering/table_store.py", module("query_filter = '{}'.format(x)")),
        (tidy_rules.table_filters_take_parameters, "metering/table_store.py", module("t.q(query_filter='%s' % x)")),
        (tidy_rules.only_tools_print, "console/main.py", module("print('hello')")),
        (tidy_rules.modules_say_what_they_are_for, "proxy/gateway.py", "x = 1\n"),
        (tidy_rules.modules_are_used, "proxy/forgotten.py", module("")),
        (tidy_rules.nothing_is_left_for_later, "docs/plan.md", "Later: " + "TO" + "DO"),
        (tidy_rules.no_machine_or_registry_is_named, "README.md", "see /ro" + "ot/.cache"),
        (tidy_rules.no_machine_or_registry_is_named, "x.lock", "https://registry.npm" + "js.org/x"),
        (tidy_rules.documented_commands_exist, "README.md", "Type `make coffee`."),
    ],
)
def test_a_planted_violation_is_found(rule: Callable[[Files], list[str]], path: str, text: str) -> None:
    assert rule({path: text})


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (tidy_rules.azure_functions_stays_in_the_triggers, "function_app.py", module("import azure.functions as func")),
        (tidy_rules.azure_clients_stay_in_the_adapters, "metering/table_store.py", module("import azure.data.tables")),
        (tidy_rules.increments_alone_know_the_granularity, "metering/increments.py", module("x = 300")),
        (
            tidy_rules.table_filters_take_parameters,
            "proxy/directory.py",
            module("t.query_entities('a eq @a', parameters=p)"),
        ),
        (tidy_rules.only_tools_print, "scripts/setup.py", module("print('hello')")),
        (tidy_rules.modules_are_used, "infra/local/started.py", module("if __name__ == '__main__':\n    main()")),
        (tidy_rules.no_machine_or_registry_is_named, "README.md", "a network/worker below /roots and /workers"),
    ],
)
def test_what_a_rule_allows_is_not_reported(rule: Callable[[Files], list[str]], path: str, text: str) -> None:
    assert not rule({path: text})
