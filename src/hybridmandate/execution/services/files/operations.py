"""Operations ``files.store`` and ``files.read``: the only way in and out of the file store."""

from __future__ import annotations

from dataclasses import replace

from hybridmandate.contracts import (
    Call,
    Download,
    Limits,
    Operation,
    Upload,
    WireModel,
    operation,
)
from hybridmandate.contracts.declaration import declared_operation
from hybridmandate.contracts.quantities import parse_size

MAX_SIZE = "32 MiB"
"""The largest file where the solution's ``[files] max_size`` says nothing else."""
_SENT_A_SECOND = 1024 * 1024
_MOST_SECONDS = 110
"""A flow waits 120 s for an answer ('Limits of automated, scheduled, and instant flows')."""

SPREADSHEETS = frozenset(
    {
        "text/csv",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.ms-excel",
        "application/vnd.oasis.opendocument.spreadsheet",
    }
)
MEDIA_TYPES = SPREADSHEETS | {"application/octet-stream", "text/plain"}


class Stored(WireModel):
    """A stored file: an opaque handle; ``digest`` is SHA-256 in hex, ``size`` bytes."""

    handle: str
    digest: str
    size: int
    content_type: str
    file_name: str | None


class ReadFile(WireModel):
    """Which file to read."""

    handle: str


@operation(
    "files.store",
    version=1,
    role="Files.Store",
    limits=Limits(payload=MAX_SIZE, timeout="60 s"),
    media_types=MEDIA_TYPES,
)
async def store(request: Upload, call: Call) -> Stored:
    """Keep a file in the governed file store and answer with its handle.

    The file belongs to the transaction and is readable by the principal that stored it and by
    those that the solution's manifest lists.
    """
    kept = await call.files.store(
        request.stream, content_type=request.content_type, file_name=request.file_name
    )
    return Stored(
        handle=kept.handle,
        digest=kept.digest,
        size=kept.size,
        content_type=kept.content_type,
        file_name=kept.file_name,
    )


@operation(
    "files.read", version=1, role="Files.Read", limits=Limits(payload="4 KiB", timeout="60 s")
)
async def read(request: ReadFile, call: Call) -> Download:
    """Give a file of the governed file store, as it was stored."""
    file = await call.files.describe(request.handle)
    return Download(
        stream=call.files.read(request.handle),
        content_type=file.content_type,
        size=file.size,
        file_name=file.file_name,
        headers={"x-file-digest": file.digest},
    )


def file_operations(max_size: str = MAX_SIZE) -> list[Operation]:
    """The operations of the file store, which takes files up to ``max_size``.

    A sender that manages 1 MiB/s gets any file through, as far as flows wait for an answer.
    """
    taken, given = declared_operation(store), declared_operation(read)
    assert taken is not None
    assert given is not None
    seconds = min(max(60, parse_size(max_size) // _SENT_A_SECOND), _MOST_SECONDS)
    limits = replace(taken.limits, payload=max_size, timeout=f"{seconds} s")
    return [replace(taken, limits=limits), given]
