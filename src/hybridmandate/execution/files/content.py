"""Where the bytes of stored files are: a local folder here, Azure Blob Storage in the cloud.

A file is written under a temporary name, flushed to the disk and renamed, so a reader sees a whole
file or none, whenever the process dies.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hybridmandate.execution.uninterrupted import uninterrupted

HANDLE = re.compile(r"f-[0-9a-f]{40}")
CHUNK_BYTES = 256 * 1024
STALE_SECONDS = 3600.0
_INCOMING = "incoming"


class FileTooLarge(Exception):
    """The content is larger than the store takes; nothing of it was kept."""


@dataclass(frozen=True, slots=True)
class Written:
    """What arrived: lower-case hex SHA-256 and bytes."""

    digest: str
    size: int


class FileContent(Protocol):
    """The bytes behind handles. A handle matches ``HANDLE``; it is never a path of the sender."""

    async def write(self, handle: str, stream: AsyncIterator[bytes], *, limit: int) -> Written:
        """Keep a stream under a handle, whole or not at all. :raises FileTooLarge: past limit."""

    def read(self, handle: str) -> AsyncIterator[bytes]:
        """The content in chunks. :raises FileNotFoundError: when there is none."""

    async def local_path(self, handle: str) -> str:
        """A readable path on this machine. :raises FileNotFoundError: when there is none."""

    async def remove(self, handle: str) -> None:
        """Forget the content; nothing happens when there is none."""

    async def sweep(self, now: float) -> int:
        """Remove what a process that died left half-written; returns how many (epoch seconds)."""


class LocalFileContent:
    """Files in a folder of this machine, two hexadecimal digits a subfolder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._incoming = folder / _INCOMING
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)

    async def write(self, handle: str, stream: AsyncIterator[bytes], *, limit: int) -> Written:
        target = self._path(handle)
        part = self._incoming / f"{handle}.{secrets.token_hex(8)}"
        try:
            written = await _write_stream(part, stream, limit)
            await uninterrupted(asyncio.to_thread(_publish, part, target))
        finally:
            part.unlink(missing_ok=True)
        return written

    async def read(self, handle: str) -> AsyncIterator[bytes]:
        with self._path(handle).open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
                yield chunk

    async def local_path(self, handle: str) -> str:
        path = self._path(handle)
        if not path.is_file():
            raise FileNotFoundError(handle)
        return str(path)

    async def remove(self, handle: str) -> None:
        self._path(handle).unlink(missing_ok=True)

    async def sweep(self, now: float) -> int:
        removed = 0
        for part in self._incoming.iterdir():
            if now - part.stat().st_mtime > STALE_SECONDS:
                part.unlink(missing_ok=True)
                removed += 1
        return removed

    def _path(self, handle: str) -> Path:
        if HANDLE.fullmatch(handle) is None:
            raise FileNotFoundError(handle)
        return self._folder / handle[2:4] / handle


async def _write_stream(part: Path, stream: AsyncIterator[bytes], limit: int) -> Written:
    digest = hashlib.sha256()
    size = 0
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        async for chunk in stream:
            size += len(chunk)
            if size > limit:
                raise FileTooLarge
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())
    return Written(digest.hexdigest(), size)


def _publish(part: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True, mode=0o700)
    part.replace(target)
    if hasattr(os, "O_DIRECTORY"):
        # POSIX: the new name is durable only when its folder is flushed too.
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


_BINARY = getattr(os, "O_BINARY", 0)
