"""Stand-in for Dataverse's Web API on SQLite, for tables described in `tables/*.json`.

Held to the official Python client; what it does not support answers with an error that says so.
"""

from hybridmandate.twin.dataverse.app import DataverseSettings, create_app
from hybridmandate.twin.dataverse.faults import Faults
from hybridmandate.twin.dataverse.protection import ProtectionLimits
from hybridmandate.twin.dataverse.store import DataverseStore
from hybridmandate.twin.dataverse.table import TableInvalid

__all__ = [
    "DataverseSettings",
    "DataverseStore",
    "Faults",
    "ProtectionLimits",
    "TableInvalid",
    "create_app",
]
