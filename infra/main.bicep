// Tollgate in a resource group of its own: README.md beside this file says what it consists of.
targetScope = 'subscription'

@description('Name of the deployment; the names of all resources follow from it, the subscription and the location.')
@minLength(1)
@maxLength(20)
param environmentName string

@description('The region of all resources.')
@metadata({ azd: { type: 'location' } })
@minLength(1)
param location string

@description('Object id of whoever deploys, who may then write tables, to make the first key; empty: nobody.')
param principalId string = ''

@description('What kind of principal that is.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param principalType string = 'User'

@description('The resource group, which is made; empty: rg-<environmentName>.')
@maxLength(90)
param resourceGroupName string = ''

@description('Tags for all resources.')
param tags object = {}

// The app

@description('Memory of an instance.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('How many instances there are at most.')
@minValue(1)
@maxValue(1000)
param maximumInstances int = 100

@description('How many calls an instance takes at a time before another one is started.')
@minValue(1)
@maxValue(1000)
param perInstanceConcurrency int = 32

@description('How many instances wait for calls, and are paid for, when there are none.')
@minValue(0)
@maxValue(1000)
param alwaysReadyInstances int = 0

@description('Whether the app and the storage outlive a zone of the region; not every region has zones.')
param zoneRedundant bool = false

@description('Copies of the storage; empty: ZRS if zoneRedundant, otherwise LRS.')
@allowed(['', 'LRS', 'ZRS', 'GRS', 'GZRS'])
param storageRedundancy string = ''

@description('Whether a lock keeps the storage account, and with it the ledger, from being deleted.')
param lockStorage bool = true

@description('Whether a vault that was deleted under the same name is brought back; for one deployment, then false.')
param recoverVault bool = false

// The session pools

@description('What the sessions of the pool `default` run.')
@allowed(['python', 'node', 'shell', 'custom'])
param poolKind string = 'python'

@description('How many session pools stand behind the name `default`: more sessions than one can hold.')
@minValue(1)
@maxValue(20)
param poolCount int = 1

@description('How many sessions each of them can hold.')
@minValue(1)
@maxValue(600)
param poolMaxSessions int = 100

@description('How many sessions each of them keeps ready; for kind custom, where 0 means 1.')
@minValue(0)
@maxValue(600)
param poolReadySessions int = 0

@description('How long pools keep a session after its last call, in seconds. The app counts with the same number.')
@minValue(300)
@maxValue(3600)
param cooldownSeconds int = 300

@description('Whether code in the sessions of the pool `default` may reach the internet.')
param poolEgress bool = false

@description('The image of the container; for kind custom.')
param containerImage string = ''

@description('The port that the container listens on.')
@minValue(1)
@maxValue(65535)
param containerPort int = 8080

@description('Cores of a container.')
@allowed(['0.25', '0.5', '0.75', '1.0', '1.25', '1.5', '1.75', '2.0'])
param containerCpu string = '0.5'

@description('Memory of a container.')
param containerMemory string = '1Gi'

@description('Resource id of the registry that images are pulled from by identity; empty: images are public.')
param containerRegistryId string = ''

@description('Resource id of an environment with workload profiles for custom pools; empty: one is made for them.')
param containerEnvironmentId string = ''

@description('Resource id of a session pool that exists, in place of a new pool `default`; poolKind says what it runs.')
param existingPoolId string = ''

@description('More pools: [{ name, kind, maxSessions?, readySessions?, egress?, image?, port?, cpu?, memory? }].')
param additionalPools array = []

// Metering

@description('The increment in which session time is sold, in seconds. Entries count increments: keep it for good.')
@minValue(1)
param incrementSeconds int = 300

@description('How long after a call its session must be paid, in seconds; 0: active time only, -1: the cooldown.')
@minValue(-1)
param billedTailSeconds int = -1

@description('Price of a session hour for tenants without a rate of their own.')
param ratePerSessionHour string = '0.03'

@description('Currency of all prices, three capital letters.')
@minLength(3)
@maxLength(3)
param currency string = 'USD'

@description('What a session hour costs the operator.')
param poolRatePerSessionHour string = '0.03'

@description('The granularity in which the pool bills, in seconds.')
@minValue(1)
param poolBillingIncrementSeconds int = 3600

@description('Who bills, in FOCUS exports.')
@minLength(1)
@maxLength(200)
param issuer string = 'Tollgate'

@description('URL that hears of all alerts; empty: none. It is a plain setting of the app.')
param alertWebhook string = ''

// Limits

@description('Larger bodies are refused, in bytes.')
@minValue(1)
param maxBodyBytes int = 104857600

@description('Larger answers of a pool are not passed on, in bytes.')
@minValue(1024)
param maxAnswerBytes int = 134217728

@description('How long a pool may take for an answer, in seconds; the platform cuts a call off at 230.')
@minValue(1)
@maxValue(229)
param poolTimeoutSeconds int = 225

// Telemetry

@description('How many traces a second go out at most.')
@minValue(1)
param tracesPerSecond int = 5

@description('How many days logs and metrics are kept.')
@minValue(30)
@maxValue(730)
param logRetentionDays int = 90

@description('How many gigabytes of telemetry are taken a day, after which alert rules are blind; -1: without a limit.')
@minValue(-1)
param logDailyCapGb int = 5

@description('Who is told by e-mail when an alert rule fires.')
param alertEmails array = []

// The network

@description('Whether storage and vault are closed to the internet, and reached through a virtual network.')
param privateNetwork bool = false

@description('Public IPv4 addresses or ranges that reach storage and vault nevertheless; only with privateNetwork.')
param operatorIpAddresses array = []

// Made up at the first deployment; a vault that has its secrets keeps them.

@description('Key of the session names.')
@secure()
param namespaceSecret string = '${newGuid()}${newGuid()}'

@description('Key of the ledger, with its id.')
@secure()
param ledgerSecret string = 'k${utcNow('yyyyMMdd')}:${newGuid()}${newGuid()}'

// Contradictions end the deployment before anything is made.

var redundancy = empty(storageRedundancy) ? (zoneRedundant ? 'ZRS' : 'LRS') : storageRedundancy
var hasExistingPool = !empty(existingPoolId)
var isMadeToMeasure = poolCount != 1 || poolMaxSessions != 100 || cooldownSeconds != 300 || poolEgress
var hasCustomPool = (poolKind == 'custom' && !hasExistingPool) || !empty(customPools)
var poolNames = map(additionalPools, pool => pool.?name ?? '')
var unfitNames = filter(poolNames, it => empty(it) || length(it) > 40 || startsWith(it, '-') || endsWith(it, '-'))
var poolSizes = map(additionalPools, pool => pool.?maxSessions ?? 100)
var customPools = filter(additionalPools, pool => pool.?kind == 'custom')
var plainPools = filter(additionalPools, pool => pool.?kind != 'custom')
var plainParts = ['name', 'kind', 'maxSessions', 'egress']
var customParts = concat(plainParts, ['readySessions', 'image', 'port', 'cpu', 'memory'])
var strayParts = flatten(map(additionalPools, pool => filter(objectKeys(pool), key => !contains(customParts, key))))
var unfitParts = flatten(map(plainPools, pool => filter(objectKeys(pool), key => !contains(plainParts, key))))
var cores = ['0.25', '0.5', '0.75', '1.0', '1.25', '1.5', '1.75', '2.0']
var memories = concat([containerMemory], map(customPools, pool => string(pool.?memory ?? containerMemory)))

// What is left of a text when it is split at every character that it may have: nothing, if it is sound.
var digits = split('0 1 2 3 4 5 6 7 8 9', ' ')
var letters = split('a b c d e f g h i j k l m n o p q r s t u v w x y z', ' ')
var strangeNames = filter(poolNames, name => !empty(join(split(name, concat(digits, letters, ['-'])), '')))
var strangeInCurrency = join(split(toLower(currency), letters), '')
var strangeAddresses = filter(operatorIpAddresses, it => !empty(join(split(it, concat(digits, ['.', '/'])), '')))
var strangeMemories = filter(memories, it => !contains(['Gi', '.Gi'], join(split(it, digits), '')))
var rateMarks = join(split(ratePerSessionHour, digits), '')
var poolRateMarks = join(split(poolRatePerSessionHour, digits), '')
var poolIdParts = split(toLower(existingPoolId), '/')
var registryIdParts = split(toLower(containerRegistryId), '/')

var rules = [
  {
    broken: alwaysReadyInstances > maximumInstances
    says: 'alwaysReadyInstances: more instances than maximumInstances allows'
  }
  {
    broken: zoneRedundant && alwaysReadyInstances == 1
    says: 'alwaysReadyInstances: with zoneRedundant, take 0, or 2 and more'
  }
  {
    broken: zoneRedundant && !contains(['ZRS', 'GZRS'], redundancy)
    says: 'storageRedundancy: with zoneRedundant, take ZRS or GZRS'
  }
  {
    broken: poolKind == 'custom' && empty(containerImage) && !hasExistingPool
    says: 'containerImage: a pool of kind custom needs an image'
  }
  {
    broken: hasExistingPool && !empty(containerImage)
    says: 'existingPoolId: a pool that exists has its image; leave containerImage out'
  }
  {
    broken: poolKind != 'custom' && !empty(containerImage)
    says: 'containerImage: only a pool of kind custom has an image; set poolKind'
  }
  {
    broken: hasExistingPool && isMadeToMeasure
    says: 'existingPoolId: a pool that exists has its own size, cooldown and egress; leave those of new ones out'
  }
  {
    broken: hasExistingPool && (length(poolIdParts) != 9 || !contains(poolIdParts, 'sessionpools'))
    says: 'existingPoolId: write /subscriptions/…/providers/Microsoft.App/sessionPools/<name>'
  }
  {
    broken: hasExistingPool && !empty(additionalPools)
    says: 'additionalPools: all pools have one cooldown, and that of existingPoolId is its own; leave one out'
  }
  {
    broken: poolReadySessions > 0 && (poolKind != 'custom' || hasExistingPool)
    says: 'poolReadySessions: only a new pool of kind custom keeps as many sessions ready as it is told'
  }
  {
    broken: poolReadySessions > poolMaxSessions
    says: 'poolReadySessions: more sessions than poolMaxSessions allows'
  }
  {
    broken: !empty(containerRegistryId) && !hasCustomPool
    says: 'containerRegistryId: only a pool of kind custom has an image to pull'
  }
  {
    broken: !empty(containerRegistryId) && (length(registryIdParts) != 9 || !contains(registryIdParts, 'registries'))
    says: 'containerRegistryId: write /subscriptions/…/providers/Microsoft.ContainerRegistry/registries/<name>'
  }
  {
    broken: !empty(containerEnvironmentId) && !hasCustomPool
    says: 'containerEnvironmentId: only a pool of kind custom stands on an environment'
  }
  {
    broken: !empty(strangeNames) || !empty(unfitNames)
    says: 'additionalPools: name pools with 1 to 40 lower-case letters, digits and inner hyphens'
  }
  {
    broken: contains(poolNames, 'default')
    says: 'additionalPools: default is the name of the first pool; take another one'
  }
  {
    broken: length(union(poolNames, [])) != length(poolNames)
    says: 'additionalPools: two pools have the same name'
  }
  {
    broken: !empty(filter(plainPools, pool => !contains(['python', 'node', 'shell'], pool.?kind ?? '')))
    says: 'additionalPools: a kind is python, node, shell or custom'
  }
  {
    broken: !empty(filter(poolSizes, size => size < 1 || size > 600))
    says: 'additionalPools: maxSessions is 1 to 600'
  }
  {
    broken: !empty(filter(customPools, pool => empty(pool.?image ?? '')))
    says: 'additionalPools: a pool of kind custom needs an image'
  }
  {
    broken: !empty(strayParts)
    says: 'additionalPools: a pool has name, kind, maxSessions, egress, readySessions, image, port, cpu and memory'
  }
  {
    broken: !empty(unfitParts)
    says: 'additionalPools: only pools of kind custom have readySessions, image, port, cpu and memory'
  }
  {
    broken: !empty(filter(customPools, pool => (pool.?readySessions ?? 0) < 0))
    says: 'additionalPools: readySessions is 0 or more'
  }
  {
    broken: !empty(filter(customPools, pool => (pool.?readySessions ?? 0) > (pool.?maxSessions ?? 100)))
    says: 'additionalPools: more readySessions than maxSessions'
  }
  {
    broken: !empty(filter(customPools, pool => (pool.?port ?? 1) < 1 || (pool.?port ?? 1) > 65535))
    says: 'additionalPools: port is 1 to 65535'
  }
  {
    broken: !empty(filter(customPools, pool => !contains(cores, pool.?cpu ?? '1.0')))
    says: 'additionalPools: write cpu as 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75 or 2.0, in quotes'
  }
  {
    broken: !empty(strangeMemories) || !empty(filter(memories, size => !contains(digits, take(size, 1))))
    says: 'containerMemory: write gibibytes like 1Gi or 0.5Gi; so does memory in additionalPools'
  }
  {
    broken: !privateNetwork && !empty(operatorIpAddresses)
    says: 'operatorIpAddresses: without privateNetwork, storage and vault are open to all addresses'
  }
  {
    broken: !empty(strangeAddresses) || !empty(filter(operatorIpAddresses, address => length(split(address, '.')) != 4))
    says: 'operatorIpAddresses: write public IPv4 addresses, or ranges like 203.0.113.0/28'
  }
  {
    broken: !empty(filter(operatorIpAddresses, address => endsWith(address, '/31') || endsWith(address, '/32')))
    says: 'operatorIpAddresses: the storage takes no /31 and no /32; write the addresses by themselves'
  }
  {
    broken: !contains(['', '.'], rateMarks) || contains(['', '.'], ratePerSessionHour)
    says: 'ratePerSessionHour: write a decimal like 0.03'
  }
  {
    broken: !contains(['', '.'], poolRateMarks) || contains(['', '.'], poolRatePerSessionHour)
    says: 'poolRatePerSessionHour: write a decimal like 0.03'
  }
  {
    broken: !empty(strangeInCurrency) || currency != toUpper(currency)
    says: 'currency: write three capital letters'
  }
  {
    broken: !empty(alertWebhook) && !startsWith(alertWebhook, 'https://')
    says: 'alertWebhook: write a URL that begins with https://'
  }
  {
    broken: !empty(filter(alertEmails, email => !contains(email, '@')))
    says: 'alertEmails: write addresses like someone@example.com'
  }
  {
    broken: logDailyCapGb == 0
    says: 'logDailyCapGb: write a number of gigabytes, or -1 for no limit'
  }
]
var broken = filter(rules, rule => rule.broken)

// In the name of the group, without which nothing is made.
var stop = empty(broken) ? '' : fail(broken[0].says)
var groupName = '${empty(resourceGroupName) ? 'rg-${environmentName}' : resourceGroupName}${stop}'
var token = toLower(uniqueString(subscription().id, environmentName, location))
var allTags = union(tags, { 'azd-env-name': environmentName })

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: groupName
  location: location
  tags: allTags
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: { name: 'id-${token}', location: location, tags: allTags }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    workspaceName: 'log-${token}'
    insightsName: 'appi-${token}'
    location: location
    tags: allTags
    retentionDays: logRetentionDays
    dailyCapGb: logDailyCapGb
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    name: 'st${token}'
    location: location
    tags: allTags
    redundancy: redundancy
    privateNetwork: privateNetwork
    operatorIpAddresses: operatorIpAddresses
    locked: lockStorage
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: 'kv-${token}'
    location: location
    tags: allTags
    privateNetwork: privateNetwork
    operatorIpAddresses: operatorIpAddresses
    recover: recoverVault
    workspaceId: monitoring.outputs.workspaceId
    namespaceSecret: namespaceSecret
    ledgerSecret: ledgerSecret
  }
}

