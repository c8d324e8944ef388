"""Opening a file of any supported kind."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hybridmandate.execution.services.spreadsheets.byte_facts import Buffer
from hybridmandate.execution.services.spreadsheets.compressed import unpacked
from hybridmandate.execution.services.spreadsheets.profile import Profile, ReaderOptions
from hybridmandate.execution.services.spreadsheets.sheet_choice import Recognise, choose_sheet
from hybridmandate.execution.services.spreadsheets.structure import HEADER_SEARCH_ROWS, find_table
from hybridmandate.execution.services.spreadsheets.table import (
    FIRST_LINE,
    Batch,
    Decision,
    Reading,
    Sheet,
    Unreadable,
    whole_sheet,
)
from hybridmandate.execution.services.spreadsheets.text_content import open_content
from hybridmandate.execution.services.spreadsheets.text_reader import TextOptions, read_text
from hybridmandate.execution.services.spreadsheets.workbook_reader import (
    MAX_FILE,
    Workbook,
    looks_like_workbook,
)

_PROBE = 1 << 16
_MOST_CONTROLS = 0.02
_CONTROLS = bytes(set(range(1, 32)) - set(b"\t\n\v\f\r\x1a\x1b"))


def open_reading(content: bytes | Path, profile: Profile | None = None) -> Reading:
    """Begin to read a file; a profile may declare its dialect, encoding and worksheet.

    Of several sheets or defined tables the one is read in which the profile's table stands.

    :raises Unreadable: when it is no table, broken, encrypted or beyond the limits.
    """
    if profile is None:
        return open_declared(content, ReaderOptions(), lambda sheet: None)
    return open_declared(content, profile.reader, lambda sheet: _recognised(sheet, profile))


def open_declared(content: bytes | Path, options: ReaderOptions, recognise: Recognise) -> Reading:
    """Begin to read a file of which only the reader's options are declared.

    :raises Unreadable: like :func:`open_reading`.
    """
    buffer = open_content(content)
    if not len(buffer):
        raise Unreadable("file.empty", "the file is empty")
    buffer, note = _unpacked(buffer)
    if looks_like_workbook(buffer[:8]):
        reading = _workbook(buffer, options.sheet, recognise)
    else:
        _refuse_binary(bytes(buffer[:_PROBE]))
        declared = TextOptions(options.delimiter, options.quote, options.fallback_encoding)
        reading = read_text(buffer, declared)
    return reading if note is None else replace(reading, notes=(note, *reading.notes))


def _refuse_binary(head: bytes) -> None:
    """Text has next to no control characters; half of UTF-16 may look like them, so it is spared.

    :raises Unreadable: ``file.binary``.
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or head.count(0) * 10 > len(
        head
    ):
        return
    if len(head) - len(head.translate(None, _CONTROLS)) > max(8, len(head) * _MOST_CONTROLS):
        raise Unreadable("file.binary", "the file is binary, not a table")


def _unpacked(buffer: Buffer) -> tuple[Buffer, Decision | None]:
    if buffer[:2] != b"\x1f\x8b" and buffer[:4] != b"PK\x03\x04":
        return buffer, None
    if len(buffer) > MAX_FILE:
        raise Unreadable("file.too_large", f"a packed file may have {MAX_FILE} bytes")
    inner, note = unpacked(bytes(buffer))
    if not inner:
        raise Unreadable("file.empty", "the file in the archive is empty")
    return inner, note


def _workbook(buffer: Buffer, wanted: str | None, recognise: Recognise) -> Reading:
    if len(buffer) > MAX_FILE:
        raise Unreadable("file.too_large", f"a workbook may have {MAX_FILE} bytes")
    sheet = choose_sheet(Workbook(bytes(buffer)), wanted, recognise)
    makers: list[Callable[[], Batch]] = [lambda: Batch(sheet.frame, sheet.width)]
    return Reading(
        dict(sheet.source),
        tuple(sheet.notes),
        True,
        makers,
        merged=sheet.merged,
        rows_hint=sheet.height,
    )


def _recognised(sheet: Sheet, profile: Profile) -> str | None:
    """Where the header of the profile's table stands in a sheet, None when it does not."""
    head = [sheet.texts(row) for row in range(min(sheet.height, HEADER_SEARCH_ROWS))]
    try:
        found = find_table(head, sheet.frame[FIRST_LINE].to_list(), profile)
    except Unreadable as unreadable:
        # Two readings of one sheet are for the caller to see, not a reason to take another sheet.
        return unreadable.message if unreadable.reason.startswith("table.ambiguous") else None
    shown = " | ".join(match.header for match in found.matches)
    return f"header on line {found.header_line}: {shown[:200]}"


def read_file(content: bytes | Path) -> Sheet:
    """Read a whole file without any profile: of a workbook the first visible sheet with cells.

    :raises Unreadable: when it is no table.
    """
    return whole_sheet(open_reading(content))
