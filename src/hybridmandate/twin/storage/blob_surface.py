"""Block blobs of the blob service: whole, in blocks, in ranges, with conditions."""

from __future__ import annotations

import base64
import binascii
import json

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from hybridmandate.twin.storage.access import Right, demand
from hybridmandate.twin.storage.blobs import Blobs, Chosen, Content
from hybridmandate.twin.storage.conditions import Conditions, byte_range
from hybridmandate.twin.storage.errors import StorageError, invalid_query, not_implemented
from hybridmandate.twin.storage.markup import (
    MarkupInvalid,
    branch,
    document,
    http_date,
    leaf,
    parsed,
)
from hybridmandate.twin.storage.names import (
    blob_name,
    metadata_headers,
    metadata_of,
    resource_name,
)
from hybridmandate.twin.storage.requests import Asked, content_md5
from hybridmandate.twin.storage.tables import Row

MAX_CONTENT_BYTES = 256 * 1024 * 1024
"""The most that one request may carry here. The service takes 5,000 MiB ('Put Blob')."""
MAX_BLOCKS = 50_000
_MAX_LIST_BYTES = 16 * 1024 * 1024
_KEPT = ("content-type", "content-encoding", "content-language", "cache-control")
_PLACES = ("Latest", "Committed", "Uncommitted")


