"""Azure Blob Storage (``shared_azureblob``) over the blob service's own REST interface.

The base address of the connection is the account's blob endpoint. An id is the blob's path
``container/name``, percent-encoded or plain, as the connector gives it.
Source: learn.microsoft.com/connectors/azureblob.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote, unquote

from lxml import etree

from hybridmandate.orchestration.connectors.connector import Connector, Handler
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import Decode, as_content, content_bytes
from hybridmandate.orchestration.connectors.storage_answers import VERSION, xml_answer
from hybridmandate.orchestration.engine import Answer

MAX_LISTED = 100_000


class AzureBlobConnector(Connector):
    """Block blobs: create, read, describe, list, delete."""

    api_name = "shared_azureblob"

    async def create(self, call: OperationCall) -> Answer:
        """CreateFile_V2: a blob of that name is replaced; a repetition writes the same again."""
        folder = str(call.required("folderPath")).strip("/")
        path = f"{folder}/{call.required('name')}"
        data, kind = content_bytes(call.required("body"))
        headers = {**VERSION, "x-ms-blob-type": "BlockBlob", "x-ms-blob-content-type": kind}
        answer = await self.session.send(
            "PUT", _address(path), call=call, headers=headers, data=data
        )
        if answer.fault is not None or answer.status >= 300:
            return answer
        return await self._described(path, call)

    async def content(self, call: OperationCall) -> Answer:
        """GetFileContent_V2: the bytes of a blob by id."""
        return await self._content(unquote(str(call.required("id"))), call)

    async def content_by_path(self, call: OperationCall) -> Answer:
        """GetFileContentByPath_V2: the bytes of a blob by path."""
        return await self._content(str(call.required("path")), call)

    async def metadata(self, call: OperationCall) -> Answer:
        """GetFileMetadata_V2: name, path, size, media type."""
        return await self._described(unquote(str(call.required("id"))), call)

    async def metadata_by_path(self, call: OperationCall) -> Answer:
        """GetFileMetadataByPath_V2: the same by path."""
        return await self._described(str(call.required("path")), call)

    async def delete(self, call: OperationCall) -> Answer:
        """DeleteFile_V2: 404 when the blob is gone already."""
        path = unquote(str(call.required("id")))
        return await self.session.send("DELETE", _address(path), call=call, headers=VERSION)

    async def listed(self, call: OperationCall) -> Answer:
        """ListFolder_V4: the blobs and virtual folders right under a container or folder."""
        container, _, folder = unquote(str(call.required("id"))).strip("/").partition("/")
        query = {"restype": "container", "comp": "list", "delimiter": "/"}
        if folder:
            query["prefix"] = f"{folder.strip('/')}/"
        found: list[dict[str, Any]] = []
        while True:
            answer = await self.session.send(
                "GET",
                f"/{quote(container, safe='')}",
                call=call,
                headers=VERSION,
                query=query,
                decode=_listing(container),
            )
            if answer.fault is not None or answer.status != 200:
                return answer
            found.extend(answer.body["value"])
            if not answer.body["marker"] or len(found) >= MAX_LISTED:
                return Answer(200, answer.headers, {"value": found[:MAX_LISTED]})
            query["marker"] = answer.body["marker"]

    async def _content(self, path: str, call: OperationCall) -> Answer:
        return await self.session.send(
            "GET", _address(path), call=call, headers=VERSION, decode=as_content
        )

    async def _described(self, path: str, call: OperationCall) -> Answer:
        answer = await self.session.send("HEAD", _address(path), call=call, headers=VERSION)
        if answer.fault is not None or answer.status >= 300:
            return answer
        headers = answer.headers
        described = _file(
            path.strip("/"),
            size=int(headers.get("content-length", "0")),
            kind=headers.get("content-type"),
            modified=headers.get("last-modified"),
            etag=headers.get("etag"),
        )
        return Answer(200, headers, described)

    operations: ClassVar[Mapping[str, Handler]] = {
        "CreateFile_V2": create,
        "GetFileContent_V2": content,
        "GetFileContentByPath_V2": content_by_path,
        "GetFileMetadata_V2": metadata,
        "GetFileMetadataByPath_V2": metadata_by_path,
        "DeleteFile_V2": delete,
        "ListFolder_V4": listed,
    }


def _address(path: str) -> str:
    container, _, name = path.strip("/").partition("/")
    if not name:
        raise ValueError(f"'{path}' names no blob: write container/name")
    return f"/{quote(container, safe='')}/{quote(name)}"


def _file(
    path: str, *, size: int, kind: str | None, modified: str | None, etag: str | None
) -> dict[str, Any]:
    name = path.rstrip("/").rpartition("/")[2]
    return {
        "Id": quote(path, safe=""),
        "Name": name,
        "DisplayName": name,
        "Path": f"/{path}",
        "LastModified": modified,
        "Size": size,
        "MediaType": kind,
        "IsFolder": path.endswith("/"),
        "ETag": etag,
        "FileLocator": quote(path, safe=""),
    }


def _listing(container: str) -> Decode:
    """Reads a page of a container's list."""

    def page(root: etree._Element) -> dict[str, Any]:
        entries = [
            _file(
                f"{container}/{each.findtext('Name')}",
                size=int(each.findtext("Properties/Content-Length") or 0),
                kind=each.findtext("Properties/Content-Type"),
                modified=each.findtext("Properties/Last-Modified"),
                etag=each.findtext("Properties/Etag"),
            )
            for each in root.iterfind("Blobs/*")
        ]
        return {"value": entries, "marker": root.findtext("NextMarker") or ""}

    return xml_answer("EnumerationResults", page)
