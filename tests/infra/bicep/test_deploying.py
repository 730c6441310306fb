"""The evaluator gives expressions the values that Azure gives them, and deploys the sample as Azure would."""

from pathlib import Path
from typing import Any

import pytest

from tests.infra.bicep.arm import to_arm_template
from tests.infra.bicep.deploying import Deployment, deploy
from tests.infra.bicep.evaluating import EvaluationError
from tests.infra.bicep.functions import DeploymentStopped
from tests.infra.bicep.samples import write_sample

NEEDED = {"environmentName": "test", "location": "westeurope"}
EXPRESSIONS: list[tuple[str, Any]] = [
    ("'a${1}b${true}c${null}'", "a1bTruec"),
    ("'\\n\\'\\u{41}\\${x}\\\\'", "\n'A${x}\\"),
    ("'''\n${x}'''", "${x}"),
    ("'${[1]}${{ a: 'b' }}'", '[1]{"a":"b"}'),
    ("1 + 2 * 3 - 4 / 2", 5),
    ("-7 / 2", -3),
    ("-7 % 2", -1),
    ("1 == 1 && !false || false", True),
    ("true == 1", False),
    ("'A' == 'a'", False),
    ("'A' =~ 'a'", True),
    ("false && fail('x')", False),
    ("true || fail('x')", True),
    ("1 > 2 ? 'a' : 2 > 1 ? 'b' : 'c'", "b"),
    ("null ?? 'a'", "a"),
    ("{ a: { b: 1 } }.a.b", 1),
    ("{ a: 1 }.?b", None),
    ("{ a: 1 }.?b.?c ?? 'd'", "d"),
    ("{ a: 1 }['a']", 1),
    ("[1, 2][1]", 2),
    ("[1][?3]", None),
    ("!empty({ a: [] }.a)", False),
    ("[length([1, 2]), first('ab'), ['x'][0]]", [2, "a", "x"]),
    ("[for (a, i) in ['x', 'y']: '${a}${i}']", ["x0", "y1"]),
    ("map([1, 2], n => n + 1)", [2, 3]),
    ("map(['a', 'b'], (a, i) => '${a}${i}')", ["a0", "b1"]),
    ("filter([1, 2, 3], n => n > 1 && n < 3)", [2]),
    ("reduce([1, 2, 3], 0, (sum, n) => sum + n)", 6),
    ("toObject([{ n: 'a' }], x => x.n, x => { m: x.?m ?? 1 })", {"a": {"m": 1}}),
    ("toObject(['a'], x => x)", {"a": "a"}),
    ("items({ b: 1, a: 2 })", [{"key": "a", "value": 2}, {"key": "b", "value": 1}]),
    ("objectKeys({ b: 1, a: 2 })", ["a", "b"]),
    ("union({ a: { b: 1, c: [1] } }, { a: { c: [2], d: 3 } })", {"a": {"b": 1, "c": [2], "d": 3}}),
    ("union([1, 2], [2, 3])", [1, 2, 3]),
    ("intersection([1, 2], [2, 3])", [2]),
    ("concat([1], [2])", [1, 2]),
    ("concat('a', 'b')", "ab"),
    ("flatten([[1], [2, 3]])", [1, 2, 3]),
    ("contains(['a'], 'A')", False),
    ("contains({ a: 1 }, 'A')", True),
    ("contains('abc', 'b')", True),
    ("startsWith('Abc', 'aB')", True),
    ("endsWith('abC', 'Bc')", True),
    ("indexOf('abc', 'C')", 2),
    ("join(['a', 'b'], ',')", "a,b"),
    ("split('a,b;c', [',', ';'])", ["a", "b", "c"]),
    ("replace(toUpper('a-b'), '-', '')", "AB"),
    ("format('{0}-{1:000}', 'a', 7)", "a-007"),
    ("take('abc', 2)", "ab"),
    ("skip([1, 2, 3], 1)", [2, 3]),
    ("last([1, 2])", 2),
    ("substring('abcd', 1, 2)", "bc"),
    ("padLeft('7', 3, '0')", "007"),
    ("range(2, 3)", [2, 3, 4]),
    ("max(1, 3)", 3),
    ("min([1, 3])", 1),
    ("int('7')", 7),
    ("string({ a: true })", '{"a":true}'),
    ("string(7)", "7"),
    ("json('{\"a\": 0.5}')", {"a": 0.5}),
    ("bool('True')", True),
    ("base64('a')", "YQ=="),
    ("trim(' a ')", "a"),
    ("array('a')", ["a"]),
    ("guid('a', 'b') == guid('a', 'b')", True),
    ("guid('a', 'b') == guid('a', 'c')", False),
    ("length(uniqueString('a'))", 13),
    ("environment().suffixes.storage", "core.windows.net"),
    ("resourceId('A.B/c/d', 'x', 'y')", "/subscriptions/11111111-2222-3333-4444-555555555555/providers/A.B/c/x/d/y"),
    ("az.resourceGroup('rg').id", "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/rg"),
    ("double(2)", 4),
    ("json(loadTextContent('data.json')) == loadJsonContent('data.json')", True),
]