module access 'modules/access.bicep' = {
  name: 'access'
  scope: group
  params: {
    storageName: storage.outputs.name
    vaultName: vault.outputs.name
    insightsName: monitoring.outputs.insightsName
    appPrincipalId: identity.outputs.principalId
    deployerPrincipalId: principalId
    deployerPrincipalType: principalType
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  name: 'network'
  scope: group
  params: {
    token: token
    location: location
    tags: allTags
    storageId: storage.outputs.id
    vaultId: vault.outputs.id
  }
}

module pools 'modules/pools.bicep' = {
  name: 'pools'
  scope: group
  params: {
    token: token
    location: location
    tags: allTags
    appPrincipalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
    cooldownSeconds: cooldownSeconds
    defaultPool: {
      kind: poolKind
      count: poolCount
      maxSessions: poolMaxSessions
      readySessions: poolReadySessions
      egress: poolEgress
      image: containerImage
      port: containerPort
      cpu: containerCpu
      memory: containerMemory
    }
    furtherPools: map(additionalPools, pool => union({ maxSessions: 100 }, pool))
    existingPoolId: existingPoolId
    environmentId: containerEnvironmentId
    registryId: containerRegistryId
  }
}

// The app comes last: it reads its secrets when it starts.

module app 'modules/app.bicep' = {
  name: 'app'
  scope: group
  params: {
    planName: 'plan-${token}'
    name: 'func-${token}'
    location: location
    tags: allTags
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    instanceMemoryMB: instanceMemoryMB
    maximumInstances: maximumInstances
    perInstanceConcurrency: perInstanceConcurrency
    alwaysReadyInstances: alwaysReadyInstances
    zoneRedundant: zoneRedundant
    subnetId: privateNetwork ? network!.outputs.appSubnetId : ''
    storageName: storage.outputs.name
    blobEndpoint: storage.outputs.blobEndpoint
    tableEndpoint: storage.outputs.tableEndpoint
    packagesUrl: storage.outputs.packagesUrl
    telemetryConnectionString: monitoring.outputs.connectionString
    tracesPerSecond: string(tracesPerSecond)
    namespaceSecretUri: vault.outputs.namespaceSecretUri
    ledgerSecretUri: vault.outputs.ledgerSecretUri
    settings: {
      TOLLGATE_INCREMENT_SECONDS: string(incrementSeconds)
      TOLLGATE_POOL_COOLDOWN_SECONDS: pools.outputs.cooldown
      TOLLGATE_BILLED_TAIL_SECONDS: billedTailSeconds < 0 ? '' : string(billedTailSeconds)
      TOLLGATE_POOL_KIND: poolKind
      TOLLGATE_POOL_ENDPOINTS: join(pools.outputs.endpoints, ',')
      TOLLGATE_POOLS: string(toObject(pools.outputs.others, pool => pool.name, pool => {
        kind: pool.kind
        endpoints: [pool.endpoint]
        max_sessions: pool.maxSessions
      }))
      TOLLGATE_POOL_MAX_SESSIONS: pools.outputs.maxSessions
      TOLLGATE_POOL_TIMEOUT_SECONDS: string(poolTimeoutSeconds)
      TOLLGATE_MAX_BODY_BYTES: string(maxBodyBytes)
      TOLLGATE_MAX_ANSWER_BYTES: string(maxAnswerBytes)
      TOLLGATE_RATE_PER_SESSION_HOUR: ratePerSessionHour
      TOLLGATE_CURRENCY: currency
      TOLLGATE_POOL_RATE_PER_SESSION_HOUR: poolRatePerSessionHour
      TOLLGATE_POOL_BILLING_INCREMENT_SECONDS: string(poolBillingIncrementSeconds)
      TOLLGATE_ISSUER: issuer
      TOLLGATE_ALERT_WEBHOOK: alertWebhook
    }
  }
  dependsOn: [access]
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: { location: location, tags: allTags, insightsId: monitoring.outputs.insightsId }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    namePrefix: 'alert-${token}'
    location: location
    tags: allTags
    insightsId: monitoring.outputs.insightsId
    emails: alertEmails
  }
}

