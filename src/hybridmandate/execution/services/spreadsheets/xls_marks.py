"""Marks of xls: the records of its workbook stream ([MS-XLS] 2.4), Excel 5 to 2003."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from hybridmandate.execution.services.spreadsheets.binary_records import error_text, rk_number
from hybridmandate.execution.services.spreadsheets.ole_file import BrokenContainer, OleFile
from hybridmandate.execution.services.spreadsheets.sheet_marks import (
    MAX_SERIALS,
    BookMarks,
    SheetMarks,
    check_cells,
    check_sheet_count,
)
from hybridmandate.execution.services.spreadsheets.table import Unreadable

_BOF, _EOF, _BOUND_SHEET, _FILE_PASS, _DATE_MODE, _SUP_BOOK = 0x809, 0x0A, 0x85, 0x2F, 0x22, 0x1AE
_ROW, _COLUMNS, _MERGED, _DIMENSIONS = 0x208, 0x7D, 0xE5, 0x200
_NUMBER, _RK, _MULTIPLE_RK, _FORMULA, _BOOLEAN_OR_ERROR = 0x203, 0x27E, 0xBD, 0x06, 0x205
_OTHER_CELLS = frozenset({0x204, 0xFD, 0xD6})
_WORKSHEET = 0
_ERROR_VALUE, _BLANK_VALUE = 2, 3
_MAX_ROWS, _MAX_COLUMNS = 65_536, 256


@dataclass(frozen=True, slots=True)
class _BoundSheet:
    name: str
    start: int
    hidden: bool
    worksheet: bool


def read_xls_marks(content: bytes) -> BookMarks:
    """Marks of the workbook. :raises Unreadable: broken, encrypted or beyond the limits."""
    try:
        container = OleFile(content)
        names = container.names
        if "encryptedpackage" in names:
            raise Unreadable("file.encrypted", "the workbook is protected by a password")
        stream = container.stream("Workbook") or container.stream("Book")
    except BrokenContainer as error:
        if "EncryptedPackage".encode("utf-16-le") in content:
            raise Unreadable("file.encrypted", "the workbook is protected by a password") from None
        raise Unreadable("file.broken_workbook", f"the workbook is broken: {error}") from None
    if stream is None:
        raise Unreadable("file.not_a_spreadsheet", "the file is an OLE container, not a workbook")
    sheets, uses_1904, links = _globals(stream)
    # Calamine reads all sheets of this format at once: their limits are checked before.
    marks = {each.name: _sheet(stream, each) for each in sheets}
    check_cells(marks.values())
    return BookMarks(
        kind="xls",
        sheets=tuple(each.name for each in sheets if each.worksheet),
        hidden=frozenset(each.name for each in sheets if each.hidden),
        uses_1904=uses_1904,
        macros=any(name.startswith(("_vba_project", "vba")) for name in names),
        external_links=links,
        marks=lambda name: marks[name],
    )


def _records(stream: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """Records of a substream, from its BOF to its EOF; charts inside it are passed over."""
    place, depth = start, 0
    while place + 4 <= len(stream):
        kind, size = struct.unpack_from("<HH", stream, place)
        data = stream[place + 4 : place + 4 + size]
        if len(data) < size:
            raise Unreadable("file.broken_workbook", "the workbook's records are cut off")
        place += 4 + size
        depth += (kind == _BOF) - (kind == _EOF)
        if depth <= 1:
            yield kind, data
        if depth <= 0:
            return


def _globals(stream: bytes) -> tuple[list[_BoundSheet], bool, bool]:
    sheets: list[_BoundSheet] = []
    uses_1904 = links = False
    wide_names = True
    for kind, data in _records(stream, 0):
        if kind == _BOF and len(data) >= 2:
            wide_names = data[:2] == b"\x00\x06"
        elif kind == _FILE_PASS:
            raise Unreadable("file.encrypted", "the workbook is protected by a password")
        elif kind == _DATE_MODE:
            uses_1904 = data[:1] == b"\x01"
        elif kind == _SUP_BOOK:
            links |= len(data) > 4
        elif kind == _BOUND_SHEET and len(data) >= 8:
            sheets.append(_bound_sheet(data, wide_names=wide_names))
            check_sheet_count(len(sheets))
    return sheets, uses_1904, links


def _bound_sheet(data: bytes, *, wide_names: bool) -> _BoundSheet:
    (start,) = struct.unpack_from("<I", data)
    if not wide_names:
        name = data[7 : 7 + data[6]].decode("cp1252", "replace")
    elif data[7] & 1:
        name = data[8 : 8 + 2 * data[6]].decode("utf-16-le", "replace")
    else:
        name = data[8 : 8 + data[6]].decode("latin-1")
    return _BoundSheet(name, start, data[4] & 3 != 0, data[5] == _WORKSHEET)


def _sheet(stream: bytes, sheet: _BoundSheet) -> SheetMarks:
    marks = SheetMarks()
    try:
        for kind, data in _records(stream, sheet.start):
            _take(marks, kind, data)
    except (struct.error, IndexError) as error:
        raise Unreadable("file.broken_workbook", f"a record is cut off: {error}") from None
    return marks


def _take(marks: SheetMarks, kind: int, data: bytes) -> None:
    if kind == _DIMENSIONS and len(data) >= 14:
        _, rows, _, columns = struct.unpack_from("<IIHH", data)
        if rows > _MAX_ROWS + 1 or columns > _MAX_COLUMNS + 1:
            raise Unreadable(
                "file.too_many_cells", f"the sheet claims {rows} rows and {columns} columns"
            )
    elif kind == _ROW:
        (row,) = struct.unpack_from("<H", data)
        if data[12] & 0x20:
            marks.hide_rows(row, row)
    elif kind == _COLUMNS:
        first, last = struct.unpack_from("<HH", data)
        if data[8] & 1:
            marks.hide_columns(first, last)
    elif kind == _MERGED:
        (count,) = struct.unpack_from("<H", data)
        for number in range(min(count, (len(data) - 2) // 8)):
            top, bottom, left, right = struct.unpack_from("<HHHH", data, 2 + 8 * number)
            marks.merge((top, left, bottom, right))
    elif kind == _MULTIPLE_RK:
        row, column = struct.unpack_from("<HH", data)
        for number in range((len(data) - 6) // 6):
            (packed,) = struct.unpack_from("<I", data, 6 + 6 * number)
            _number(marks, (row, column + number), rk_number(packed))
    elif kind in (_NUMBER, _RK, _FORMULA, _BOOLEAN_OR_ERROR) or kind in _OTHER_CELLS:
        _take_cell(marks, kind, data)


def _take_cell(marks: SheetMarks, kind: int, data: bytes) -> None:
    place = struct.unpack_from("<HH", data)
    marks.reach(*place)
    if kind == _NUMBER:
        _number(marks, place, struct.unpack_from("<d", data, 6)[0])
    elif kind == _RK:
        _number(marks, place, rk_number(struct.unpack_from("<I", data, 6)[0]))
    elif kind == _BOOLEAN_OR_ERROR and data[7]:
        marks.errors[place] = error_text(data[6])
    elif kind == _FORMULA:
        _take_formula(marks, place, data)


def _take_formula(marks: SheetMarks, place: tuple[int, int], data: bytes) -> None:
    """The stored value of a formula ([MS-XLS] 2.5.133, FormulaValue)."""
    if data[12:14] != b"\xff\xff":
        marks.take_formula(struct.unpack_from("<d", data, 6)[0])
    elif data[6] == _ERROR_VALUE:
        marks.errors[place] = error_text(data[8])
    else:
        marks.take_formula("" if data[6] == _BLANK_VALUE else "text or truth")


def _number(marks: SheetMarks, place: tuple[int, int], value: float) -> None:
    marks.reach(*place)
    if len(marks.serials) < MAX_SERIALS:
        marks.serials[place] = value
