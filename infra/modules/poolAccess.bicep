// Lets the app use a session pool, which may be in another resource group, and tells what the app must know of it.

@description('What the pool is called.')
param name string

@description('Who uses it.')
param principalId string

// Runs code and calls everything below the pool's endpoint, listing and ending sessions included; it cannot change the
// pool. The article on code interpreters asks for Contributor besides, that on the use of sessions does not.
var sessionExecutorRoleId = '0fb8eba5-a2bb-4abe-b1c1-49dfad359bb0'

resource pool 'Microsoft.App/sessionPools@2025-07-01' existing = {
  name: name
}

resource using 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(pool.id, principalId, sessionExecutorRoleId)
  scope: pool
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', sessionExecutorRoleId)
  }
}

@description('Where sessions are asked for.')
output endpoint string = pool.properties.poolManagementEndpoint

@description('How many sessions the pool can hold, as text.')
output maxSessions string = string(pool.properties.scaleConfiguration.maxConcurrentSessions)

var lifecycle = pool.properties.dynamicPoolConfiguration.lifecycleConfiguration

@description('How long the pool keeps a session after its last call, in seconds, as text.')
output cooldownSeconds string = string(lifecycle.cooldownPeriodInSeconds)
