"""Files of a drive over Microsoft Graph v1.0: what SharePoint and OneDrive have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from hybridmandate.orchestration.connectors.connector import Connector, Handler
from hybridmandate.orchestration.connectors.drive_items import (
    file_metadata,
    file_properties,
    shaped,
)
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import as_content, content_bytes
from hybridmandate.orchestration.engine import Answer


class DriveConnector(Connector):
    """Files of a drive: read, describe, create, replace, list, delete."""

    @abstractmethod
    def drive(self, dataset: Any) -> str:
        """The Graph path of the drive; ``dataset`` is the site where the connector has sites."""

    async def content(self, call: OperationCall) -> Answer:
        """GetFileContent: the bytes of a file by its identifier."""
        return await self.session.send(
            "GET", f"{self._item(call)}/content", call=call, decode=as_content
        )

    async def content_by_path(self, call: OperationCall) -> Answer:
        """GetFileContentByPath: the bytes of a file by its path."""
        address = f"{self._path(call, call.required('path'))}:/content"
        return await self.session.send("GET", address, call=call, decode=as_content)

    async def metadata(self, call: OperationCall) -> Answer:
        """GetFileMetadata: name, path, size, media type."""
        answer = await self.session.send("GET", self._item(call), call=call)
        return shaped(answer, file_metadata)

    async def metadata_by_path(self, call: OperationCall) -> Answer:
        """GetFileMetadataByPath: the same by path."""
        address = self._path(call, call.required("path"))
        return shaped(await self.session.send("GET", address, call=call), file_metadata)

    async def properties(self, call: OperationCall) -> Answer:
        """GetFileItem: the properties of a file as the trigger gives them."""
        answer = await self.session.send("GET", self._item(call), call=call)
        return shaped(answer, file_properties)

    async def create(self, call: OperationCall) -> Answer:
        """CreateFile: a repetition replaces the file by the same content."""
        folder = str(call.required("folderPath")).strip("/")
        path = self._path(call, f"{folder}/{call.required('name')}")
        return await self._write(f"{path}:/content", call)

    async def update(self, call: OperationCall) -> Answer:
        """UpdateFile: replaces the content of a file."""
        return await self._write(f"{self._item(call)}/content", call)

    async def delete(self, call: OperationCall) -> Answer:
        """DeleteFile: 404 when the file is gone already."""
        return await self.session.send("DELETE", self._item(call), call=call)

    async def list_root(self, call: OperationCall) -> Answer:
        """ListRootFolder: what is right under the drive's root."""
        address = f"{self._drive(call)}/root/children"
        return shaped(await self.session.send("GET", address, call=call), _listed)

    async def list_folder(self, call: OperationCall) -> Answer:
        """ListFolder: what is right under a folder; ``id`` is its identifier or its path."""
        folder = str(call.required("id"))
        if "/" in folder:
            address = f"{self._path(call, folder)}:/children"
        else:
            address = f"{self._drive(call)}/items/{quote(folder, safe='')}/children"
        return shaped(await self.session.send("GET", address, call=call), _listed)

    def _drive(self, call: OperationCall) -> str:
        return self.drive(call.parameters.get("dataset"))

    def _item(self, call: OperationCall) -> str:
        return f"{self._drive(call)}/items/{quote(str(call.required('id')), safe='')}"

    def _path(self, call: OperationCall, path: Any) -> str:
        return f"{self._drive(call)}/root:/{quote(str(path).strip('/'))}"

    async def _write(self, address: str, call: OperationCall) -> Answer:
        data, _ = content_bytes(call.required("body"))
        headers = {"content-type": "application/octet-stream"}
        answer = await self.session.send("PUT", address, call=call, headers=headers, data=data)
        return shaped(answer, file_metadata)

    file_operations: ClassVar[Mapping[str, Handler]] = {
        "GetFileContent": content,
        "GetFileContentByPath": content_by_path,
        "GetFileMetadata": metadata,
        "GetFileMetadataByPath": metadata_by_path,
        "CreateFile": create,
        "UpdateFile": update,
        "DeleteFile": delete,
        "ListFolder": list_folder,
    }


def _listed(body: Any) -> list[dict[str, Any]]:
    return [file_metadata(each) for each in body["value"]]
