"""Containers of the blob service: create, delete, metadata, and what is in them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from hybridmandate.twin.storage.access import Right, demand
from hybridmandate.twin.storage.blobs import Blobs
from hybridmandate.twin.storage.errors import not_implemented
from hybridmandate.twin.storage.listing import page
from hybridmandate.twin.storage.markup import branch, document, http_date, leaf
from hybridmandate.twin.storage.names import (
    MAX_LISTED,
    metadata_headers,
    metadata_of,
    number,
    resource_name,
)
from hybridmandate.twin.storage.requests import Asked
from hybridmandate.twin.storage.tables import Row


class ContainerSurface:
    """Endpoints of the blob service's account and containers."""

    def __init__(self, blobs: Blobs, endpoint: str) -> None:
        self._blobs = blobs
        self._endpoint = endpoint

    async def service(self, asked: Asked) -> Response:
        """The account: List Containers."""
        if (asked.method, asked.comp) != ("GET", "list"):
            raise not_implemented(f"{asked.method} of the blob service with comp={asked.comp}")
        demand(asked.rights, Right.BLOB_READ)
        return await page(asked, self._blobs.containers, _container, "Containers", self._endpoint)

    async def container(self, asked: Asked, name: str) -> Response:
        """One container."""
        resource_name(name)
        match (asked.method, asked.comp):
            case ("PUT", ""):
                demand(asked.rights, Right.BLOB_WRITE)
                metadata = metadata_of(asked.headers)
                row = await run_in_threadpool(self._blobs.create_container, name, metadata)
                return Response(status_code=201, headers=_stamps(row))
            case ("GET" | "HEAD", "" | "metadata"):
                demand(asked.rights, Right.BLOB_READ)
                row = await run_in_threadpool(self._blobs.container, name)
                headers = {
                    **metadata_headers(json.loads(row["metadata"])),
                    "x-ms-lease-status": "unlocked",
                    "x-ms-lease-state": "available",
                    "x-ms-has-immutability-policy": "false",
                    "x-ms-has-legal-hold": "false",
                }
                return Response(headers={**headers, **_stamps(row)})
            case ("PUT", "metadata"):
                demand(asked.rights, Right.BLOB_WRITE)
                metadata = metadata_of(asked.headers)
                row = await run_in_threadpool(self._blobs.set_container_metadata, name, metadata)
                return Response(headers=_stamps(row))
            case ("DELETE", ""):
                demand(asked.rights, Right.BLOB_WRITE)
                await run_in_threadpool(self._blobs.drop_container, name)
                return Response(status_code=202)
            case ("GET", "list"):
                demand(asked.rights, Right.BLOB_READ)
                return await self._list(asked, name)
        raise not_implemented(f"{asked.method} of a container with comp={asked.comp}")

    async def _list(self, asked: Asked, name: str) -> Response:
        query = asked.query
        limit = number(query, "maxresults", MAX_LISTED, lowest=1, highest=MAX_LISTED)
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        rows = await run_in_threadpool(self._blobs.names, name, prefix, query.get("marker", ""))
        entries = list(_entries(rows, prefix, delimiter))
        with_metadata = "metadata" in query.get("include", "")
        shown = "".join(
            branch("BlobPrefix", leaf("Name", key))
            if blob is None
            else _blob(blob, with_metadata=with_metadata)
            for key, blob in entries[:limit]
        )
        following = entries[limit][0] if len(entries) > limit else ""
        inner = (
            leaf("Prefix", prefix)
            + (leaf("Delimiter", delimiter) if delimiter else "")
            + leaf("MaxResults", limit)
            + branch("Blobs", shown)
            + leaf("NextMarker", following)
        )
        body = document(
            "EnumerationResults", inner, ServiceEndpoint=self._endpoint, ContainerName=name
        )
        return Response(body, media_type="application/xml")


def _entries(rows: Sequence[Row], prefix: str, delimiter: str) -> Iterator[tuple[str, Row | None]]:
    """Blobs, and once each the virtual folders that the delimiter makes of their names."""

    def key(row: Row) -> str:
        name = str(row["name"])
        if not delimiter:
            return name
        head, found, _ = name[len(prefix) :].partition(delimiter)
        return f"{prefix}{head}{found}"

    for name, group in groupby(rows, key):
        first = next(group)
        yield name, first if first["name"] == name and not _folder(name, delimiter) else None


def _folder(name: str, delimiter: str) -> bool:
    return bool(delimiter) and name.endswith(delimiter)


def _stamps(row: Row) -> dict[str, str]:
    return {"etag": row["etag"], "last-modified": http_date(row["modified"])}


def _container(row: Row) -> str:
    properties = (
        leaf("Last-Modified", http_date(row["modified"]))
        + leaf("Etag", row["etag"])
        + leaf("LeaseStatus", "unlocked")
        + leaf("LeaseState", "available")
    )
    return branch("Container", leaf("Name", row["name"]) + branch("Properties", properties))


def _blob(row: Row, *, with_metadata: bool) -> str:
    headers = json.loads(row["headers"])
    properties = (
        leaf("Creation-Time", http_date(row["created"]))
        + leaf("Last-Modified", http_date(row["modified"]))
        + leaf("Etag", row["etag"])
        + leaf("Content-Length", row["size"])
        + leaf("Content-Type", headers["content-type"])
        + leaf("Content-MD5", headers.get("content-md5", ""))
        + leaf("BlobType", "BlockBlob")
        + leaf("AccessTier", "Hot")
        + leaf("LeaseStatus", "unlocked")
        + leaf("LeaseState", "available")
    )
    inner = leaf("Name", row["name"]) + branch("Properties", properties)
    if with_metadata:
        pairs = json.loads(row["metadata"]).items()
        inner += branch("Metadata", "".join(leaf(key, value) for key, value in pairs))
    return branch("Blob", inner)
