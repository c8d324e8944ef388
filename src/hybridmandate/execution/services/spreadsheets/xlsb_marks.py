"""Marks of xlsb: BIFF12 records in the parts of a package ([MS-XLSB] 2.1.4 and 2.4)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from hybridmandate.execution.services.spreadsheets.binary_records import error_text, rk_number
from hybridmandate.execution.services.spreadsheets.sheet_marks import (
    MAX_CELLS,
    MAX_SERIALS,
    BookMarks,
    DefinedTable,
    SheetMarks,
    check_sheet_count,
)
from hybridmandate.execution.services.spreadsheets.table import Unreadable
from hybridmandate.execution.services.spreadsheets.workbook_package import WorkbookPackage
from hybridmandate.execution.services.spreadsheets.xlsx_marks import relations_of

_ROW, _RK, _ERROR, _REAL = 0, 2, 3, 5
_FORMULA_TEXT, _FORMULA_NUMBER, _FORMULA_TRUTH, _FORMULA_ERROR = 8, 9, 10, 11
_LAST_CELL = _FORMULA_ERROR
_COLUMNS, _DIMENSION, _WORKBOOK, _SHEET, _MERGED, _TABLE = 60, 148, 153, 156, 176, 343
_TABLE_NAMES = 64
"""Where the two names stand in the record of a table, behind sixteen numbers."""
_MAX_RECORD = 16 * 1024 * 1024
_BOOK = "xl/workbook.bin"


def read_xlsb_marks(package: WorkbookPackage) -> BookMarks:
    """Marks of the workbook. :raises Unreadable: broken or beyond the limits."""
    sheets: dict[str, tuple[str, bool]] = {}
    uses_1904 = False
    for kind, data in _records(package.pieces(_BOOK)):
        if kind == _WORKBOOK:
            uses_1904 = bool(data[:1]) and bool(data[0] & 1)
        elif kind == _SHEET and len(data) >= 12:
            (state,) = struct.unpack_from("<I", data)
            relation, place = _text(data, 8)
            name, _ = _text(data, place)
            sheets[name] = (relation, state != 0)
            check_sheet_count(len(sheets))
    targets = relations_of(package, _BOOK)
    paths = {
        name: targets[relation][1]
        for name, (relation, _) in sheets.items()
        if relation in targets and targets[relation][0].endswith("/worksheet")
    }
    package.verify("xl/sharedStrings.bin")
    package.verify("xl/styles.bin")
    return BookMarks(
        kind="xlsb",
        sheets=tuple(paths),
        hidden=frozenset(name for name, (_, hidden) in sheets.items() if hidden),
        uses_1904=uses_1904,
        macros=package.has("xl/vbaProject.bin"),
        external_links=any("/externallinks/" in f"/{name}" for name in package.names),
        marks=lambda name: _sheet_with_tables(package, paths[name]),
    )


def _records(pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    buffer = b""
    place = 0
    for piece in pieces:
        buffer = buffer[place:] + piece
        place = 0
        while (head := _head(buffer, place)) is not None:
            kind, size, body = head
            if size > _MAX_RECORD:
                raise Unreadable("file.broken_workbook", f"a record of {size} bytes")
            if body + size > len(buffer):
                break
            yield kind, buffer[body : body + size]
            place = body + size
    if place != len(buffer):
        raise Unreadable("file.broken_workbook", "the workbook's records are cut off")


def _head(buffer: bytes, place: int) -> tuple[int, int, int] | None:
    """Type and size of the record at a place, and where its body begins; None when cut off."""
    if len(buffer) < place + 2:
        return None
    kind = buffer[place]
    place += 1
    if kind & 0x80:
        kind = (kind & 0x7F) | (buffer[place] & 0x7F) << 7
        place += 1
    size = 0
    for shift in (0, 7, 14, 21):
        if place >= len(buffer):
            return None
        byte = buffer[place]
        place += 1
        size |= (byte & 0x7F) << shift
        if not byte & 0x80:
            break
    return kind, size, place


def _text(data: bytes, place: int) -> tuple[str, int]:
    length = int.from_bytes(data[place : place + 4], "little")
    if length == 0xFFFFFFFF:
        return "", place + 4
    end = place + 4 + 2 * length
    if end > len(data):
        raise Unreadable("file.broken_workbook", "a text of the workbook is cut off")
    return data[place + 4 : end].decode("utf-16-le", "replace"), end


def _sheet_with_tables(package: WorkbookPackage, path: str) -> SheetMarks:
    marks = _sheet(package.pieces(path))
    for kind, target in relations_of(package, path).values():
        if kind.endswith("/table"):
            for record, data in _records(package.pieces(target)):
                if record == _TABLE:
                    _define(marks, data)
    return marks


def _define(marks: SheetMarks, data: bytes) -> None:
    """A defined table ([MS-XLSB], BrtBeginList): area, header rows, totals rows, names."""
    try:
        top, bottom, left, right, _, _, header, totals = struct.unpack_from("<8I", data)
    except struct.error:
        raise Unreadable("file.broken_workbook", "a table of the workbook is cut off") from None
    name, place = _text(data, _TABLE_NAMES)
    shown, _ = _text(data, place)
    if header:
        marks.define(DefinedTable(shown or name, (top, left, bottom, right), min(totals, 1)))


def _sheet(pieces: Iterable[bytes]) -> SheetMarks:
    marks = SheetMarks()
    row = 0
    try:
        for kind, data in _records(pieces):
            if kind == _ROW:
                (row,) = struct.unpack_from("<I", data)
                if data[11] & 0x10:
                    marks.hide_rows(row, row)
            elif 1 < kind <= _LAST_CELL:
                _take_cell(marks, kind, row, data)
            else:
                _take_other(marks, kind, data)
    except (struct.error, IndexError) as error:
        raise Unreadable("file.broken_workbook", f"a record is cut off: {error}") from None
    return marks


def _take_cell(marks: SheetMarks, kind: int, row: int, data: bytes) -> None:
    (column,) = struct.unpack_from("<I", data)
    marks.reach(row, column)
    if kind in (_ERROR, _FORMULA_ERROR):
        marks.errors[row, column] = error_text(data[8])
    elif kind == _FORMULA_NUMBER:
        marks.take_formula(struct.unpack_from("<d", data, 8)[0])
    elif kind in (_FORMULA_TEXT, _FORMULA_TRUTH):
        empty = kind == _FORMULA_TEXT and data[8:12] == bytes(4)
        marks.take_formula("" if empty else "text or truth")
    elif kind in (_RK, _REAL) and len(marks.serials) < MAX_SERIALS:
        packed = data[8:16]
        marks.serials[row, column] = (
            rk_number(struct.unpack_from("<I", packed)[0])
            if kind == _RK
            else struct.unpack_from("<d", packed)[0]
        )


def _take_other(marks: SheetMarks, kind: int, data: bytes) -> None:
    if kind == _COLUMNS:
        first, last = struct.unpack_from("<II", data)
        if data[16] & 1:
            marks.hide_columns(first, last)
    elif kind == _MERGED:
        top, bottom, left, right = struct.unpack_from("<IIII", data)
        marks.merge((top, left, bottom, right))
    elif kind == _DIMENSION:
        top, bottom, left, right = struct.unpack_from("<IIII", data)
        if bottom >= top and right >= left and (bottom - top + 1) * (right - left + 1) > MAX_CELLS:
            raise Unreadable(
                "file.too_many_cells", f"the sheet claims {bottom + 1} rows, {right + 1} columns"
            )
