// The storage account: the ledger, tenants and keys in tables; the host's leases and the deployed package in blobs.
// Nobody has a key to it: every access is by identity and role.

@description('What the account is called: 3 to 24 lower-case letters and digits, one of its name in the world.')
param name string

@description('Where it is.')
param location string

@description('Tags of the resource.')
param tags object

@description('How many copies there are, and where: LRS, ZRS, GRS or GZRS.')
param redundancy string

@description('Whether it is closed to all but private endpoints and the addresses below.')
param privateNetwork bool

@description('Public IPv4 addresses or ranges that reach it nevertheless.')
param operatorIpAddresses array

@description('Whether a lock keeps the account from being deleted.')
param locked bool

var tables = ['TollgateLedger', 'TollgateTenants', 'TollgateKeys']

resource account 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_${redundancy}' }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    isLocalUserEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: privateNetwork && empty(operatorIpAddresses) ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
      ipRules: [for address in operatorIpAddresses: { action: 'Allow', value: address }]
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: { enabled: true, days: 7 }
    containerDeleteRetentionPolicy: { enabled: true, days: 7 }
  }
}

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = {
  parent: blobs
  name: 'deployments'
  properties: { publicAccess: 'None' }
}

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2025-01-01' = {
  parent: account
  name: 'default'
}

resource tollgateTables 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-01-01' = [for table in tables: {
  parent: tableService
  name: table
}]

// The ledger is money, and tables have neither soft delete nor versions.
resource lock 'Microsoft.Authorization/locks@2020-05-01' = if (locked) {
  name: 'ledger'
  scope: account
  properties: {
    level: 'CanNotDelete'
    notes: 'Holds what tenants have paid for. Delete this lock only to give up the ledger.'
  }
}

@description('Its resource id.')
output id string = account.id

@description('Its name.')
output name string = account.name

@description('Where its blobs are.')
output blobEndpoint string = account.properties.primaryEndpoints.blob

@description('Where its tables are.')
output tableEndpoint string = 'https://${account.name}.table.${environment().suffixes.storage}'

@description('Where the deployed package is kept.')
output packagesUrl string = '${account.properties.primaryEndpoints.blob}${packages.name}'
