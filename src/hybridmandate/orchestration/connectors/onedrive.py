"""OneDrive for Business (``shared_onedriveforbusiness``) over Microsoft Graph v1.0.

An application has no drive of its own: the connection's option ``user`` says whose drive it is
(requirement P1: a connection belongs to a workload principal).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote

from hybridmandate.orchestration.connectors.connector import Handler
from hybridmandate.orchestration.connectors.drive_connector import DriveConnector
from hybridmandate.orchestration.connectors.drive_items import shaped
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import as_content, file_answer
from hybridmandate.orchestration.engine import Answer


class OneDriveConnector(DriveConnector):
    """Files of a person's or a service mailbox's drive."""

    api_name = "shared_onedriveforbusiness"
    triggers = frozenset({"OnNewFilesV2", "OnUpdatedFilesV2", "OnNewFileV2", "OnUpdatedFileV2"})

    def drive(self, dataset: Any) -> str:
        """The Graph path of the drive. :raises ValueError: when the option is missing."""
        user = self.settings.options.get("user")
        if not user:
            raise ValueError("the connection has no option 'user': whose drive it is")
        return f"/v1.0/users/{quote(user, safe='@')}/drive"

    async def copy(self, call: OperationCall) -> Answer:
        """CopyDriveFile: the file ``id`` to the path ``destination``."""
        return await self._to_place(call, call.required("id"), "copy")

    async def copy_by_path(self, call: OperationCall) -> Answer:
        """CopyDriveFileByPath: the file at the path ``source`` to ``destination``."""
        return await self._to_place(call, f"/{str(call.required('source')).lstrip('/')}", "copy")

    async def move(self, call: OperationCall) -> Answer:
        """MoveFile: the file ``id`` to the path ``destination``."""
        return await self._to_place(call, call.required("id"), "move")

    async def move_by_path(self, call: OperationCall) -> Answer:
        """MoveFileByPath: the file at the path ``source`` to ``destination``."""
        return await self._to_place(call, f"/{str(call.required('source')).lstrip('/')}", "move")

    async def convert(self, call: OperationCall) -> Answer:
        """ConvertFile: the file ``id`` as ``type`` (pdf): Graph renders it, the stand-in cannot."""
        item = self.item_address(self.drive(None), call.required("id"))
        query = {"format": str(call.parameters.get("type") or "pdf").lower()}
        address = f"{item}/content"
        return file_answer(
            await self.session.send("GET", address, call=call, query=query, decode=as_content)
        )

    async def convert_by_path(self, call: OperationCall) -> Answer:
        """ConvertFileByPath: the same for the file at ``path``."""
        path = f"/{str(call.required('path')).lstrip('/')}"
        return await self.convert(replace(call, parameters={**call.parameters, "id": path}))

    async def list_page(self, call: OperationCall) -> Answer:
        """ListFolderV2: what is right under a folder, as ``value``."""
        listed = await self.list_folder(call)
        return shaped(listed, lambda body: {"value": body})

    async def _to_place(self, call: OperationCall, file: Any, verb: str) -> Answer:
        folder, _, name = str(call.required("destination")).strip("/").rpartition("/")
        item = self.item_address(self.drive(None), file)
        place = {"parentReference": {"path": f"/drive/root:/{folder}"}, "name": name}
        conflict = "replace" if call.parameters.get("overwrite") else "fail"
        return await self.to_place(call, item, place, conflict, verb)

    operations: ClassVar[Mapping[str, Handler]] = {
        **DriveConnector.file_operations,
        "ListRootFolder": DriveConnector.list_root,
        "ListFolderV2": list_page,
        "ConvertFile": convert,
        "ConvertFileByPath": convert_by_path,
        "CopyDriveFile": copy,
        "CopyDriveFileByPath": copy_by_path,
        "MoveFile": move,
        "MoveFileByPath": move_by_path,
    }
