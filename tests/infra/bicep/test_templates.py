"""The project's templates pass the checks, and what stands around them fits: outputs, queries, azd's files."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proxy.settings import DirectSettings
from tests.infra.bicep.arm import to_arm_template
from tests.infra.bicep.cases import every_case
from tests.infra.bicep.checking import CHECKS
from tests.infra.bicep.declarations import Named, Template
from tests.infra.bicep.parameters import check_parameters
from tests.infra.bicep.reading import read_template
from tests.infra.bicep.shapes import known_shapes
from tests.infra.bicep.tollgate import (
    MAIN,
    NEEDED,
    ROOT,
    app_settings,
    bicep_files,
    deployed,
)

# What Tollgate tells of itself; that the page and the code agree is proven beside the code.
TOLD = set(re.findall(r"`(tollgate\.[a-z_.]+)`", (ROOT / "docs/telemetry.md").read_text()))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.__name__))
def test_the_templates_pass_the_check(check: Callable[[Template], list[str]]) -> None:
    problems = [problem for path in bicep_files() for problem in check(read_template(path.resolve()))]

    assert not problems, "\n".join(problems)


def test_the_facts_are_those_of_the_types_in_use() -> None:
    resources = [resource for path in bicep_files() for resource in read_template(path.resolve()).resources.values()]

    assert {f"{resource.type}@{resource.version}".lower() for resource in resources} == set(known_shapes())


def test_the_outputs_are_what_follows_needs() -> None:
    outputs = deployed().outputs

    assert outputs.keys() == {
        "AZURE_FUNCTION_APP_NAME",
        "AZURE_KEY_VAULT_NAME",
        "AZURE_LOG_ANALYTICS_WORKSPACE_ID",
        "AZURE_RESOURCE_GROUP",
        "TOLLGATE_CURRENCY",
        "TOLLGATE_INCREMENT_SECONDS",
        "TOLLGATE_ISSUER",
        "TOLLGATE_POOL_BILLING_INCREMENT_SECONDS",
        "TOLLGATE_POOL_ENDPOINTS",
        "TOLLGATE_POOL_RATE_PER_SESSION_HOUR",
        "TOLLGATE_RATE_PER_SESSION_HOUR",
        "TOLLGATE_STORAGE",
        "TOLLGATE_URL",
    }
    assert outputs["AZURE_RESOURCE_GROUP"] == "rg-test"
    assert re.fullmatch(r"https://[\w.-]+\.azurewebsites\.net", outputs["TOLLGATE_URL"])
    assert re.fullmatch(r"https://\w+\.table\.core\.windows\.net", outputs["TOLLGATE_STORAGE"])


@every_case
def test_commands_on_the_storage_count_with_what_the_app_counts_with(parameters: dict[str, Any]) -> None:
    deployment = deployed(**parameters)

    settings = app_settings(deployment)
    told = {name: value for name, value in deployment.outputs.items() if name in settings}
    needed = {f"TOLLGATE_{name.upper()}" for name, field in DirectSettings.model_fields.items() if field.is_required()}
    assert needed - {"TOLLGATE_LEDGER_SECRET"} <= told.keys()
    assert told == {name: settings[name] for name in told}


@every_case
def test_what_azd_keeps_of_a_deployment_changes_nothing_at_the_next(parameters: dict[str, Any]) -> None:
    first = deployed(**parameters)
    params = read_template(MAIN.resolve()).params

    kept = {}
    for name, parameter in json.loads((MAIN.parent / "main.parameters.json").read_text())["parameters"].items():
        variable = re.match(r"\$\{(\w+)", parameter["value"])
        if variable is not None and variable[1] in first.outputs:
            value = first.outputs[variable[1]]
            kept[name] = int(value) if params[name].type == Named("int") else value
    assert kept
    assert app_settings(deployed(**parameters | kept)) == app_settings(first)


@every_case
def test_queries_ask_for_what_tollgate_tells(parameters: dict[str, Any]) -> None:
    deployment = deployed(**parameters)
    queries = [
        condition["query"]
        for rule in deployment.of_type("Microsoft.Insights/scheduledQueryRules")
        for condition in rule.body["properties"]["criteria"]["allOf"]
    ]
    for workbook in deployment.of_type("Microsoft.Insights/workbooks"):
        queries += list(queries_in(json.loads(workbook.body["properties"]["serializedData"])))

    asked = {name for query in queries for name in re.findall(r"tollgate\.[a-z_]+(?:\.[a-z_]+)*", query)}
    assert len(queries) > 5
    assert "tollgate.calls" in asked
    assert asked <= TOLD, asked - TOLD


def queries_in(content: Any) -> list[str]:
    """The queries of a workbook's items, however deep."""
    inside = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    own = [content["query"]] if isinstance(content, dict) and isinstance(content.get("query"), str) else []
    return own + [query for part in inside for query in queries_in(part)]


