"""What only Azure knows, as readable stand-ins of the right form: ids, endpoints, the place and time of a deployment.

They follow from the names, so that two deployments of the same resources show the same. Only newGuid() and utcNow()
differ from deployment to deployment, as in Azure: whatever shows them would not stay the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.infra.bicep.functions import Value, guid

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TENANT = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
REGION = "westeurope"
ENVIRONMENT = {
    "name": "AzureCloud",
    "resourceManager": "https://management.azure.com/",
    "authentication": {"loginEndpoint": "https://login.microsoftonline.com/"},
    "suffixes": {"storage": "core.windows.net", "keyvaultDns": ".vault.azure.net"},
}
DOTNET_DATES = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S"}
LIFECYCLE = "properties.dynamicPoolConfiguration.lifecycleConfiguration"
COOLDOWN_OF_OTHERS, SESSIONS_OF_OTHERS = 900, 60  # of a pool that was there before
STORAGE_SERVICES = ("blob", "dfs", "file", "queue", "table", "web")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is deployed: a subscription, or a resource group in it."""

    subscription: str = SUBSCRIPTION
    group: str | None = None

    @property
    def id(self) -> str:
        """The id of the subscription or the resource group."""
        return f"/subscriptions/{self.subscription}" + (f"/resourceGroups/{self.group}" if self.group else "")

    @property
    def shown(self) -> dict[str, Value]:
        """What `subscription()` or `resourceGroup()` gives."""
        if self.group is None:
            return {"id": self.id, "subscriptionId": self.subscription, "tenantId": TENANT, "displayName": "Sample"}
        return {"id": self.id, "name": self.group, "location": REGION, "tags": {}, "type": "resourceGroups"}

    @staticmethod
    def of(resource_id: str) -> "Place":
        """Where a resource is, or the place that the id itself means."""
        parts = resource_id.split("/")
        return Place(parts[2], parts[4] if len(parts) > 4 and parts[3].lower() == "resourcegroups" else None)


@dataclass(slots=True)
class Occasion:
    """When a deployment takes place, and which of several it is."""

    number: int = 1
    made: int = 0  # how many GUIDs so far

    @property
    def now(self) -> datetime:
        """The time; a day later for each deployment."""
        return datetime(2026, 1, self.number, 12, 30, tzinfo=UTC)

    def new_guid(self) -> str:
        """Make a GUID that no other call makes."""
        self.made += 1
        return guid(f"deployment {self.number}", f"call {self.made}")

    def utc_now(self, pattern: str = "yyyyMMddTHHmmssZ") -> str:
        """Tell the time in a pattern of .NET's."""
        for dotnet, python in DOTNET_DATES.items():
            pattern = pattern.replace(dotnet, python)
        return self.now.strftime(pattern)


@dataclass(frozen=True, slots=True)
class Subject:
    """The resource of which something is asked."""

    id: str
    name: str
    location: str

    @property
    def parent(self) -> str:
        """The name of the resource above."""
        return self.id.split("/")[-3]


def known_to_azure(kind: str, path: tuple[str, ...], subject: Subject) -> Value:
    """The stand-in for a property that Azure sets."""
    known = FORMS.get((kind.lower(), ".".join(path)))
    if known is not None:
        return known(subject)
    if path[-1] in ("principalId", "clientId", "tenantId", "customerId", "AppId", "InstrumentationKey"):
        return TENANT if path[-1] == "tenantId" else guid(subject.id, path[-1])
    return f"<{kind}/{subject.name}: {'.'.join(path)}>"


def _pool_endpoint(pool: Subject) -> str:
    place = Place.of(pool.id)
    return f"https://{pool.location}.dynamicsessions.io{place.id}/sessionPools/{pool.name}"


def _connection_string(component: Subject) -> str:
    ingestion = f"https://{component.location}-1.in.applicationinsights.azure.com/"
    return f"InstrumentationKey={guid(component.id, 'InstrumentationKey')};IngestionEndpoint={ingestion}"


def _storage_endpoint(service: str) -> Callable[[Subject], Value]:
    return lambda account: f"https://{account.name}.{service}.core.windows.net/"


FORMS: dict[tuple[str, str], Callable[[Subject], Value]] = {
    ("microsoft.app/sessionpools", "properties.poolManagementEndpoint"): _pool_endpoint,
    ("microsoft.app/sessionpools", f"{LIFECYCLE}.cooldownPeriodInSeconds"): lambda _: COOLDOWN_OF_OTHERS,
    ("microsoft.app/sessionpools", "properties.scaleConfiguration.maxConcurrentSessions"): lambda _: SESSIONS_OF_OTHERS,
    ("microsoft.insights/components", "properties.ConnectionString"): _connection_string,
    ("microsoft.keyvault/vaults", "properties.vaultUri"): lambda vault: f"https://{vault.name}.vault.azure.net/",
    ("microsoft.keyvault/vaults/secrets", "properties.secretUri"): lambda secret: (
        f"https://{secret.parent}.vault.azure.net/secrets/{secret.name}"
    ),
    ("microsoft.web/sites", "properties.defaultHostName"): lambda site: f"{site.name}.azurewebsites.net",
} | {
    ("microsoft.storage/storageaccounts", f"properties.primaryEndpoints.{service}"): _storage_endpoint(service)
    for service in STORAGE_SERVICES
}
