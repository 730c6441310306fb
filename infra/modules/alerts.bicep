// Rules that watch the metrics, and who is told. They ask Application Insights by the classic names of its tables.
// Windows overlap: metrics arrive some minutes late, and what comes after the only window that holds it is never seen.

@description('What the names of the rules and of the group begin with.')
param namePrefix string

@description('Where the rules are.')
param location string

@description('Tags of the resources.')
param tags object

@description('Application Insights.')
param insightsId string

@description('Who is told by e-mail; nobody: the rules fire all the same, and show in the portal.')
param emails array

var rules = [
  {
    name: 'errors'
    title: 'Tollgate: errors'
    description: 'More than 5 % of the calls of the last 15 minutes ended with a status of 500 or more.'
    severity: 1
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 5
    measure: 'percent'
    dimension: ''
    query: '''
      customMetrics
      | where name == 'tollgate.calls'
      | extend status = toint(customDimensions['http.response.status_code'])
      | summarize calls = sum(valueSum), errors = sumif(valueSum, status >= 500)
      | where calls >= 20
      | project percent = 100.0 * errors / calls
      '''
  }
  {
    name: 'quota'
    title: 'Tollgate: quota used up'
    description: 'Calls of this tenant were refused because its quota is used up.'
    severity: 3
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
    measure: 'refusals'
    dimension: 'tenant'
    query: '''
      customMetrics
      | where name == 'tollgate.refusals' and tostring(customDimensions['error.type']) == 'QuotaExceeded'
      | summarize refusals = sum(valueSum) by tenant = tostring(customDimensions['tollgate.tenant'])
      '''
  }
  {
    name: 'pool'
    title: 'Tollgate: pool nearly full'
    description: 'This pool holds 90 % of the sessions that it can, or more.'
    severity: 2
    window: 'PT15M'
    operator: 'GreaterThanOrEqual'
    threshold: 90
    measure: 'percent'
    dimension: 'pool'
    query: '''
      customMetrics
      | where name in ('tollgate.pool.sessions', 'tollgate.pool.sessions.limit')
      | summarize sessions = maxif(value, name == 'tollgate.pool.sessions'),
          most = maxif(value, name == 'tollgate.pool.sessions.limit')
          by pool = tostring(customDimensions['tollgate.pool'])
      | where most > 0
      | project pool, percent = 100.0 * sessions / most
      '''
  }
  {
    name: 'ledger'
    title: 'Tollgate: ledger unavailable'
    description: 'The ledger gave up commits, and the calls that waited for them were answered with 503.'
    severity: 1
    window: 'PT15M'
    operator: 'GreaterThan'
    threshold: 0
    measure: 'failures'
    dimension: ''
    query: '''
      customMetrics
      | where name == 'tollgate.ledger.failures'
      | summarize failures = sum(valueSum)
      '''
  }
  {
    name: 'deliveries'
    title: 'Tollgate: alerts not delivered'
    description: 'A webhook did not take alerts several times within an hour, or one was given up.'
    severity: 3
    window: 'PT1H'
    operator: 'GreaterThan'
    threshold: 2
    measure: 'failures'
    dimension: ''
    query: '''
      customMetrics
      | where name == 'tollgate.alerts.deliveries'
      | extend outcome = tostring(customDimensions['tollgate.outcome'])
      | summarize failures = sumif(valueSum, outcome == 'failed') + 3 * sumif(valueSum, outcome == 'given_up')
      '''
  }
]

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(emails)) {
  name: '${namePrefix}-operators'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'tollgate'
    emailReceivers: [for email in emails: { name: email, emailAddress: email, useCommonAlertSchema: true }]
  }
}

resource queryRules 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for rule in rules: {
  name: '${namePrefix}-${rule.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: rule.title
    description: rule.description
    severity: rule.severity
    enabled: true
    scopes: [insightsId]
    evaluationFrequency: 'PT5M'
    windowSize: rule.window
    autoMitigate: true
    // The tables come into being with the first telemetry, after the rules.
    skipQueryValidation: true
    criteria: {
      allOf: [
        {
          query: rule.query
          metricMeasureColumn: rule.measure
          timeAggregation: 'Maximum'
          operator: rule.operator
          threshold: rule.threshold
          dimensions: empty(rule.dimension) ? [] : [{ name: rule.dimension, operator: 'Include', values: ['*'] }]
          failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
        }
      ]
    }
    actions: { actionGroups: empty(emails) ? [] : [group!.id] }
  }
}]
