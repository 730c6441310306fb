"""A small deployment for the tests of the checks and of the evaluator: correct as it stands."""

from pathlib import Path

MAIN = """\
targetScope = 'subscription'

@description('Name of the environment.')
@minLength(1)
@maxLength(12)
param environmentName string

@description('Where everything stands.')
param location string

@description('How long a session is kept, in seconds.')
@minValue(300)
@maxValue(3600)
param cooldownSeconds int = 300

@description('What the pool runs.')
@allowed(['python', 'custom'])
param kind string = 'python'

@description('The image of a custom pool.')
param image string = ''

@description('Further pools.')
param pools poolType[] = []

@description('Makes the secret.')
@secure()
param seed string = '${newGuid()}${newGuid()}'

type poolType = {
  name: string
  @minValue(1)
  sessions: int?
}

var contradiction = kind == 'custom' && empty(image) ? fail('image: name one for a custom pool') : ''
var names = map(pools, pool => pool.name)

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}${contradiction}'
  location: location
  tags: union({ app: 'sample' }, empty(names) ? {} : { pools: join(names, ' ') })
}

module store 'modules/store.bicep' = {
  name: 'store'
  scope: group
  params: {
    location: location
    secret: seed
    cooldownSeconds: cooldownSeconds
    kind: kind
    further: pools
  }
}

output VAULT string = store.outputs.vaultUri
output POOL string = store.outputs.endpoint
output NAMES array = names
"""
STORE = """\
@description('Where everything stands.')
param location string

@description('What goes into the vault.')
@secure()
param secret string

@description('How long a session is kept, in seconds.')
param cooldownSeconds int

@description('What the pool runs.')
@allowed(['python', 'custom'])
param kind string

@description('Further pools.')
param further array = []

var token = uniqueString(resourceGroup().id)
var secretsUserRoleId = '4633458b-17de-408a-b874-0445c86b69e6'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-${token}'
  location: location
}

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: 'kv-${token}'
  location: location
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
  }
}

@onlyIfNotExists()
resource entry 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: 'sample'
  properties: { value: secret }
}

resource reading 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, identity.id, secretsUserRoleId)
  scope: vault
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', secretsUserRoleId)
  }
}

var all = concat([{ name: 'default', sessions: 10 }], further)

resource sessionPools 'Microsoft.App/sessionPools@2025-07-01' = [for (pool, i) in all: {
  name: 'pool-${i}-${token}'
  location: location
  properties: {
    containerType: kind == 'custom' ? 'CustomContainer' : 'PythonLTS'
    scaleConfiguration: { maxConcurrentSessions: pool.?sessions ?? 5 }
    dynamicPoolConfiguration: {
      lifecycleConfiguration: { lifecycleType: 'Timed', cooldownPeriodInSeconds: cooldownSeconds }
    }
    secrets: [for name in map(filter(all, other => other.name != pool.name), other => other.name): { name: name }]
  }
}]

resource site 'Microsoft.Web/sites@2024-11-01' = if (kind == 'python') {
  name: 'app-${token}'
  location: location
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: { httpsOnly: true, clientCertMode: 'Required' }
}

output vaultUri string = vault.properties.vaultUri
output endpoint string = sessionPools[0].properties.poolManagementEndpoint
output host string = kind == 'python' ? site!.properties.defaultHostName : ''
"""


def write_sample(folder: Path, *, replaced: str = "", by: str = "") -> Path:
    """Write the sample, with one piece of it replaced, and return its main file."""
    texts = {"main.bicep": MAIN, "modules/store.bicep": STORE}
    if replaced:
        assert sum(text.count(replaced) for text in texts.values()) == 1, f"not exactly once in the sample: {replaced}"
    (folder / "modules").mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text.replace(replaced, by) if replaced else text)
    return folder / "main.bicep"
