// A session pool.

@description('What it is called.')
param name string

@description('Where it is.')
param location string

@description('Tags of the resource.')
param tags object

@description('What its sessions run.')
@allowed(['python', 'node', 'shell', 'custom'])
param kind string

@description('How many sessions it can hold.')
param maxSessions int

@description('How many sessions it keeps ready; containers alone.')
param readySessions int

@description('How long it keeps a session after its last call, in seconds. The app counts with the same number.')
param cooldownSeconds int

@description('Whether code in a session may reach the internet.')
param egress bool

@description('The environment that containers stand on.')
param environmentId string

@description('The image of the container; for kind custom.')
param image string

@description('The port that the container listens on.')
param port int

@description('Cores of a container, in decimals.')
param cpu string

@description('Memory of a container.')
param memory string

@description('The registry that the image is pulled from by identity; empty: the image is public.')
param registryServer string

@description('Who pulls the image; not the app, and no code in a session can be it.')
param pullIdentityId string

// The published type lists PythonLTS and CustomContainer and takes any text; NodeLTS and Shell are in the documentation
// ("Use session pools") and in the command line's reference (`az containerapp sessionpool create --container-type`).
var containerTypes = { python: 'PythonLTS', node: 'NodeLTS', shell: 'Shell', custom: 'CustomContainer' }
var isCustom = kind == 'custom'
var pullsByIdentity = isCustom && !empty(registryServer)
var container = {
  containers: [{ name: 'session', image: image, resources: { cpu: json(cpu), memory: memory } }]
  ingress: { targetPort: port }
  registryCredentials: pullsByIdentity ? { server: registryServer, identity: pullIdentityId } : null
}

resource pool 'Microsoft.App/sessionPools@2025-07-01' = {
  name: name
  location: location
  tags: tags
  identity: pullsByIdentity ? { type: 'UserAssigned', userAssignedIdentities: { '${pullIdentityId}': {} } } : null
  properties: {
    poolManagementType: 'Dynamic'
    containerType: containerTypes[kind]
    environmentId: isCustom ? environmentId : null
    scaleConfiguration: {
      maxConcurrentSessions: maxSessions
      readySessionInstances: isCustom ? max(readySessions, 1) : null
    }
    dynamicPoolConfiguration: {
      lifecycleConfiguration: {
        lifecycleType: 'Timed'
        cooldownPeriodInSeconds: cooldownSeconds
      }
    }
    sessionNetworkConfiguration: { status: egress ? 'EgressEnabled' : 'EgressDisabled' }
    customContainerTemplate: isCustom ? container : null
    managedIdentitySettings: pullsByIdentity ? [{ identity: pullIdentityId, lifecycle: 'None' }] : null
  }
}

@description('Its name.')
output name string = pool.name
