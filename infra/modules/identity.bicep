// An identity of its own, so that it holds its roles before anything runs under it.

@description('What it is called.')
param name string

@description('Where it is.')
param location string

@description('Tags of the resource.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('Its resource id.')
output id string = identity.id

@description('Who it is to role assignments.')
output principalId string = identity.properties.principalId

@description('Who it is to programs that ask for its token.')
output clientId string = identity.properties.clientId
