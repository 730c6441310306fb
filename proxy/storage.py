"""Opens Table Storage for the ledger and the directory."""

from azure.data.tables.aio import TableServiceClient
from azure.identity.aio import DefaultAzureCredential

CONNECT_SECONDS = 2
ANSWER_SECONDS = 3


def open_tables(storage: str) -> TableServiceClient:
    """Open a table service, by its endpoint URL (with Entra) or by a connection string; the caller closes it.

    The client never retries by itself: the ledger decides what a lost answer means, the directory has its own rules.

    Raises:
        ValueError: if the text is neither; the message does not repeat it.
    """
    if storage.startswith("https://"):
        return TableServiceClient(
            endpoint=storage,
            credential=DefaultAzureCredential(),
            retry_total=0,
            connection_timeout=CONNECT_SECONDS,
            read_timeout=ANSWER_SECONDS,
        )
    try:
        return TableServiceClient.from_connection_string(
            storage, retry_total=0, connection_timeout=CONNECT_SECONDS, read_timeout=ANSWER_SECONDS
        )
    except ValueError:
        raise ValueError("TOLLGATE_STORAGE is neither an https:// endpoint nor a connection string") from None