@description('Where tenants call.')
output TOLLGATE_URL string = app.outputs.url

@description('The ledger, the tenants and the keys; for commands with --direct.')
output TOLLGATE_STORAGE string = storage.outputs.tableEndpoint

// What commands on the storage itself count with, so that it is what the app counts with.

@description('The increment in which session time is sold, in seconds.')
output TOLLGATE_INCREMENT_SECONDS string = string(incrementSeconds)

@description('Price of a session hour for tenants without a rate of their own.')
output TOLLGATE_RATE_PER_SESSION_HOUR string = ratePerSessionHour

@description('Currency of all prices.')
output TOLLGATE_CURRENCY string = currency

@description('What a session hour costs the operator.')
output TOLLGATE_POOL_RATE_PER_SESSION_HOUR string = poolRatePerSessionHour

@description('The granularity in which the pool bills, in seconds.')
output TOLLGATE_POOL_BILLING_INCREMENT_SECONDS string = string(poolBillingIncrementSeconds)

@description('Who bills, in FOCUS exports.')
output TOLLGATE_ISSUER string = issuer

@description('The management endpoints of the pool `default`, as in the setting of this name.')
output TOLLGATE_POOL_ENDPOINTS string = join(pools.outputs.endpoints, ',')

@description('The resource group.')
output AZURE_RESOURCE_GROUP string = group.name

@description('The function app, for `func azure functionapp publish`.')
output AZURE_FUNCTION_APP_NAME string = app.outputs.name

@description('The vault with the two secrets.')
output AZURE_KEY_VAULT_NAME string = vault.outputs.name

@description('The workspace, for `az monitor log-analytics query`.')
output AZURE_LOG_ANALYTICS_WORKSPACE_ID string = monitoring.outputs.customerId
