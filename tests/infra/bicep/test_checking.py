"""Each check finds the mistake that it is there for, and nothing in what is right."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.infra.bicep import bodies, leaks, modules, rules, symbols, timing
from tests.infra.bicep.checking import CHECKS
from tests.infra.bicep.declarations import Template
from tests.infra.bicep.expressions import UnreadableError
from tests.infra.bicep.reading import read_template
from tests.infra.bicep.samples import write_sample
from tests.infra.bicep.shapes import known_shapes

type Check = Callable[[Template], list[str]]


def problems(check: Check, main: Path) -> list[str]:
    files = [main, *sorted(main.parent.glob("modules/*.bicep"))]
    return [problem for path in files for problem in check(read_template(path))]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: str(check.__name__))
def test_what_is_right_is_not_reported(check: Check, tmp_path: Path) -> None:
    assert not problems(check, write_sample(tmp_path))


PLANTED: list[tuple[Check, str, str, str]] = [
    (symbols.undefined_names, "pool => pool.name)\n\nresource", "pool => pol.name)\n\nresource", "pol is not declared"),
    (symbols.undefined_names, "kind: kind\n", "kind: kinds\n", "kinds is not declared"),
    (symbols.undefined_names, "(pool, i) in all: {", "pool in all: {", "i is not declared"),
    (symbols.undefined_names, "pools poolType[] = []", "pools poolTyp[] = []", "poolTyp is not a type"),
    (symbols.unused_declarations, "${contradiction}", "", "contradiction is not used"),
    (symbols.unused_declarations, "var names =", "param more int = 1\nvar names =", "more is not used"),
    (symbols.unused_declarations, "var names =", "type other = string\nvar names =", "other is not used"),
    (
        symbols.unused_declarations,
        "@onlyIfNotExists()",
        "resource old 'Microsoft.KeyVault/vaults@2024-11-01' existing = { name: 'old' }\n\n@onlyIfNotExists()",
        "old is not used",
    ),
    (symbols.wrong_calls, "uniqueString(", "uniqueStrings(", "uniqueStrings() is not a function"),
    (symbols.wrong_calls, "join(names, ' ')", "join(names)", "join() takes 2 to 2 arguments, not 1"),
    (
        symbols.wrong_calls,
        "var names =",
        "var made = newGuid()\nvar names =",
        "newGuid() may only stand in the default",
    ),
    (symbols.wrong_calls, "'rg-${environmentName}", "'rg-${resourceGroup().name}", "resourceGroup() needs a name"),
    (symbols.wrong_calls, "vault.properties.vaultUri", "vault.uri()", "uri() is no function of a resource"),
    (symbols.unguarded_fails, "kind == 'custom' && empty(image) ?", "empty([fail(image)]) ?", "fail() is reached what"),
    (symbols.unknown_decorators, "@onlyIfNotExists()", "@onlyIfNotExist()", "@onlyIfNotExist() is not a decorator"),
    (bodies.misfitting_bodies, "cooldownPeriodInSeconds: cool", "cooldownPeriod: cool", "cooldownPeriod is not a prop"),
    (bodies.misfitting_bodies, "{ name: name }]", "{ nam: name }]", "secrets.[].nam is not a property"),
    (bodies.misfitting_bodies, "httpsOnly: true,", "siteConfig: { httpsOnly: true },", "siteConfig.httpsOnly is not"),
    (bodies.misfitting_bodies, "{ app: 'sample' }", "{ app: 1 }", "tags.app is string, not int"),
    (bodies.misfitting_bodies, "{ family: 'A', name: 'standard' }", "'standard'", "sku is object, not string"),
    (bodies.misfitting_bodies, "name: 'standard' }", "name: 'cheap' }", "sku.name is one of premium, standard, not"),
    (bodies.misfitting_bodies, "clientCertMode: 'Required'", "clientCertMode: kind", "not 'python'"),
    (bodies.misfitting_bodies, "httpsOnly: true,", "httpsOnly: 'true',", "httpsOnly is bool, not string"),
    (
        bodies.misfitting_bodies,
        "PeriodInSeconds: cooldownSeconds",
        "PeriodInSeconds: kind",
        "Seconds is int, not string",
    ),
    (bodies.misfitting_bodies, "    tenantId: tenant().tenantId\n", "", "properties.tenantId is missing"),
    (bodies.misfitting_bodies, "properties: { value: secret }", "tags: {}", "properties is missing"),
    (bodies.misfitting_bodies, "httpsOnly: true,", "defaultHostName: 'x',", "defaultHostName is read-only"),
    (
        bodies.misfitting_bodies,
        "vaults@2024-11-01' = {",
        "vaults@1999-01-01' = {",
        "no shape of Microsoft.KeyVault/vaults@",
    ),
    (
        bodies.misfitting_bodies,
        "resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' =",
        "resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing =",
        "location cannot be set on what exists",
    ),
    (
        bodies.unknown_reads,
        "vault.properties.vaultUri",
        "vault.properties.uri",
        "vault.properties.uri is not a property",
    ),
    (bodies.unknown_reads, "identity.properties.principalId", "identity.principalId", "identity.principalId is not a"),
    (
        bodies.unknown_reads,
        "[0].properties.poolManagementEndpoint",
        "[0].properties.endpoint",
        "endpoint is not a prop",
    ),
    (modules.wrong_module_calls, "'modules/store.bicep'", "'modules/shop.bicep'", "there is no modules/shop.bicep"),
    (modules.wrong_module_calls, "further: pools", "more: pools", "has no param more"),
    (modules.wrong_module_calls, "    secret: seed\n", "", "secret is not passed"),
    (modules.wrong_module_calls, "kind: kind\n", "kind: 'ruby'\n", "kind does not take 'ruby'"),
    (modules.wrong_module_calls, "kind: kind\n", "kind: image\n", "kind does not take all that image may be"),
    (
        modules.wrong_module_calls,
        "kind: kind\n",
        "kind: empty(image) ? 'python' : image\n",
        "kind does not take all that image may be",
    ),
    (
        modules.wrong_module_calls,
        "cooldownSeconds: cool",
        "cooldownSeconds: '${5}' //",
        "cooldownSeconds is int, not string",
    ),
    (modules.wrong_module_calls, "further: pools", "further: kind", "further is array, not string"),
    (modules.wrong_module_calls, "  scope: group\n", "", "say which resource group"),
    (modules.wrong_module_calls, "  params: {", "  location: location\n  params: {", "not location"),
    (modules.unknown_outputs, "store.outputs.vaultUri", "store.outputs.vault", "has no output vault"),
    (modules.unknown_outputs, "store.outputs.vaultUri", "store.id", "outputs and name can be read"),
    (
        leaks.secret_outputs,
        "output VAULT string = store.outputs.vaultUri",
        "output X string = seed",
        "output X holds seed",
    ),
    (leaks.secret_outputs, "array = names", "array = map([seed], x => x)", "output NAMES holds seed"),
    (leaks.secret_outputs, "string = vault.properties.vaultUri", "string = secret", "output VAULT holds seed"),
    (
        leaks.secret_outputs,
        "string = vault.properties.vaultUri",
        "string = token\noutput s object = entry",
        "value of entry",
    ),
    (leaks.secret_outputs, "vault.properties.vaultUri", "entry.properties.value", "the value of entry"),
    (leaks.secret_outputs, "vault.properties.vaultUri", "vault.listKeys().value", "output VAULT holds listKeys()"),
    (leaks.bared_secrets, "kind: kind\n", "kind: '${kind}${seed}'\n", "kind gets seed and is not secure"),
    (leaks.bared_secrets, "'id-${token}'", "'id-${secret}'", "identity holds secret; only a vault's secret may"),
    (leaks.written_out_secrets, "'${newGuid()}${newGuid()}'", "'open sesame'", "the default of seed is written out"),
    (
        timing.late_values,
        "guid(vault.id, identity.id,",
        "guid(vault.id, identity.properties.principalId,",
        "its name needs",
    ),
    (
        timing.late_values,
        "= if (kind == 'python') {",
        "= if (empty(vault.properties.vaultUri)) {",
        "its condition needs",
    ),
    (
        timing.late_values,
        "further)\n\nresource",
        "[{ name: identity.properties.clientId }])\n\nresource",
        "its loop needs",
    ),
    (timing.unreachable_names, "cooldownSeconds int = 300", "cooldownSeconds int = length(names)", "cannot know names"),
    (timing.unreachable_names, "var names =", "func f() string => location\nvar names =", "f cannot know location"),
    (timing.misplaced_loops, "= map(pools, pool => pool.name)", "= join([for p in pools: p.name], '')", "cannot stand"),
    (timing.misplaced_loops, "= map(pools, pool => pool.name)", "= { a: [for p in pools: p.name] }", "cannot stand"),
    (rules.unversioned_resources, "Microsoft.KeyVault/vaults@2024-11-01", "Microsoft.KeyVault/vaults", "<api version>"),
    (
        rules.misplaced_resources,
        "  name: 'kv-${token}'\n  location: location\n",
        "  name: 'kv'\n",
        "location is missing",
    ),
    (rules.misplaced_resources, "  name: 'kv-${token}'\n", "", "name is missing"),
    (rules.misplaced_resources, "  name: 'kv-${token}'\n", "  name: 'kv'\n  scope: identity\n", "only extensions have"),
    (
        rules.misplaced_resources,
        "var names =",
        "resource old 'Microsoft.KeyVault/vaults@2024-11-01' existing = { name: 'old' }\nvar names =",
        "it stands in a resource group",
    ),
    (rules.misplaced_resources, "  parent: vault\n", "", "name its parent"),
    (rules.misplaced_resources, "  parent: vault\n", "  parent: identity\n", "is no parent of a"),
    (rules.wrong_role_assignments, "'4633458b-17de-408a", "'4633458b-17de-408b", "is the id of no known role"),
    (
        rules.wrong_role_assignments,
        "var secretsUserRoleId = '4633458b-17de-408a-b874-0445c86b69e6'",
        "var secretsUserRoleId = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'",
        "is Key Vault Secrets Officer, not user",
    ),
    (rules.wrong_role_assignments, "    principalType: 'ServicePrincipal'\n", "", "principalType is missing"),
    (rules.wrong_role_assignments, "guid(vault.id, identity.id, secretsUserRoleId)", "token", "the name is not guid"),
    (
        rules.wrong_role_assignments,
        "subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsUserRoleId)",
        "secretsUserRoleId",
        "is the id of a role definition",
    ),
    (
        rules.undescribed_params,
        "@description('Further pools.')\nparam further",
        "param further",
        "further has no @desc",
    ),
]


@pytest.mark.parametrize(("check", "replaced", "by", "said"), PLANTED)
def test_a_planted_mistake_is_found(check: Check, replaced: str, by: str, said: str, tmp_path: Path) -> None:
    found = problems(check, write_sample(tmp_path, replaced=replaced, by=by))

    assert [problem for problem in found if said in problem], found


def test_every_check_has_a_mistake_to_find() -> None:
    assert {check for check, *_ in PLANTED} == set(CHECKS)


def test_a_problem_names_file_and_line(tmp_path: Path) -> None:
    main = write_sample(tmp_path, replaced="@onlyIfNotExists()", by="@only()")

    assert problems(symbols.unknown_decorators, main) == ["store.bicep:36: @only() is not a decorator"]


@pytest.mark.parametrize(
    ("replaced", "by"),
    [
        ("param location string\n\n@description('How", "param location\n\n@description('How"),
        ("var names = map(pools, pool => pool.name)", "var names = map(pools, pool => pool.name"),
        ("{ app: 'sample' }", "{ app: 'sample', ...more }"),
        ("var names =", "var kind = 'twice'\nvar names ="),
        ("var names =", "import { x } from 'x.bicep'\nvar names ="),
    ],
)
def test_what_is_not_understood_is_a_failure_that_names_file_and_line(replaced: str, by: str, tmp_path: Path) -> None:
    main = write_sample(tmp_path, replaced=replaced, by=by)

    with pytest.raises(UnreadableError, match=r"^main\.bicep:\d+: "):
        read_template(main)


def test_every_shape_has_a_name_and_says_what_it_needs() -> None:
    assert known_shapes()
    for shape in known_shapes().values():
        assert shape.body.properties["name"].required, shape.type
