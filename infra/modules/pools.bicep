// The session pools, what custom ones stand on, and the app's way into each.

@description('What the names of the resources end with.')
param token string

@description('Where they are.')
param location string

@description('Tags of the resources.')
param tags object

@description('Who uses the pools: the identity of the app.')
param appPrincipalId string

@description('The workspace that is told what becomes of sessions of custom containers.')
param workspaceId string

@description('How long pools keep a session after its last call, in seconds.')
param cooldownSeconds int

@description('The pool `default`: kind, count, maxSessions, readySessions, egress, image, port, cpu, memory.')
param defaultPool object

@description('The others: name, kind, and what else differs from the defaults.')
param furtherPools array

@description('A session pool that exists, in place of the pool `default`; empty: it is made.')
param existingPoolId string

@description('An environment for custom pools; empty: one is made if there are any.')
param environmentId string

@description('The registry that their images are pulled from by identity; empty: images are public.')
param registryId string

var isNew = empty(existingPoolId)
var customPools = filter(furtherPools, pool => pool.kind == 'custom')
var hasCustomPool = (isNew && defaultPool.kind == 'custom') || !empty(customPools)
var makesEnvironment = hasCustomPool && empty(environmentId)
var pullsByIdentity = hasCustomPool && !empty(registryId)

module newEnvironment 'environment.bicep' = if (makesEnvironment) {
  name: 'container-environment'
  params: { name: 'cae-${token}', location: location, tags: tags, workspaceId: workspaceId }
}

// Not the app's: a pool has the identity that pulls its image, and must not be able to act as the app.
module pullIdentity 'identity.bicep' = if (pullsByIdentity) {
  name: 'pull-identity'
  params: { name: 'id-pull-${token}', location: location, tags: tags }
}

// The parts of an id. Where none is given they are those of this group, for modules that are not deployed then.
var registryParts = split(pullsByIdentity ? registryId : '${resourceGroup().id}/providers/none/registries/none', '/')
var poolParts = split(isNew ? '${resourceGroup().id}/providers/none/sessionPools/none' : existingPoolId, '/')

module registryAccess 'registryAccess.bicep' = if (pullsByIdentity) {
  name: 'registry-access-${token}'
  scope: resourceGroup(registryParts[2], registryParts[4])
  params: { name: registryParts[8], principalId: pullsByIdentity ? pullIdentity!.outputs.principalId : '' }
}

var numbers = range(0, isNew ? defaultPool.count : 0)
var newNames = map(numbers, number => number == 0 ? 'sp-${token}' : 'sp${number + 1}-${token}')
var names = isNew ? newNames : [poolParts[8]]

module newPools 'pool.bicep' = [for name in newNames: {
  name: name
  params: {
    name: name
    location: location
    tags: tags
    kind: defaultPool.kind
    maxSessions: defaultPool.maxSessions
    readySessions: defaultPool.readySessions
    cooldownSeconds: cooldownSeconds
    egress: defaultPool.egress
    image: defaultPool.image
    port: defaultPool.port
    cpu: defaultPool.cpu
    memory: defaultPool.memory
    environmentId: makesEnvironment ? newEnvironment!.outputs.id : environmentId
    registryServer: pullsByIdentity ? registryAccess!.outputs.server : ''
    pullIdentityId: pullsByIdentity ? pullIdentity!.outputs.id : ''
  }
}]

module otherPools 'pool.bicep' = [for pool in furtherPools: {
  name: 'sp-${token}-${pool.name}'
  params: {
    name: 'sp-${token}-${pool.name}'
    location: location
    tags: tags
    kind: pool.kind
    maxSessions: pool.maxSessions
    readySessions: pool.?readySessions ?? 0
    cooldownSeconds: cooldownSeconds
    egress: pool.?egress ?? false
    image: pool.?image ?? ''
    port: pool.?port ?? defaultPool.port
    cpu: pool.?cpu ?? defaultPool.cpu
    memory: pool.?memory ?? defaultPool.memory
    environmentId: makesEnvironment ? newEnvironment!.outputs.id : environmentId
    registryServer: pullsByIdentity ? registryAccess!.outputs.server : ''
    pullIdentityId: pullsByIdentity ? pullIdentity!.outputs.id : ''
  }
}]

module access 'poolAccess.bicep' = [for name in names: {
  name: 'access-${name}'
  scope: resourceGroup(poolParts[2], poolParts[4])
  params: { name: name, principalId: appPrincipalId }
  dependsOn: [newPools]
}]

module otherAccess 'poolAccess.bicep' = [for (pool, index) in furtherPools: {
  name: 'access-to-${pool.name}'
  params: { name: otherPools[index].outputs.name, principalId: appPrincipalId }
}]

@description('The management endpoints of the pool `default`.')
output endpoints array = [for (name, index) in names: access[index].outputs.endpoint]

@description('How many sessions they can hold together, as text: of a pool that exists, what it says itself.')
output maxSessions string = isNew ? string(defaultPool.maxSessions * defaultPool.count) : access[0].outputs.maxSessions

@description('The cooldown of all pools, as text: of a pool that exists, its own, with which the app must count.')
output cooldown string = isNew ? string(cooldownSeconds) : access[0].outputs.cooldownSeconds

@description('The others: name, kind, endpoint, maxSessions.')
output others array = [for (pool, index) in furtherPools: {
  name: pool.name
  kind: pool.kind
  endpoint: otherAccess[index].outputs.endpoint
  maxSessions: pool.maxSessions
}]
