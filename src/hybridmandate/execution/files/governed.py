"""Files as an operation sees them: bound to the caller and the transaction, every access evidence.

A file may be read by the principal that stored it and by those that the manifest lists. Its
correlation id is the transaction that it belongs to; a reading under another one is allowed to the
same principals (a person looks later) and the evidence names both.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from hybridmandate.contracts import Caller, FailureType, Refused, StoredFile
from hybridmandate.evidence.record import Record, Recorder, Tier
from hybridmandate.execution.files.catalogue import FileCatalogue, FileEntry
from hybridmandate.execution.files.content import FileContent, FileTooLarge
from hybridmandate.execution.uninterrupted import uninterrupted

CLEAN_UP_BATCH = 500


def new_handle() -> str:
    """A handle that cannot be guessed: 160 random bits."""
    return f"f-{secrets.token_hex(20)}"


@dataclass(frozen=True, slots=True)
class FileStore:
    """The whole store: content, catalogue and rules. ``readers`` are application ids."""

    content: FileContent
    catalogue: FileCatalogue
    recorder: Recorder
    readers: frozenset[str]
    limit_bytes: int
    retention_seconds: float
    clock: Callable[[], float] = time.time
    handles: Callable[[], str] = new_handle

    def for_call(self, *, caller: Caller, correlation_id: str, call_key: str) -> GovernedFiles:
        """The store as one call sees it; ``call_key`` is the same when that call runs again."""
        return GovernedFiles(self, caller, correlation_id, call_key)

    async def clean_up(self) -> int:
        """Remove files past their retention and what crashes left; returns how many.

        Safe to interrupt and to repeat, and to run in several processes at once.
        """
        removed = await self.content.sweep(self.clock())
        while True:
            handles = await asyncio.to_thread(self.catalogue.expired, self.clock(), CLEAN_UP_BATCH)
            for handle in handles:
                await self.content.remove(handle)
                await asyncio.to_thread(self.catalogue.forget, handle)
                self.note("file.expired", handle, None, None, "succeeded", {})
            removed += len(handles)
            if len(handles) < CLEAN_UP_BATCH:
                return removed

    def note(
        self,
        kind: str,
        handle: str,
        caller: Caller | None,
        correlation_id: str | None,
        outcome: str,
        detail: dict[str, object],
        failure_type: str | None = None,
    ) -> None:
        self.recorder.record(
            Record(
                time_ns=int(self.clock() * 1e9),
                tier=Tier.EXECUTION,
                kind=kind,
                subject=handle[:64],
                correlation_id=correlation_id,
                principal=None if caller is None else caller.object_id,
                outcome=outcome,
                failure_type=failure_type,
                detail=detail,
            )
        )


class GovernedFiles:
    """:class:`hybridmandate.contracts.Files` for one call."""

    def __init__(
        self, store: FileStore, caller: Caller, correlation_id: str, call_key: str
    ) -> None:
        self._store = store
        self._caller = caller
        self._correlation_id = correlation_id
        self._call_key = call_key
        self._stored = 0

    async def store(
        self, stream: AsyncIterator[bytes], *, content_type: str, file_name: str | None
    ) -> StoredFile:
        place = self._stored
        self._stored += 1
        handle = self._store.handles()
        try:
            written = await self._store.content.write(handle, stream, limit=self._store.limit_bytes)
        except FileTooLarge:
            limit = self._store.limit_bytes
            raise Refused(
                FailureType.PAYLOAD_TOO_LARGE,
                f"the file is larger than the {limit} bytes that the file store takes",
                reason="file.limit",
            ) from None
        except BaseException:
            # Cancelled at the end of the writing: content without an entry would never be found.
            await self._store.content.remove(handle)
            raise
        now = self._store.clock()
        entry = FileEntry(
            handle=handle,
            origin=f"{self._call_key}/{place}/{written.digest}",
            digest=written.digest,
            size=written.size,
            content_type=content_type,
            file_name=file_name,
            correlation_id=self._correlation_id,
            owner_app_id=self._caller.app_id,
            owner_object_id=self._caller.object_id,
            stored_at=now,
            expires_at=now + self._store.retention_seconds,
        )
        return _stored(await uninterrupted(self._entered(entry)))

    async def _entered(self, entry: FileEntry) -> FileEntry:
        """The entry that stands for a content that is there."""
        try:
            standing = await asyncio.to_thread(self._store.catalogue.add, entry)
        except BaseException:
            await self._store.content.remove(entry.handle)
            raise
        if standing.handle != entry.handle:
            # The same effect of an earlier attempt of this call: its file stands, this one goes.
            await self._store.content.remove(entry.handle)
        self._note("file.stored", standing, replayed=standing.handle != entry.handle)
        return standing

    async def describe(self, handle: str) -> StoredFile:
        return _stored(await self._allowed(handle))

    async def read(self, handle: str) -> AsyncIterator[bytes]:
        entry = await self._allowed(handle)
        try:
            async for chunk in self._store.content.read(entry.handle):
                yield chunk
        except FileNotFoundError:
            raise self._unknown(handle, "file.content_missing") from None
        self._note("file.read", entry)

    async def local_path(self, handle: str) -> str:
        entry = await self._allowed(handle)
        try:
            path = await self._store.content.local_path(entry.handle)
        except FileNotFoundError:
            raise self._unknown(handle, "file.content_missing") from None
        self._note("file.read", entry)
        return path

    async def _allowed(self, handle: str) -> FileEntry:
        entry = await asyncio.to_thread(self._store.catalogue.find, handle)
        if entry is None or entry.expires_at <= self._store.clock():
            raise self._unknown(handle, "file.unknown")
        if self._caller.app_id == entry.owner_app_id or self._caller.app_id in self._store.readers:
            return entry
        self._refuse(handle, "file.not_a_reader", FailureType.FORBIDDEN)
        raise Refused(
            FailureType.FORBIDDEN,
            "this principal did not store the file and is not one of its readers",
            reason="file.not_a_reader",
        )

    def _unknown(self, handle: str, reason: str) -> Refused:
        self._refuse(handle, reason, FailureType.NOT_FOUND)
        return Refused(
            FailureType.NOT_FOUND,
            "there is no such file: it was never stored, or its retention has passed",
            reason=reason,
        )

    def _refuse(self, handle: str, reason: str, failure: FailureType) -> None:
        self._store.note(
            "file.refused",
            handle,
            self._caller,
            self._correlation_id,
            "refused",
            {"reason": reason},
            failure,
        )

    def _note(self, kind: str, entry: FileEntry, *, replayed: bool = False) -> None:
        self._store.note(
            kind,
            entry.handle,
            self._caller,
            self._correlation_id,
            "replayed" if replayed else "succeeded",
            {
                "digest": entry.digest,
                "size": entry.size,
                "contentType": entry.content_type,
                "fileCorrelationId": entry.correlation_id,
            },
        )


def _stored(entry: FileEntry) -> StoredFile:
    return StoredFile(
        handle=entry.handle,
        digest=entry.digest,
        size=entry.size,
        content_type=entry.content_type,
        file_name=entry.file_name,
        correlation_id=entry.correlation_id,
    )
