// The virtual network: a subnet that the app goes out through, and one with the private ends of storage and vault.

@description('What the names of the resources end with.')
param token string

@description('Where it is.')
param location string

@description('Tags of the resource.')
param tags object

@description('The storage account.')
param storageId string

@description('The vault.')
param vaultId string

var services = [
  { group: 'blob', target: storageId, zone: 'privatelink.blob.${environment().suffixes.storage}' }
  { group: 'table', target: storageId, zone: 'privatelink.table.${environment().suffixes.storage}' }
  { group: 'vault', target: vaultId, zone: 'privatelink.vaultcore.azure.net' }
]

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: 'vnet-${token}'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['10.42.0.0/23'] }
    // Both subnets stand here: as resources of their own, a second deployment would take them away and fail.
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: '10.42.0.0/24'
          // Flex Consumption; the other plans have Microsoft.Web/serverFarms.
          delegations: [{ name: 'app', properties: { serviceName: 'Microsoft.App/environments' } }]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: '10.42.1.0/26'
          privateEndpointNetworkPolicies: 'Disabled'
        }
      }
    ]
  }
}

module endpoints 'privateEndpoint.bicep' = [for service in services: {
  name: 'private-${service.group}'
  params: {
    name: 'pep-${service.group}-${token}'
    location: location
    tags: tags
    networkId: network.id
    subnetId: '${network.id}/subnets/endpoints'
    targetId: service.target
    group: service.group
    zoneName: service.zone
  }
}]

@description('The subnet that the app goes out through.')
output appSubnetId string = '${network.id}/subnets/app'
