"""OneDrive for Business (``shared_onedriveforbusiness``) over Microsoft Graph v1.0.

An application has no drive of its own: the connection's option ``user`` says whose drive it is
(requirement P1: a connection belongs to a workload principal).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from hybridmandate.orchestration.connectors.connector import Handler
from hybridmandate.orchestration.connectors.drive_connector import DriveConnector


class OneDriveConnector(DriveConnector):
    """Files of a person's or a service mailbox's drive."""

    api_name = "shared_onedriveforbusiness"
    triggers = frozenset({"OnNewFilesV2"})

    def drive(self, dataset: Any) -> str:
        """The Graph path of the drive. :raises ValueError: when the option is missing."""
        user = self.settings.options.get("user")
        if not user:
            raise ValueError("the connection has no option 'user': whose drive it is")
        return f"/v1.0/users/{quote(user, safe='@')}/drive"

    operations: ClassVar[Mapping[str, Handler]] = {
        **DriveConnector.file_operations,
        "ListRootFolder": DriveConnector.list_root,
    }
