"""Opening a file of any supported kind."""

from __future__ import annotations

from pathlib import Path

from hybridmandate.execution.services.spreadsheets.compressed import unpacked
from hybridmandate.execution.services.spreadsheets.profile import Profile
from hybridmandate.execution.services.spreadsheets.table import (
    Batch,
    Reading,
    Sheet,
    Unreadable,
    whole_sheet,
)
from hybridmandate.execution.services.spreadsheets.text_content import open_content
from hybridmandate.execution.services.spreadsheets.text_reader import TextOptions, read_text
from hybridmandate.execution.services.spreadsheets.workbook_reader import (
    looks_like_workbook,
    read_workbook,
)


def open_reading(content: bytes | Path, profile: Profile | None = None) -> Reading:
    """Begin to read a file; a profile may declare its dialect, encoding and worksheet.

    :raises Unreadable: when it is no table, broken, encrypted or beyond the limits.
    """
    buffer = open_content(content)
    if not len(buffer):
        raise Unreadable("file.empty", "the file is empty")
    options = profile.reader if profile is not None else None
    note = None
    if buffer[:2] == b"\x1f\x8b" or buffer[:4] == b"PK\x03\x04":
        buffer, note = unpacked(bytes(buffer))
        if not buffer:
            raise Unreadable("file.empty", "the file in the archive is empty")
    if looks_like_workbook(buffer[:8]):
        sheet = read_workbook(bytes(buffer), None if options is None else options.sheet)
        reading = Reading(
            dict(sheet.source),
            tuple(sheet.notes),
            True,
            [lambda: Batch(sheet.frame, sheet.width)],
            merged=sheet.merged,
            rows_hint=sheet.height,
        )
    else:
        declared = TextOptions()
        if options is not None:
            declared = TextOptions(options.delimiter, options.quote, options.fallback_encoding)
        reading = read_text(buffer, declared)
    if note is None:
        return reading
    return Reading(
        reading.source,
        (note, *reading.notes),
        reading.has_kinds,
        reading.batches,
        reading.raw,
        reading.merged,
        reading.rows_hint,
    )


def read_file(content: bytes | Path) -> Sheet:
    """Read a whole file without any profile. :raises Unreadable: when it is no table."""
    return whole_sheet(open_reading(content))
