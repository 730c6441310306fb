// The vault with Tollgate's two secrets. They are made once: a second deployment leaves them as they are.

@description('What the vault is called: 3 to 24 letters, digits and hyphens, one of its name in the world.')
param name string

@description('Where it is.')
param location string

@description('Tags of the resource.')
param tags object

@description('Whether it is closed to all but private endpoints and the addresses below.')
param privateNetwork bool

@description('Public IPv4 addresses or ranges that reach it nevertheless.')
param operatorIpAddresses array

@description('Whether a vault of this name that was deleted, which nobody can purge, is brought back with its secrets.')
param recover bool

@description('The workspace that hears who read which secret.')
param workspaceId string

@description('Key of the session names. Written only if the vault has none.')
@secure()
param namespaceSecret string

@description('Key of the ledger, with its id. Written only if the vault has none.')
@secure()
param ledgerSecret string

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    createMode: recover ? 'recover' : 'default'
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    enablePurgeProtection: true
    softDeleteRetentionInDays: 90
    publicNetworkAccess: privateNetwork && empty(operatorIpAddresses) ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
      ipRules: [for address in operatorIpAddresses: { value: address }]
    }
  }
}

@onlyIfNotExists()
resource namespaceEntry 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: 'tollgate-namespace-secret'
  properties: {
    contentType: 'TOLLGATE_NAMESPACE_SECRET'
    value: namespaceSecret
  }
}

@onlyIfNotExists()
resource ledgerEntry 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = {
  parent: vault
  name: 'tollgate-ledger-secret'
  properties: {
    contentType: 'TOLLGATE_LEDGER_SECRET'
    value: ledgerSecret
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [{ categoryGroup: 'audit', enabled: true }]
  }
}

@description('Its resource id.')
output id string = vault.id

@description('Its name.')
output name string = vault.name

@description('Where the secret for TOLLGATE_NAMESPACE_SECRET is, in its latest version.')
output namespaceSecretUri string = '${vault.properties.vaultUri}secrets/${namespaceEntry.name}'

@description('Where the secret for TOLLGATE_LEDGER_SECRET is, in its latest version.')
output ledgerSecretUri string = '${vault.properties.vaultUri}secrets/${ledgerEntry.name}'
