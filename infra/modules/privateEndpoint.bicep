// A private end of a service in the virtual network, and the zone that makes the service's public name lead there.

@description('What the endpoint is called.')
param name string

@description('Where it is.')
param location string

@description('Tags of the resources.')
param tags object

@description('The virtual network.')
param networkId string

@description('The subnet that it takes an address of.')
param subnetId string

@description('The service.')
param targetId string

@description('Which part of the service: blob, table or vault.')
param group string

@description('The zone of the names of such services.')
param zoneName string

resource endpoint 'Microsoft.Network/privateEndpoints@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: { id: subnetId }
    privateLinkServiceConnections: [
      {
        name: group
        properties: { privateLinkServiceId: targetId, groupIds: [group] }
      }
    ]
  }
}

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: zoneName
  location: 'global'
  tags: tags
}

resource zoneLink 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = {
  parent: zone
  name: 'tollgate'
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: { id: networkId }
  }
}

resource records 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [{ name: group, properties: { privateDnsZoneId: zone.id } }]
  }
}
