"""Stand-in for an Azure Storage account: blobs and queues, opened by Entra tokens only.

The wire is the services' own (learn.microsoft.com/rest/api/storageservices): XML bodies, headers
and error codes, held to the official clients. Shared keys and signatures in addresses are refused,
as by an account with ``allowSharedKeyAccess: false``.
"""

from hybridmandate.twin.storage.app import StorageSettings, create_app
from hybridmandate.twin.storage.store import StorageStore

__all__ = ["StorageSettings", "StorageStore", "create_app"]
