"""SharePoint (``shared_sharepointonline``) files over Microsoft Graph v1.0.

``dataset`` is the site's address, as flows carry it; its last segment is the site in Graph, unless
the connection's option ``site`` names it. The trigger ``GetOnNewFileItems`` is read from the
folder's delta feed by :mod:`hybridmandate.orchestration.triggers.new_files`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from hybridmandate.orchestration.connectors.connector import Connector, Handler
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import as_content, content_bytes
from hybridmandate.orchestration.engine import Answer


class SharePointConnector(Connector):
    """Files of a document library: read, metadata, create."""

    api_name = "shared_sharepointonline"
    triggers = frozenset({"GetOnNewFileItems"})

    def drive(self, dataset: Any) -> str:
        """The Graph path of the drive of a site."""
        site = self.settings.options.get("site") or str(dataset).rstrip("/").rpartition("/")[2]
        return f"/v1.0/sites/{quote(site, safe='')}/drive"

    async def content(self, call: OperationCall) -> Answer:
        """GetFileContent: the bytes of a file by its identifier."""
        item = quote(str(call.required("id")), safe="")
        address = f"{self.drive(call.required('dataset'))}/items/{item}/content"
        return await self.session.send("GET", address, call=call, decode=as_content)

    async def content_by_path(self, call: OperationCall) -> Answer:
        """GetFileContentByPath: the bytes of a file by its path."""
        path = quote(str(call.required("path")).strip("/"))
        address = f"{self.drive(call.required('dataset'))}/root:/{path}:/content"
        return await self.session.send("GET", address, call=call, decode=as_content)

    async def metadata(self, call: OperationCall) -> Answer:
        """GetFileMetadata: name, path, size, media type."""
        return _shaped(await self._item(call), file_metadata)

    async def properties(self, call: OperationCall) -> Answer:
        """GetFileItem: the properties of a file as the trigger gives them."""
        return _shaped(await self._item(call), file_properties)

    async def create(self, call: OperationCall) -> Answer:
        """CreateFile: a repetition replaces the file by the same content."""
        data, _ = content_bytes(call.required("body"))
        folder = str(call.required("folderPath")).strip("/")
        path = quote(f"{folder}/{call.required('name')}".strip("/"))
        address = f"{self.drive(call.required('dataset'))}/root:/{path}:/content"
        headers = {"content-type": "application/octet-stream"}
        answer = await self.session.send("PUT", address, call=call, headers=headers, data=data)
        return _shaped(answer, file_metadata)

    async def _item(self, call: OperationCall) -> Answer:
        item = quote(str(call.required("id")), safe="")
        address = f"{self.drive(call.required('dataset'))}/items/{item}"
        return await self.session.send("GET", address, call=call)

    operations: ClassVar[Mapping[str, Handler]] = {
        "GetFileContent": content,
        "GetFileContentByPath": content_by_path,
        "GetFileMetadata": metadata,
        "GetFileItem": properties,
        "CreateFile": create,
    }


def file_metadata(item: Mapping[str, Any]) -> dict[str, Any]:
    """A drive item as the connector's file metadata."""
    path = f"{_folder(item)}/{item['name']}"
    return {
        "ItemId": item["id"],
        "Id": item["id"],
        "Name": item["name"],
        "DisplayName": item["name"],
        "Path": path,
        "LastModified": item.get("lastModifiedDateTime"),
        "Size": item.get("size"),
        "MediaType": (item.get("file") or {}).get("mimeType"),
        "IsFolder": "folder" in item,
        "ETag": item.get("eTag"),
        "FileLocator": item["id"],
    }


def file_properties(item: Mapping[str, Any]) -> dict[str, Any]:
    """A drive item as the connector's 'properties only' item."""
    name = str(item["name"])
    folder = _folder(item)
    return {
        "ID": item["id"],
        "Created": item.get("createdDateTime"),
        "Author": _person(item.get("createdBy")),
        "Modified": item.get("lastModifiedDateTime"),
        "Editor": _person(item.get("lastModifiedBy")),
        "{Identifier}": item["id"],
        "{IsFolder}": "folder" in item,
        "{Link}": item.get("webUrl"),
        "{Name}": name.rpartition(".")[0] or name,
        "{FilenameWithExtension}": name,
        "{Path}": f"{folder}/".lstrip("/"),
        "{FullPath}": f"{folder}/{name}".lstrip("/"),
        "{ETag}": item.get("eTag"),
    }


def _folder(item: Mapping[str, Any]) -> str:
    path = str((item.get("parentReference") or {}).get("path") or "")
    return path.partition("root:")[2].rstrip("/")


def _person(identity: Any) -> dict[str, Any]:
    """Who did it: a person, or an application, which has no mail."""
    parts = identity if isinstance(identity, Mapping) else {}
    user = parts.get("user") or {}
    application = parts.get("application") or {}
    return {
        "DisplayName": user.get("displayName") or application.get("displayName"),
        "Email": user.get("email") or user.get("userPrincipalName"),
    }


def _shaped(answer: Answer, shape: Any) -> Answer:
    if answer.fault is not None or answer.status >= 300:
        return answer
    return Answer(200, answer.headers, shape(answer.body))
