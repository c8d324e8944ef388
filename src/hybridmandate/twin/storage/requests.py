"""A request to the account, read once: query, headers, body within its limit."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from hybridmandate.twin.storage.access import Right
from hybridmandate.twin.storage.errors import StorageError, invalid_header


@dataclass(frozen=True, slots=True)
class Asked:
    """One request and what its caller may do."""

    request: Request
    rights: frozenset[Right]

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.request.method

    @property
    def query(self) -> Mapping[str, str]:
        """The query parameters."""
        return self.request.query_params

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, names in small letters."""
        return self.request.headers

    @property
    def comp(self) -> str:
        """Which part of the resource is meant; empty for the resource itself."""
        return self.query.get("comp", "")

    async def body(self, limit: int) -> bytes:
        """The whole body, checked against ``Content-MD5`` where that is given.

        :raises StorageError: 413 over the limit, 400 when the digest is another.
        """
        read = bytearray()
        async for chunk in self.request.stream():
            read += chunk
            if len(read) > limit:
                raise StorageError(
                    413,
                    "RequestBodyTooLarge",
                    "The request body is too large and exceeds the maximum permissible limit "
                    f"({limit} bytes).",
                )
        data = bytes(read)
        given = self.headers.get("content-md5")
        if given is not None and given != content_md5(data):
            raise _digest_error(given)
        return data


def content_md5(data: bytes) -> str:
    """The value of ``Content-MD5``."""
    digest = hashlib.md5(data, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii")


def _digest_error(given: str) -> StorageError:
    try:
        size = len(base64.b64decode(given, validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if size != 16:
        return invalid_header("Content-MD5")
    return StorageError(
        400,
        "Md5Mismatch",
        "The MD5 value specified in the request did not match with the MD5 value calculated by "
        "the server.",
    )