@pytest.mark.parametrize(("written", "value"), EXPRESSIONS, ids=[written for written, _ in EXPRESSIONS])
def test_an_expression_has_the_value_that_it_has_in_azure(written: str, value: Any, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text('{"a": [1, null]}')
    main = tmp_path / "main.bicep"
    main.write_text(
        "targetScope = 'subscription'\nfunc double(n int) int => n * 2\noutput value any = " + written + "\n"
    )

    assert deploy(main, {}).outputs == {"value": value}


def sample(tmp_path: Path, **parameters: Any) -> Deployment:
    return deploy(write_sample(tmp_path), NEEDED | parameters)


def test_resources_are_evaluated_with_what_they_are_made_of(tmp_path: Path) -> None:
    deployment = sample(tmp_path, cooldownSeconds=600, pools=[{"name": "big", "sessions": 7}, {"name": "small"}])

    group, *_ = deployment.of_type("Microsoft.Resources/resourceGroups")
    pools = deployment.of_type("Microsoft.App/sessionPools")
    assert (group.name, group.version) == ("rg-test", "2025-04-01")
    assert group.body == {"location": "westeurope", "tags": {"app": "sample", "pools": "big small"}}
    assert [pool.body["properties"]["scaleConfiguration"]["maxConcurrentSessions"] for pool in pools] == [10, 7, 5]
    assert {
        pool.body["properties"]["dynamicPoolConfiguration"]["lifecycleConfiguration"]["cooldownPeriodInSeconds"]
        for pool in pools
    } == {600}
    assert pools[0].id == f"{group.id}/providers/Microsoft.App/sessionPools/{pools[0].name}"


def test_children_and_extensions_stand_where_they_belong(tmp_path: Path) -> None:
    deployment = sample(tmp_path)

    (vault,) = deployment.of_type("Microsoft.KeyVault/vaults")
    (secret,) = deployment.of_type("Microsoft.KeyVault/vaults/secrets")
    (assignment,) = deployment.of_type("Microsoft.Authorization/roleAssignments")
    assert secret.name == f"{vault.name}/sample"
    assert secret.id == f"{vault.id}/secrets/sample"
    assert secret.decorators == ("onlyIfNotExists",)
    assert assignment.scope == vault.id
    assert assignment.body["properties"]["roleDefinitionId"].endswith("/4633458b-17de-408a-b874-0445c86b69e6")


def test_what_azure_adds_has_the_right_form(tmp_path: Path) -> None:
    deployment = sample(tmp_path)

    (vault,) = deployment.of_type("Microsoft.KeyVault/vaults")
    (pool,) = deployment.of_type("Microsoft.App/sessionPools")
    assert deployment.outputs["VAULT"] == f"https://{vault.name}.vault.azure.net/"
    assert deployment.outputs["POOL"].startswith("https://westeurope.dynamicsessions.io/subscriptions/")
    assert deployment.outputs["POOL"].endswith(f"/resourceGroups/rg-test/sessionPools/{pool.name}")


def test_a_condition_leaves_a_resource_out(tmp_path: Path) -> None:
    deployment = sample(tmp_path, kind="custom", image="registry/image:1")

    assert not deployment.of_type("Microsoft.Web/sites")


def test_reading_what_is_not_deployed_is_an_error_of_the_files(tmp_path: Path) -> None:
    main = write_sample(tmp_path, replaced="kind == 'python' ? site!.properties.defaultHostName : ''", by="site.kind")

    with pytest.raises(EvaluationError, match="site.kind is read, but it is not deployed"):
        deploy(main, NEEDED | {"kind": "custom", "image": "x"})


def test_a_further_deployment_makes_new_guids_and_keeps_the_names(tmp_path: Path) -> None:
    main = write_sample(tmp_path)
    first, second = deploy(main, NEEDED), deploy(main, NEEDED, number=2)

    def values(deployment: Deployment) -> list[str]:
        return [
            secret.body["properties"]["value"] for secret in deployment.of_type("Microsoft.KeyVault/vaults/secrets")
        ]

    assert [resource.id for resource in first.resources] == [resource.id for resource in second.resources]
    assert values(first) != values(second)
    assert deploy(main, NEEDED) == first


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"colour": "red"}, "colour: main.bicep has no such parameter"),
        ({"location": 3}, "location: is string, not 3"),
        ({"cooldownSeconds": "300"}, "cooldownSeconds: is int, not '300'"),
        ({"cooldownSeconds": 299}, "cooldownSeconds: is at least 300, not 299"),
        ({"cooldownSeconds": 3601}, "cooldownSeconds: is at most 3600, not 3601"),
        ({"environmentName": ""}, "environmentName: has a length of at least 1, not 0"),
        ({"environmentName": "a" * 13}, "environmentName: has a length of at most 12, not 13"),
        ({"kind": "ruby"}, "kind: is one of python, custom, not ruby"),
        ({"kind": "custom"}, "image: name one for a custom pool"),
        ({"pools": {}}, "pools: is array, not {}"),
        ({"pools": ["x"]}, "pools[0]: is object, not 'x'"),
        ({"pools": [{"name": "a"}, {"sessions": 1}]}, "pools[1]: lacks name"),
        ({"pools": [{"name": "a", "size": 1}]}, "pools[0]: has no property size"),
        ({"pools": [{"name": "a", "sessions": 0}]}, "pools[0].sessions: is at least 1, not 0"),
        ({"pools": [{"name": 7}]}, "pools[0].name: is string, not 7"),
    ],
)
def test_a_parameter_that_cannot_work_stops_the_deployment_in_one_line(
    parameters: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(DeploymentStopped) as stopped:
        sample(tmp_path, **parameters)

    assert str(stopped.value) == said


def test_a_missing_parameter_stops_the_deployment(tmp_path: Path) -> None:
    with pytest.raises(DeploymentStopped, match="^location: is required$"):
        deploy(write_sample(tmp_path), {"environmentName": "test"})


USING = """\
param name string

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = { name: name }

output uri string = vault.properties.vaultUri
"""


@pytest.mark.parametrize(("name", "premature"), [("store.outputs.name", []), ("'kv-sample'", ["kv-sample"])])
def test_what_is_used_before_it_is_made_is_found_in_one_order_or_the_other(
    name: str, premature: list[str], tmp_path: Path
) -> None:
    main = write_sample(tmp_path, replaced="name: 'kv-${token}'", by="name: 'kv-sample'")
    modules = main.parent / "modules"
    (modules / "using.bicep").write_text(USING)
    with (modules / "store.bicep").open("a") as store, main.open("a") as file:
        store.write("output name string = vault.name\n")
        file.write("module using 'modules/using.bicep' = {\n  name: 'using'\n  scope: group\n")
        file.write(f"  params: {{ name: {name} }}\n}}\n")

    found = [deploy(main, NEEDED, backwards=backwards).premature for backwards in (False, True)]
    assert [used.split("/")[-1] for both in found for used in both] == premature


def test_an_error_of_the_files_is_told_with_its_place(tmp_path: Path) -> None:
    main = write_sample(tmp_path, replaced="join(names, ' ')", by="join(names[0].x, ' ')")

    with pytest.raises(EvaluationError, match=r"^main\.bicep, line 42: there is no x in str$"):
        deploy(main, NEEDED | {"pools": [{"name": "a"}]})


def test_a_circle_is_an_error_of_the_files(tmp_path: Path) -> None:
    main = write_sample(tmp_path, replaced="var names =", by="var a = b\nvar b = a\noutput x string = a\nvar names =")

    with pytest.raises(EvaluationError, match="a → b → a: a circle"):
        deploy(main, NEEDED)


def test_the_template_for_other_tools_has_every_resource(tmp_path: Path) -> None:
    deployment = sample(tmp_path)

    template = to_arm_template(deployment)
    assert [(resource["type"], resource["name"]) for resource in template["resources"]] == [
        (resource.type, resource.name) for resource in deployment.resources
    ]
    assert all({"apiVersion", "type", "name"} <= set(resource) for resource in template["resources"])
