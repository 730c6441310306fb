// Where telemetry goes. Both take it from identities alone: a connection string is no credential.

@description('What the workspace is called.')
param workspaceName string

@description('What the Application Insights resource is called.')
param insightsName string

@description('Where they are.')
param location string

@description('Tags of the resources.')
param tags object

@description('How many days the workspace keeps what it is told.')
param retentionDays int

@description('How many gigabytes it takes a day; -1: without a limit.')
param dailyCapGb int

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: retentionDays
    features: {
      disableLocalAuth: true
      enableLogAccessUsingOnlyResourcePermissions: true
    }
    workspaceCapping: { dailyQuotaGb: dailyCapGb }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: insightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    IngestionMode: 'LogAnalytics'
    DisableLocalAuth: true
    DisableIpMasking: false
  }
}

@description('The resource id of the workspace.')
output workspaceId string = workspace.id

@description('What asks the workspace name it by.')
output customerId string = workspace.properties.customerId

@description('The resource id of Application Insights.')
output insightsId string = insights.id

@description('The name of Application Insights.')
output insightsName string = insights.name

@description('Where telemetry is sent. Without an identity that may publish there, it opens nothing.')
output connectionString string = insights.properties.ConnectionString
