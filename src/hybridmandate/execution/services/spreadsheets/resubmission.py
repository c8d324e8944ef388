"""Which submission a corrected file belongs to: said by the call, or by the workbook itself.

The workbook of rejected rows carries two document properties (ECMA-376 part 1, 15.2.12.2). They
are a claim and give no right: the file store decides whether the caller may read what they name,
and its own record says to which transaction that belongs.
"""

from __future__ import annotations

import asyncio
import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from lxml import etree

from hybridmandate.contracts import Call, FailureType, Refused, RowError
from hybridmandate.execution.services.spreadsheets.accepted_file import PARQUET

CORRELATION_PROPERTY = "mandateCorrelationId"
HANDLE_PROPERTY = "mandateAcceptedRows"
MAX_BEFORE_ROWS = 5_000_000
MAX_BEFORE_BYTES = 1024 * 1024 * 1024
"""Rows, and bytes in memory, of an earlier result that a file is compared with."""
_ROWS_AT_ONCE = 100_000
_PART = "docProps/custom.xml"
_MAX_PART = 64 * 1024
_MAX_VALUE = 200


@dataclass(frozen=True, slots=True)
class Submission:
    """A submission by its correlation id and the handle of its accepted rows (Parquet)."""

    correlation_id: str
    accepted_handle: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """The submission that a file corrects, and the rows that were accepted then."""

    correlation_id: str | None = None
    accepted: pl.DataFrame | None = None
    warning: RowError | None = None
    """Why the reference in a workbook was not followed."""


def reference_in(content: bytes | Path) -> Submission | None:
    """The reference that a workbook carries; None for every other file."""
    source = io.BytesIO(content) if isinstance(content, bytes) else content
    try:
        with zipfile.ZipFile(source) as package:
            if package.getinfo(_PART).file_size > _MAX_PART:
                return None
            found = _properties(package.read(_PART))
    except (
        zipfile.BadZipFile,
        KeyError,
        OSError,
        RuntimeError,  # an encrypted part
        NotImplementedError,  # an unknown compression
        EOFError,
        zlib.error,
        etree.XMLSyntaxError,
    ):
        return None
    if CORRELATION_PROPERTY not in found or HANDLE_PROPERTY not in found:
        return None
    return Submission(found[CORRELATION_PROPERTY], found[HANDLE_PROPERTY])


def _properties(part: bytes) -> dict[str, str]:
    """Text properties by name."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    found = {}
    for each in etree.fromstring(part, parser):
        name, text = each.get("name"), "".join(map(str, each.itertext()))
        if name is not None and len(text) <= _MAX_VALUE:
            found[name] = text
    return found


async def earlier_submission(
    call: Call, content: bytes | Path, resubmission_of: str | None, accepted_before: str | None
) -> Earlier:
    """What the call names, else what the workbook names and the file store confirms.

    :raises Refused: when the call names a file that cannot be read.
    """
    if resubmission_of is not None or accepted_before is not None:
        accepted = None if accepted_before is None else await _accepted(call, accepted_before)
        return Earlier(resubmission_of, accepted)
    claimed = await asyncio.to_thread(reference_in, content)
    if claimed is None:
        return Earlier()
    try:
        stored = await call.files.describe(claimed.accepted_handle)
        if (stored.correlation_id, stored.content_type) != (claimed.correlation_id, PARQUET):
            return Earlier(warning=_not_followed(call, "resubmission.another_transaction"))
        accepted = await _accepted(call, claimed.accepted_handle)
    except Refused as refused:
        return Earlier(warning=_not_followed(call, refused.reason or "resubmission.refused"))
    return Earlier(claimed.correlation_id, accepted)


def _not_followed(call: Call, reason: str) -> RowError:
    call.note("decision", "resubmission.not_followed", reason=reason)
    message = "the workbook names an earlier submission that this caller cannot be linked to"
    return RowError(code="resubmission.not_followed", message=message)


async def _accepted(call: Call, handle: str) -> pl.DataFrame:
    stored = await call.files.describe(handle)
    if stored.content_type != PARQUET:
        # No upload has this type: what is opened here was written by the service itself.
        raise _not_parquet()
    path = Path(await call.files.local_path(handle))
    try:
        return await asyncio.to_thread(read_accepted, path)
    except pl.exceptions.PolarsError:
        raise _not_parquet() from None


def read_accepted(
    path: Path, *, most_rows: int = MAX_BEFORE_ROWS, most_bytes: int = MAX_BEFORE_BYTES
) -> pl.DataFrame:
    """The rows of a stored result, read piece by piece within a bound of rows and memory.

    :raises Refused: ``payload_too_large`` beyond it.
    """
    lazy = pl.scan_parquet(path)
    rows = int(lazy.select(pl.len()).collect().item())
    if rows > most_rows:
        raise _too_large(f"{rows} rows, and {most_rows} are compared")
    pieces = [lazy.head(0).collect()]
    size = 0
    for start in range(0, rows, _ROWS_AT_ONCE):
        piece = lazy.slice(start, _ROWS_AT_ONCE).collect()
        size += int(piece.estimated_size())
        if size > most_bytes:
            raise _too_large(f"more than {most_bytes} bytes of values")
        pieces.append(piece)
    return pl.concat(pieces)


def _not_parquet() -> Refused:
    return Refused(
        FailureType.VALIDATION_ERROR,
        "acceptedBefore is not an acceptedParquetHandle of this operation",
        reason="resubmission.not_parquet",
    )


def _too_large(what: str) -> Refused:
    return Refused(
        FailureType.PAYLOAD_TOO_LARGE,
        f"the accepted rows of the earlier submission have {what}: send the rejected rows alone",
        reason="resubmission.too_large",
    )
