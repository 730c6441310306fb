// What pools of custom containers stand on: an environment with workload profiles, without keys.

@description('What it is called.')
param name string

@description('Where it is.')
param location string

@description('Tags of the resource.')
param tags object

@description('The workspace that is told what becomes of sessions.')
param workspaceId string

// What containers print is the tenants' own, and stays out of the workspace: no AppEnvSessionConsoleLogs.
var categories = ['AppEnvSessionLifeCycleLogs', 'AppEnvSessionPoolEventLogs', 'ContainerAppSystemLogs']

resource managedEnvironment 'Microsoft.App/managedEnvironments@2025-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    // Through a diagnostic setting: the direct way takes a key of the workspace, which has none.
    appLogsConfiguration: { destination: 'azure-monitor' }
    workloadProfiles: [{ name: 'Consumption', workloadProfileType: 'Consumption' }]
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logs'
  scope: managedEnvironment
  properties: {
    workspaceId: workspaceId
    logs: [for category in categories: { category: category, enabled: true }]
  }
}

@description('Its resource id.')
output id string = managedEnvironment.id
