"""Names of queues, containers and blobs, metadata, and numbers of the query.

Sources: learn.microsoft.com/rest/api/storageservices, 'Naming Queues and Metadata', 'Naming and
Referencing Containers, Blobs, and Metadata'.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hybridmandate.twin.storage.errors import StorageError, invalid_query, out_of_range
from hybridmandate.twin.storage.markup import writable

_NAME = re.compile(r"[a-z0-9](?:-?[a-z0-9])+")
_METADATA_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PREFIX = "x-ms-meta-"
MAX_METADATA_BYTES = 8 * 1024
MAX_BLOB_NAME = 1024
MAX_LISTED = 5000


def resource_name(name: str) -> str:
    """A queue's or container's name. :raises StorageError: 400 when it is none."""
    if not 3 <= len(name) <= 63:
        raise StorageError(
            400,
            "OutOfRangeInput",
            "The specified resource name length is not within the permissible limits.",
        )
    if _NAME.fullmatch(name) is None:
        raise StorageError(
            400, "InvalidResourceName", "The specified resource name contains invalid characters."
        )
    return name


def blob_name(name: str) -> str:
    """A blob's name. :raises StorageError: 400 when it is none."""
    if not 1 <= len(name) <= MAX_BLOB_NAME or not writable(name):
        raise StorageError(
            400, "InvalidUri", "The requested URI does not represent any resource on the server."
        )
    return name


def metadata_of(headers: Mapping[str, str]) -> dict[str, str]:
    """The metadata in a request's headers. :raises StorageError: 400 when it cannot be kept."""
    found = {
        key[len(_PREFIX) :]: value
        for key, value in headers.items()
        if key.lower().startswith(_PREFIX)
    }
    for name in found:
        if _METADATA_NAME.fullmatch(name) is None:
            raise StorageError(
                400,
                "InvalidMetadata",
                "The metadata specified is invalid. It has characters that are not permitted.",
            )
    if sum(len(key) + len(value) for key, value in found.items()) > MAX_METADATA_BYTES:
        raise StorageError(
            400, "MetadataTooLarge", "The metadata specified exceeds the maximum size permitted."
        )
    return found


def metadata_headers(metadata: Mapping[str, str]) -> dict[str, str]:
    """Metadata as headers of an answer."""
    return {f"{_PREFIX}{name}": value for name, value in metadata.items()}


def number(query: Mapping[str, str], name: str, default: int, *, lowest: int, highest: int) -> int:
    """A whole number of the query. :raises StorageError: 400 when it is none or out of bounds."""
    text = query.get(name)
    if text is None:
        return default
    if re.fullmatch(r"-?\d{1,18}", text) is None:
        raise invalid_query(name, text)
    value = int(text)
    if not lowest <= value <= highest:
        raise out_of_range(name, text, lowest, highest)
    return value