class BlobSurface:
    """Endpoints of blobs."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def blob(self, asked: Asked, container: str, name: str) -> Response:
        """One blob."""
        resource_name(container)
        blob_name(name)
        match (asked.method, asked.comp):
            case ("PUT", ""):
                return await self._put(asked, container, name)
            case ("PUT", "block"):
                return await self._put_block(asked, container, name)
            case ("PUT", "blocklist"):
                return await self._commit(asked, container, name)
            case ("GET", "blocklist"):
                return await self._block_lists(asked, container, name)
            case ("GET", ""):
                return await self._get(asked, container, name)
            case ("HEAD", "" | "metadata"):
                return await self._properties(asked, container, name)
            case ("PUT", "metadata" | "properties"):
                return await self._change(asked, container, name)
            case ("DELETE", ""):
                demand(asked.rights, Right.BLOB_WRITE)
                conditions = Conditions.of(asked.headers)
                await run_in_threadpool(self._blobs.delete, container, name, conditions)
                headers = {"x-ms-delete-type-permanent": "true"}
                return Response(status_code=202, headers=headers)
        raise not_implemented(f"{asked.method} of a blob with comp={asked.comp}")

    async def _put(self, asked: Asked, container: str, name: str) -> Response:
        demand(asked.rights, Right.BLOB_WRITE)
        kind = asked.headers.get("x-ms-blob-type")
        if "x-ms-copy-source" in asked.headers or kind in ("PageBlob", "AppendBlob"):
            raise not_implemented(f"blob of type {kind or 'copied from elsewhere'}")
        if kind != "BlockBlob":
            raise StorageError(
                400,
                "MissingRequiredHeader",
                "An HTTP header that's mandatory for this request is not specified: x-ms-blob-type",
            )
        data = await asked.body(MAX_CONTENT_BYTES)
        headers = {**_http_headers(asked), "content-md5": content_md5(data)}
        content = Content(data, headers, metadata_of(asked.headers))
        conditions = Conditions.of(asked.headers)
        row = await run_in_threadpool(self._blobs.put, container, name, content, conditions)
        return _written(row, content_md5=headers["content-md5"])

    async def _put_block(self, asked: Asked, container: str, name: str) -> Response:
        demand(asked.rights, Right.BLOB_WRITE)
        block_id = _block_id(asked.query.get("blockid", ""))
        data = await asked.body(MAX_CONTENT_BYTES)
        await run_in_threadpool(self._blobs.put_block, container, name, block_id, data)
        headers = {"content-md5": content_md5(data), "x-ms-request-server-encrypted": "true"}
        return Response(status_code=201, headers=headers)

    async def _commit(self, asked: Asked, container: str, name: str) -> Response:
        demand(asked.rights, Right.BLOB_WRITE)
        chosen = _chosen(await asked.body(_MAX_LIST_BYTES))
        content = Content(b"", _http_headers(asked), metadata_of(asked.headers))
        conditions = Conditions.of(asked.headers)
        row = await run_in_threadpool(
            self._blobs.commit, container, name, chosen, content, conditions
        )
        return _written(row)

    async def _block_lists(self, asked: Asked, container: str, name: str) -> Response:
        demand(asked.rights, Right.BLOB_READ)
        wanted = asked.query.get("blocklisttype", "committed").lower()
        if wanted not in ("committed", "uncommitted", "all"):
            raise invalid_query("blocklisttype", wanted)
        blob, committed, waiting = await run_in_threadpool(self._blobs.block_lists, container, name)
        inner = ""
        if wanted in ("committed", "all"):
            inner += branch("CommittedBlocks", _blocks(committed))
        if wanted in ("uncommitted", "all"):
            inner += branch("UncommittedBlocks", _blocks(waiting))
        size = {"x-ms-blob-content-length": str(0 if blob is None else blob["size"])}
        stamps = {} if blob is None else _stamps(blob)
        return Response(
            document("BlockList", inner), headers={**size, **stamps}, media_type="application/xml"
        )

    async def _get(self, asked: Asked, container: str, name: str) -> Response:
        demand(asked.rights, Right.BLOB_READ)
        conditions = Conditions.of(asked.headers)

        def choose(row: Row) -> tuple[int, int]:
            conditions.check_read(row)
            return byte_range(asked.headers, row["size"]) or (0, row["size"])

        row, data = await run_in_threadpool(self._blobs.read, container, name, choose)
        headers = _headers(row)
        part = byte_range(asked.headers, row["size"])
        if part is not None:
            start, length = part
            headers["content-range"] = f"bytes {start}-{start + length - 1}/{row['size']}"
            digest = headers.pop("content-md5", None)
            if digest is not None:
                headers["x-ms-blob-content-md5"] = digest
        return Response(data, status_code=200 if part is None else 206, headers=headers)

    async def _properties(self, asked: Asked, container: str, name: str) -> Response:
        demand(asked.rights, Right.BLOB_READ)
        row = await run_in_threadpool(self._blobs.properties, container, name)
        Conditions.of(asked.headers).check_read(row)
        return Response(headers={**_headers(row), "content-length": str(row["size"])})

    async def _change(self, asked: Asked, container: str, name: str) -> Response:
        demand(asked.rights, Right.BLOB_WRITE)
        if asked.comp == "metadata":
            values = {"metadata": metadata_of(asked.headers)}
        else:
            values = {"headers": _http_headers(asked)}
        conditions = Conditions.of(asked.headers)
        row = await run_in_threadpool(self._blobs.change, container, name, values, conditions)
        return Response(headers=_stamps(row))


def _http_headers(asked: Asked) -> dict[str, str]:
    """The HTTP headers that are kept with a blob."""
    found = {}
    for name in _KEPT:
        value = asked.headers.get(f"x-ms-blob-{name}")
        if value is not None:
            found[name] = value
    digest = asked.headers.get("x-ms-blob-content-md5")
    if digest is not None:
        found["content-md5"] = digest
    disposition = asked.headers.get("x-ms-blob-content-disposition")
    if disposition is not None:
        found["content-disposition"] = disposition
    plain = asked.headers.get("content-type") if asked.comp == "" else None
    found.setdefault("content-type", plain or "application/octet-stream")
    return found


def _headers(row: Row) -> dict[str, str]:
    return {
        **json.loads(row["headers"]),
        **metadata_headers(json.loads(row["metadata"])),
        **_stamps(row),
        "accept-ranges": "bytes",
        "x-ms-blob-type": "BlockBlob",
        "x-ms-creation-time": http_date(row["created"]),
        "x-ms-lease-status": "unlocked",
        "x-ms-lease-state": "available",
        "x-ms-server-encrypted": "true",
    }


def _stamps(row: Row) -> dict[str, str]:
    return {"etag": row["etag"], "last-modified": http_date(row["modified"])}


def _written(row: Row, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    encrypted = {"x-ms-request-server-encrypted": "true"}
    return Response(status_code=201, headers={**named, **encrypted, **_stamps(row)})


def _block_id(text: str) -> str:
    """A block's id: base64 of 1 to 64 bytes. :raises StorageError: 400 when it is none."""
    try:
        size = len(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if not 1 <= size <= 64:
        raise invalid_query("blockid", text)
    return text


def _chosen(body: bytes) -> list[Chosen]:
    """The blocks of a block list. :raises StorageError: 400 when it is none."""
    try:
        root = parsed(body)
    except MarkupInvalid:
        raise StorageError(
            400, "InvalidXmlDocument", "The specified XML document is not syntactically valid."
        ) from None
    if root.tag != "BlockList" or any(each.tag not in _PLACES for each in root):
        raise StorageError(
            400, "InvalidXmlNodeValue", "The XML document has a node that is not permitted."
        )
    if len(root) > MAX_BLOCKS:
        raise StorageError(
            400, "BlockListTooLong", f"The block list may have at most {MAX_BLOCKS} blocks."
        )
    return [Chosen((each.text or "").strip(), str(each.tag)) for each in root]


def _blocks(blocks: list[tuple[str, int]]) -> str:
    return "".join(branch("Block", leaf("Name", i) + leaf("Size", size)) for i, size in blocks)
