// The plan and the function app. The app is one identity, and what it must know is in its settings.

@description('What the plan is called.')
param planName string

@description('What the app is called; its address begins with it.')
param name string

@description('Where they are.')
param location string

@description('Tags of the resources.')
param tags object

@description('The resource id of the identity that the app is.')
param identityId string

@description('The client id of that identity.')
param identityClientId string

@description('Memory of an instance.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int

@description('How many instances there are at most.')
param maximumInstances int

@description('How many calls an instance takes at a time.')
param perInstanceConcurrency int

@description('How many instances wait for calls, and are paid for, when there are none.')
param alwaysReadyInstances int

@description('Whether instances are spread over the zones of the region.')
param zoneRedundant bool

@description('The subnet that the app goes out through; empty: none.')
param subnetId string

@description('The storage account.')
param storageName string

@description('Where its blobs are.')
param blobEndpoint string

@description('Where its tables are.')
param tableEndpoint string

@description('Where the deployed package is kept.')
param packagesUrl string

@description('Where telemetry goes.')
param telemetryConnectionString string

@description('How many traces a second go out at most.')
param tracesPerSecond string

@description('Where the key of the session names is in the vault.')
param namespaceSecretUri string

@description('Where the key of the ledger is in the vault.')
param ledgerSecretUri string

@description('The other settings of Tollgate, by their names.')
param settings object

var ownSettings = {
  // The host can trip over the addresses alone when it starts; the account's name keeps it from that.
  AzureWebJobsStorage__accountName: storageName
  AzureWebJobsStorage__blobServiceUri: blobEndpoint
  AzureWebJobsStorage__tableServiceUri: tableEndpoint
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsDisableHomepage: 'true'
  AZURE_CLIENT_ID: identityClientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: telemetryConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'Authorization=AAD;ClientId=${identityClientId}'
  PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY: 'true'
  // Tollgate makes its own spans; those of the libraries would only repeat them.
  OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: 'azure_sdk,django,fastapi,flask,httpx,psycopg2,requests,urllib,urllib3'
  OTEL_SERVICE_NAME: 'tollgate'
  OTEL_TRACES_SAMPLER: 'microsoft.rate_limited'
  OTEL_TRACES_SAMPLER_ARG: tracesPerSecond
  TOLLGATE_STORAGE: tableEndpoint
  TOLLGATE_POOL_AUTH: 'entra'
  TOLLGATE_NAMESPACE_SECRET: '@Microsoft.KeyVault(SecretUri=${namespaceSecretUri})'
  TOLLGATE_LEDGER_SECRET: '@Microsoft.KeyVault(SecretUri=${ledgerSecretUri})'
}

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'tollgate' })
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identityId}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    // The app has no identity but this one, and references to the vault are read with the system's unless told.
    keyVaultReferenceIdentity: identityId
    // All outbound traffic of Flex Consumption goes this way: there is nothing more to route.
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packagesUrl
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identityId }
        }
      }
      runtime: { name: 'python', version: '3.13' }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstances
        alwaysReady: alwaysReadyInstances > 0 ? [{ name: 'http', instanceCount: alwaysReadyInstances }] : []
        // Left out, it is 1 for Python: an instance for each call that is under way.
        triggers: { http: { perInstanceConcurrency: perInstanceConcurrency } }
      }
    }
    // Without healthCheckPath: the platform's health check is not there on Flex Consumption.
    siteConfig: {
      ftpsState: 'Disabled'
      http20Enabled: true
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      appSettings: [for setting in items(union(ownSettings, settings)): { name: setting.key, value: setting.value }]
    }
  }
}

resource ftpPasswords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'ftp'
  properties: { allow: false }
}

resource scmPasswords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-11-01' = {
  parent: app
  name: 'scm'
  properties: { allow: false }
}

@description('Its name.')
output name string = app.name

@description('Its address.')
output url string = 'https://${app.properties.defaultHostName}'
