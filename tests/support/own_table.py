"""A table service whose tables no other test uses, so that what spans partitions can be tested beside others."""

from dataclasses import dataclass, field
from typing import cast
from uuid import uuid4

from azure.data.tables.aio import TableClient, TableServiceClient


@dataclass(frozen=True, slots=True)
class OwnTables:
    """Leads to tables of other names in the same storage; none of them exists at first."""

    service: TableServiceClient
    suffix: str = field(default_factory=lambda: uuid4().hex[:12])

    def get_table_client(self, table_name: str) -> TableClient:
        """See `TableServiceClient.get_table_client`."""
        return self.service.get_table_client(f"{table_name}{self.suffix}")

    def as_service(self) -> TableServiceClient:
        """Pass for the service: stores use no more of it than this."""
        return cast("TableServiceClient", self)
