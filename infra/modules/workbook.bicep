// The workbook beside Application Insights (under Workbooks): calls, money, ledger, pools, alerts.

@description('Where it is.')
param location string

@description('Tags of the resource.')
param tags object

@description('Application Insights, which it asks.')
param insightsId string

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(insightsId, 'tollgate')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Tollgate'
    category: 'workbook'
    sourceId: insightsId
    version: '1.0'
    serializedData: replace(loadTextContent('workbook.json'), '<application insights>', insightsId)
  }
}

@description('Its resource id.')
output id string = workbook.id
