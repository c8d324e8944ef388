"""Files of a drive over Microsoft Graph v1.0: what SharePoint and OneDrive have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote, unquote

from hybridmandate.orchestration.connectors.connector import Handler
from hybridmandate.orchestration.connectors.drive_items import (
    file_metadata,
    file_properties,
    shaped,
)
from hybridmandate.orchestration.connectors.graph_connector import GraphConnector
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import as_content, content_bytes, file_answer
from hybridmandate.orchestration.engine import Answer

COPY_SECONDS = "1"
"""How often a copy is looked at."""


class DriveConnector(GraphConnector):
    """Files of a drive: read, describe, create, replace, list, delete."""

    @abstractmethod
    def drive(self, dataset: Any) -> str:
        """The Graph path of the drive; ``dataset`` is the site where the connector has sites."""

    async def content(self, call: OperationCall) -> Answer:
        """GetFileContent: the bytes of a file by its identifier."""
        address = f"{self._item(call)}/content"
        return file_answer(await self.session.send("GET", address, call=call, decode=as_content))

    async def content_by_path(self, call: OperationCall) -> Answer:
        """GetFileContentByPath: the bytes of a file by its path."""
        address = f"{self._path(call, call.required('path'))}:/content"
        return file_answer(await self.session.send("GET", address, call=call, decode=as_content))

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

    async def folder_metadata(self, call: OperationCall) -> Answer:
        """GetFolderMetadataByPath: a folder by its path."""
        address = self._path(call, call.required("path"))
        return shaped(await self.session.send("GET", address, call=call), file_metadata)

    async def to_place(
        self, call: OperationCall, item: str, place: Mapping[str, Any], conflict: str, verb: str
    ) -> Answer:
        """Copy or move a file. ``place`` is Graph's ``parentReference`` and ``name``.

        A copy answers 202 with a location that is read until it is done.
        """
        query = {"@microsoft.graph.conflictBehavior": conflict}
        method, address = ("POST", f"{item}/copy") if verb == "copy" else ("PATCH", item)
        answer = await self.session.send(
            method, address, call=call, query=query, json_body=dict(place)
        )
        if answer.fault is not None or answer.status != 202:
            return shaped(answer, file_metadata)
        headers = {"location": answer.headers["location"], "retry-after": COPY_SECONDS}
        return Answer(202, headers)

    async def read(self, location: str, parameters: Mapping[str, Any], correlation: str) -> Answer:
        """How far a copy is; then the file that it made."""
        answer = await self.session.send("GET", location, correlation_id=correlation)
        if answer.fault is not None or answer.status >= 300:
            return answer
        if answer.body.get("status") != "completed":
            return Answer(202, {"location": location, "retry-after": COPY_SECONDS})
        address = f"{self.copied_to(parameters)}/items/{quote(answer.body['resourceId'], safe='')}"
        made = await self.session.send("GET", address, correlation_id=correlation)
        return shaped(made, file_metadata)

    def copied_to(self, parameters: Mapping[str, Any]) -> str:
        """The drive to which an action copies."""
        return self.drive(parameters.get("dataset"))

    def item_address(self, drive: str, identifier: Any) -> str:
        """A file of a drive by its id, or by its path: ids of real flows are encoded paths."""
        text = str(identifier)
        path = unquote(unquote(text))
        if path.startswith("/"):
            return f"{drive}/root:/{quote(path.strip('/'))}:"
        return f"{drive}/items/{quote(text, safe='')}"

    def _drive(self, call: OperationCall) -> str:
        return self.drive(call.parameters.get("dataset"))

    def _item(self, call: OperationCall) -> str:
        return self.item_address(self._drive(call), call.required("id"))

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
        "GetFolderMetadataByPath": folder_metadata,
    }


def _listed(body: Any) -> list[dict[str, Any]]:
    return [file_metadata(each) for each in body["value"]]