@every_case
def test_other_tools_get_every_resource(parameters: dict[str, Any]) -> None:
    deployment = deployed(**parameters)

    template = json.loads(json.dumps(to_arm_template(deployment)))
    assert len(template["resources"]) == len(deployment.resources)


def test_azure_yaml_points_to_what_is_there() -> None:
    project = read_yaml(ROOT / "azure.yaml")

    service = project["services"]["tollgate"]
    assert project["name"] == "tollgate"
    assert (service["host"], service["language"], service["project"]) == ("function", "python", ".")
    assert (ROOT / service["project"] / "host.json").is_file()
    assert (ROOT / service["project"] / "function_app.py").is_file()
    infra = project.get("infra", {})
    path, module = infra.get("path", "infra"), infra.get("module", "main")
    assert ROOT / path / f"{module}.bicep" == MAIN


def read_yaml(path: Path) -> dict[str, Any]:
    """Read the little of YAML that azure.yaml needs: names, indented below each other, with or without a value."""
    found: dict[str, Any] = {}
    above: list[tuple[int, dict[str, Any]]] = [(-1, found)]
    for line in path.read_text().splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            parts = re.fullmatch(r"( *)([\w.-]+):(?: +([^#\n]*?))?(?: +#.*)?", line)
            assert parts is not None, line
            above = [(indent, level) for indent, level in above if indent < len(parts[1])]
            value: Any = parts[3].strip("'\"") if parts[3] else {}
            above[-1][1][parts[2]] = value
            above += [(len(parts[1]), value)] if isinstance(value, dict) else []
    return found


def test_the_parameter_file_gives_what_the_templates_take() -> None:
    parameters = json.loads((MAIN.parent / "main.parameters.json").read_text())["parameters"]

    template = read_template(MAIN.resolve())
    check_parameters(template, parameters)
    values = {name: parameter["value"] for name, parameter in parameters.items()}
    assert values["environmentName"] == "${AZURE_ENV_NAME}"
    assert values["location"] == "${AZURE_LOCATION}"
    unset = re.compile(r"\$\{\w+\}")
    needed = {name for name, param in template.params.items() if param.required}
    lacking = {name for name, value in values.items() if isinstance(value, str) and unset.fullmatch(value)}
    assert lacking - needed <= {"principalId"}, "without the variable of this name, azd would pass an empty text"


def test_the_parameter_file_has_the_defaults_of_the_templates() -> None:
    parameters = json.loads((MAIN.parent / "main.parameters.json").read_text())["parameters"]
    params = read_template(MAIN.resolve()).params
    readers: dict[str, Callable[[str], Any]] = {"string": str, "int": int, "bool": json.loads, "array": json.loads}

    defaults = {
        name: readers[kind.name](found[1])
        for name, parameter in parameters.items()
        if (found := re.fullmatch(r"\$\{\w+=(.*)\}", parameter["value"]))
        if isinstance(kind := params[name].type, Named)
    }
    assert defaults
    assert deployed(**defaults) == deployed()


def test_the_parameters_that_the_tests_need_are_the_required_ones() -> None:
    required = {name for name, param in read_template(MAIN.resolve()).params.items() if param.required}

    assert required == set(NEEDED)
