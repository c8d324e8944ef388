"""The files of a result, written on disk and stored one after the other: never a file in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

from hybridmandate.contracts import Call, FailureType, Refused, RowError
from hybridmandate.execution.services.spreadsheets.accepted_file import (
    PARQUET,
    accepted_lines,
    accepted_parquet,
)
from hybridmandate.execution.services.spreadsheets.file_result import Normalization
from hybridmandate.execution.services.spreadsheets.rejected_file import (
    MEDIA_TYPE,
    rejected_workbook,
)
from hybridmandate.execution.services.spreadsheets.resubmission import Submission
from hybridmandate.execution.uninterrupted import uninterrupted

_CHUNK = 256 * 1024
_LINES = "application/x-ndjson"


@dataclass(slots=True)
class ResultHandles:
    """Handles of the stored files; None where there is nothing to store, or no room for it."""

    accepted: str | None = None
    parquet: str | None = None
    errors: str | None = None
    rejected: str | None = None
    warnings: list[RowError] = field(default_factory=list)


async def store_result(call: Call, result: Normalization, folder: Path) -> ResultHandles:
    """Write each file into a folder and keep it in the file store.

    A file that the store has no room for is left out with a warning that names it. A call that is
    cancelled meanwhile leaves whole files behind, which its repeat finds again, and no half one.
    """
    handles = ResultHandles()

    async def keep(name: str, content_type: str, write: Callable[[Path], None]) -> str | None:
        target = folder / name
        try:
            # The folder goes with the call: nothing may write there any more when it does.
            await uninterrupted(asyncio.to_thread(write, target), result.give_up)
            stored = await call.files.store(
                _chunks(target), content_type=content_type, file_name=name
            )
        except Refused as refused:
            if refused.type is not FailureType.PAYLOAD_TOO_LARGE:
                raise
            message = f"{name} is larger than the file store takes and was not kept"
            handles.warnings.append(RowError(code="result.too_large", message=message))
            return None
        finally:
            target.unlink(missing_ok=True)
        return stored.handle

    handles.accepted = await keep("accepted.jsonl", _LINES, lambda p: accepted_lines(result, p))
    handles.parquet = await keep("accepted.parquet", PARQUET, lambda p: accepted_parquet(result, p))
    if result.count_by_rule():
        handles.errors = await keep("errors.jsonl", _LINES, lambda p: _error_lines(result, p))
    if result.rejected_count:
        reference = None
        if handles.parquet is not None:
            reference = Submission(call.correlation_id, handles.parquet)
        handles.rejected = await keep(
            "rejected-rows.xlsx", MEDIA_TYPE, lambda p: rejected_workbook(result, p, reference)
        )
    return handles


def _error_lines(result: Normalization, target: Path) -> None:
    with target.open("wb") as stream:
        for kept in result.each_kept():
            result.error_lines(kept, "error").write_ndjson(stream)


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
