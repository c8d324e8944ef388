"""Writes small workbooks in the formats that no maintained library writes: xls, xlsb, ods.

Only what the tests need, from the published formats ([MS-CFB], [MS-XLS], [MS-XLSB], OpenDocument):
texts, numbers, dates, errors, hidden rows, columns and sheets, merges, defined tables.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from xml.sax.saxutils import escape

ZIP_TIME = (2026, 1, 1, 0, 0, 0)
ERROR_CODES = {"#NULL!": 0, "#DIV/0!": 7, "#VALUE!": 15, "#REF!": 23, "#NAME?": 29, "#N/A": 42}


@dataclass(frozen=True)
class MadeFormula:
    """The formula ``=1`` with a number that is stored as its value, whatever it is."""

    stored: float


Cell = str | float | date | MadeFormula | None
_ONE = b"\x1e\x01\x00"
"""The number 1 as a formula ([MS-XLS] 2.5.198.66, PtgInt)."""


@dataclass(frozen=True)
class MadeSheet:
    """A sheet to be written; texts that are names of errors become error cells."""

    name: str
    rows: Sequence[Sequence[Cell]]
    hidden_rows: frozenset[int] = frozenset()
    hidden_columns: frozenset[int] = frozenset()
    hidden: bool = False
    merged: Sequence[tuple[int, int, int, int]] = field(default_factory=tuple)
    tables: Sequence[MadeTable] = field(default_factory=tuple)


@dataclass(frozen=True)
class MadeTable:
    """A defined table: top, left, bottom and right of its area, and how many totals rows it has."""

    name: str
    area: tuple[int, int, int, int]
    totals: int = 0


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip whose bytes are the same every time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_TIME), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def replaced(package: bytes, changes: Mapping[str, bytes | None]) -> bytes:
    """A zip with other or further parts; None takes one away."""
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files |= {name: content for name, content in changes.items() if content is not None}
    return zipped({n: c for n, c in files.items() if changes.get(n, c) is not None})


def serial(day: date, *, since_1904: bool = False) -> int:
    """A date as spreadsheets count it."""
    return day.toordinal() - (date(1904, 1, 1) if since_1904 else date(1899, 12, 30)).toordinal()


# --- xls -------------------------------------------------------------------------------------


def ole_container(streams: Mapping[str, bytes]) -> bytes:
    """A compound file of sectors of 512 bytes; every stream is padded to at least 4,096 bytes."""
    sectors: list[bytes] = []
    following: list[int] = []

    def chain(content: bytes) -> int:
        first = len(sectors)
        pieces = [content[p : p + 512].ljust(512, b"\0") for p in range(0, len(content), 512)]
        for number, piece in enumerate(pieces):
            sectors.append(piece)
            following.append(first + number + 1 if number < len(pieces) - 1 else 0xFFFFFFFE)
        return first

    entries = [_directory_entry("Root Entry", 5, 0xFFFFFFFE, 0, child=1)]
    for number, (name, content) in enumerate(streams.items(), start=1):
        padded = content.ljust(4096, b"\0")
        right = number + 1 if number < len(streams) else 0xFFFFFFFF
        entries.append(_directory_entry(name, 2, chain(padded), len(padded), right=right))
    directory = chain(b"".join(entries))
    table_size = (len(following) + 128) // 127
    place = len(sectors)
    following += [0xFFFFFFFD] * table_size
    packed = struct.pack(f"<{len(following)}I", *following).ljust(512 * table_size, b"\xff")
    header = struct.pack(
        "<8s16sHHHHH6xIIIIIIIII",
        bytes.fromhex("D0CF11E0A1B11AE1"), b"", 0x3E, 3, 0xFFFE, 9, 6,
        0, table_size, directory, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0,
    )  # fmt: skip
    places = [place + n for n in range(table_size)] + [0xFFFFFFFF] * (109 - table_size)
    return header + struct.pack("<109I", *places) + b"".join(sectors) + packed


def _directory_entry(
    name: str, kind: int, start: int, size: int, *, right: int = 0xFFFFFFFF, child: int = 0xFFFFFFFF
) -> bytes:
    coded = name.encode("utf-16-le") + b"\0\0"
    return (
        coded.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(coded), kind, 1, 0xFFFFFFFF, right, child)
        + bytes(36)
        + struct.pack("<III", start, size, 0)
    )


def _record(kind: int, data: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


def xls_stream(
    sheets: Sequence[MadeSheet], *, since_1904: bool = False, extra_globals: bytes = b""
) -> bytes:
    """The workbook stream of an xls file."""
    bodies = [_xls_sheet(sheet, since_1904=since_1904) for sheet in sheets]

    def head(places: Sequence[int]) -> bytes:
        parts = [_record(0x809, struct.pack("<HHHHII", 0x600, 5, 0, 0, 0, 0)), extra_globals]
        parts.append(_record(0x22, struct.pack("<H", since_1904)))
        # Two cell formats: general, and the built-in date.
        parts += [_record(0xE0, struct.pack("<HHH", 0, n, 0) + bytes(14)) for n in (0, 14)]
        for sheet, place in zip(sheets, places, strict=True):
            name = sheet.name.encode("utf-16-le")
            fixed = struct.pack("<IBBBB", place, sheet.hidden, 0, len(sheet.name), 1)
            parts.append(_record(0x85, fixed + name))
        return b"".join([*parts, _record(0x0A)])

    start = len(head([0] * len(sheets)))
    places = []
    for body in bodies:
        places.append(start)
        start += len(body)
    return head(places) + b"".join(bodies)


def xls_book(sheets: Sequence[MadeSheet], *, since_1904: bool = False) -> bytes:
    """A whole xls file."""
    return ole_container({"Workbook": xls_stream(sheets, since_1904=since_1904)})


def _xls_sheet(sheet: MadeSheet, *, since_1904: bool) -> bytes:
    width = max(map(len, sheet.rows), default=0)
    parts = [_record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0, 0, 0, 0))]
    parts += [
        _record(0x7D, struct.pack("<HHHHHH", c, c, 2340, 0, 1, 0)) for c in sheet.hidden_columns
    ]
    parts.append(_record(0x200, struct.pack("<IIHHH", 0, len(sheet.rows), 0, width, 0)))
    for row in sorted(sheet.hidden_rows):
        parts.append(_record(0x208, struct.pack("<HHHHHHI", row, 0, width, 255, 0, 0, 0x20)))
    for row, cells in enumerate(sheet.rows):
        for column, cell in enumerate(cells):
            parts.append(_xls_cell(row, column, cell, since_1904=since_1904))
    if sheet.merged:
        areas = b"".join(struct.pack("<HHHH", t, b, le, r) for t, le, b, r in sheet.merged)
        parts.append(_record(0xE5, struct.pack("<H", len(sheet.merged)) + areas))
    return b"".join([*parts, _record(0x0A)])


def _xls_cell(row: int, column: int, cell: Cell, *, since_1904: bool) -> bytes:
    place = struct.pack("<HHH", row, column, isinstance(cell, date))
    if cell is None:
        return b""
    if isinstance(cell, MadeFormula):
        value = struct.pack("<dHIH", cell.stored, 0, 0, len(_ONE))
        return _record(0x06, place + value + _ONE)
    if isinstance(cell, str) and cell in ERROR_CODES:
        return _record(0x205, place + struct.pack("<BB", ERROR_CODES[cell], 1))
    if isinstance(cell, str):
        coded = cell.encode("utf-16-le")
        return _record(0x204, place + struct.pack("<HB", len(cell), 1) + coded)
    number = serial(cell, since_1904=since_1904) if isinstance(cell, date) else cell
    return _record(0x203, place + struct.pack("<d", number))


# --- xlsb ------------------------------------------------------------------------------------


def _binary(kind: int, data: bytes = b"") -> bytes:
    head = bytes([kind]) if kind < 128 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size = len(data)
    coded = b""
    while True:
        coded += bytes([size & 0x7F | (0x80 if size > 0x7F else 0)])
        size >>= 7
        if not size:
            return head + coded + data


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def xlsb_book(sheets: Sequence[MadeSheet], *, since_1904: bool = False) -> bytes:
    """A whole xlsb file."""
    kinds = "application/vnd.ms-excel"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    numbers = range(1, len(sheets) + 1)
    overrides = "".join(
        f'<Override PartName="/xl/worksheets/sheet{n}.bin" ContentType="{kinds}.worksheet"/>'
        for n in numbers
    )
    relations = "".join(
        f'<Relationship Id="rId{n}" Type="{office}/worksheet" Target="worksheets/sheet{n}.bin"/>'
        for n in numbers
    )
    styles = f'<Relationship Id="rId0" Type="{office}/styles" Target="styles.bin"/>'
    book = [_binary(131), _binary(153, struct.pack("<II", since_1904, 0) + _wide(""))]
    book.append(_binary(143))
    for number, sheet in zip(numbers, sheets, strict=True):
        fixed = struct.pack("<II", sheet.hidden, number)
        book.append(_binary(156, fixed + _wide(f"rId{number}") + _wide(sheet.name)))
    book += [_binary(144), _binary(132)]
    formats = [struct.pack("<HHHHHBBHH", 0, n, 0, 0, 0, 0, 0, 0, 0) for n in (0, 14)]
    style = [_binary(278), _binary(617, struct.pack("<I", 2))]
    style += [*(_binary(47, f) for f in formats), _binary(618), _binary(279)]
    files = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.bin" ContentType="{kinds}.sheet.binary.main"/>'
        f'<Override PartName="/xl/styles.bin" ContentType="{kinds}.styles"/>{overrides}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.bin"/></Relationships>',
        "xl/_rels/workbook.bin.rels": f'<Relationships xmlns="{package}/relationships">'
        f"{relations}{styles}</Relationships>",
    }
    parts = {name: text.encode() for name, text in files.items()}
    parts["xl/workbook.bin"] = b"".join(book)
    parts["xl/styles.bin"] = b"".join(style)
    for number, sheet in zip(numbers, sheets, strict=True):
        parts[f"xl/worksheets/sheet{number}.bin"] = _xlsb_sheet(sheet, since_1904=since_1904)
        if sheet.tables:
            parts |= _xlsb_tables(number, sheet.tables)
    return zipped(parts)


def _xlsb_tables(sheet: int, tables: Sequence[MadeTable]) -> dict[str, bytes]:
    """The parts of a sheet's tables and the relations that lead to them."""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    relations = "".join(
        f'<Relationship Id="rId{n}" Type="{office}/table" Target="../tables/table{sheet}{n}.bin"/>'
        for n in range(1, len(tables) + 1)
    )
    parts = {
        f"xl/worksheets/_rels/sheet{sheet}.bin.rels": (
            f'<Relationships xmlns="{package}/relationships">{relations}</Relationships>'
        ).encode()
    }
    for number, table in enumerate(tables, start=1):
        top, left, bottom, right = table.area
        numbers = struct.pack("<8I", top, bottom, left, right, 0, number, 1, table.totals)
        other = struct.pack("<I6IB3x", 0, *[0xFFFFFFFF] * 6, 0)
        names = struct.pack("<I", 0xFFFFFFFF) + _wide(table.name)
        parts[f"xl/tables/table{sheet}{number}.bin"] = _binary(343, numbers + other + names)
    return parts


def _xlsb_sheet(sheet: MadeSheet, *, since_1904: bool) -> bytes:
    width = max(map(len, sheet.rows), default=1)
    bottom = max(len(sheet.rows) - 1, 0)
    parts = [_binary(129), _binary(148, struct.pack("<IIII", 0, bottom, 0, width - 1))]
    if sheet.hidden_columns:
        columns = [_binary(60, struct.pack("<IIIIH", c, c, 0, 0, 1)) for c in sheet.hidden_columns]
        parts += [_binary(390), *columns, _binary(391)]
    parts.append(_binary(145))
    for row, cells in enumerate(sheet.rows):
        hidden = 0x10 if row in sheet.hidden_rows else 0
        parts.append(_binary(0, struct.pack("<IIHBBBI", row, 0, 255, 0, hidden, 0, 0)))
        parts += [_xlsb_cell(c, cell, since_1904=since_1904) for c, cell in enumerate(cells)]
    parts.append(_binary(146))
    if sheet.merged:
        areas = [_binary(176, struct.pack("<IIII", t, b, le, r)) for t, le, b, r in sheet.merged]
        parts += [_binary(177, struct.pack("<I", len(areas))), *areas, _binary(178)]
    return b"".join([*parts, _binary(130)])


def _xlsb_cell(column: int, cell: Cell, *, since_1904: bool) -> bytes:
    place = struct.pack("<II", column, isinstance(cell, date))
    if cell is None:
        return b""
    if isinstance(cell, MadeFormula):
        value = struct.pack("<dHI", cell.stored, 0, len(_ONE)) + _ONE + bytes(4)
        return _binary(9, place + value)
    if isinstance(cell, str) and cell in ERROR_CODES:
        return _binary(3, place + bytes([ERROR_CODES[cell]]))
    if isinstance(cell, str):
        return _binary(6, place + _wide(cell))
    number = serial(cell, since_1904=since_1904) if isinstance(cell, date) else cell
    return _binary(5, place + struct.pack("<d", number))


# --- ods -------------------------------------------------------------------------------------

_ODS = "urn:oasis:names:tc:opendocument:xmlns:"


def ods_book(sheets: Sequence[MadeSheet], *, body: str | None = None) -> bytes:
    """A whole ods file; ``body`` replaces the tables made from the sheets."""
    tables = body if body is not None else "".join(map(_ods_table, sheets)) + _ods_ranges(sheets)
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content '
        f'xmlns:office="{_ODS}office:1.0" xmlns:table="{_ODS}table:1.0" '
        f'xmlns:style="{_ODS}style:1.0" xmlns:text="{_ODS}text:1.0" '
        'xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0" '
        'office:version="1.2"><office:automatic-styles><style:style style:name="hidden" '
        'style:family="table"><style:table-properties table:display="false"/></style:style>'
        f"</office:automatic-styles><office:body><office:spreadsheet>{tables}"
        "</office:spreadsheet></office:body></office:document-content>"
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        f'<manifest:manifest xmlns:manifest="{_ODS}manifest:1.0"><manifest:file-entry '
        f'manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>'
    )
    files = {"mimetype": kind, "content.xml": content, "META-INF/manifest.xml": manifest}
    return zipped({name: text.encode() for name, text in files.items()})


def _ods_ranges(sheets: Sequence[MadeSheet]) -> str:
    ranges = "".join(
        f'<table:database-range table:name="{escape(table.name)}" '
        f'table:target-range-address="{escape(_ods_address(sheet.name, table.area))}"/>'
        for sheet in sheets
        for table in sheet.tables
    )
    return f"<table:database-ranges>{ranges}</table:database-ranges>" if ranges else ""


def _ods_address(sheet: str, area: tuple[int, int, int, int]) -> str:
    top, left, bottom, right = area
    called = "'" + sheet.replace("'", "''") + "'"
    first, last = f"{chr(65 + left)}{top + 1}", f"{chr(65 + right)}{bottom + 1}"
    return f"{called}.{first}:{called}.{last}"


def _ods_table(sheet: MadeSheet) -> str:
    width = max(map(len, sheet.rows), default=1)
    style = ' table:style-name="hidden"' if sheet.hidden else ""
    hide = ' table:visibility="collapse"'
    columns = "".join(
        f"<table:table-column{hide if c in sheet.hidden_columns else ''}/>" for c in range(width)
    )
    rows = "".join(
        f"<table:table-row{hide if n in sheet.hidden_rows else ''}>"
        f"{''.join(_ods_cell(sheet, n, c, cell) for c, cell in enumerate(cells))}</table:table-row>"
        for n, cells in enumerate(sheet.rows)
    )
    return f'<table:table table:name="{escape(sheet.name)}"{style}>{columns}{rows}</table:table>'


def _ods_cell(sheet: MadeSheet, row: int, column: int, cell: Cell) -> str:
    spans = [area for area in sheet.merged if area[:2] == (row, column)]
    span = "".join(
        f' table:number-rows-spanned="{b - t + 1}" table:number-columns-spanned="{r - le + 1}"'
        for t, le, b, r in spans
    )
    if cell is None:
        return f"<table:table-cell{span}/>"
    text = f"<text:p>{escape(str(cell))}</text:p>"
    if isinstance(cell, MadeFormula):
        given = f'table:formula="of:=1" office:value-type="float" office:value="{cell.stored:g}"'
        return f"<table:table-cell {given}><text:p>{cell.stored:g}</text:p></table:table-cell>"
    if isinstance(cell, date):
        given = f'office:value-type="date" office:date-value="{cell.isoformat()}"'
    elif isinstance(cell, str) and cell in ERROR_CODES:
        given = 'table:formula="of:=1/0" office:value-type="string" calcext:value-type="error"'
    elif isinstance(cell, str):
        given = 'office:value-type="string"'
    else:
        given = f'office:value-type="float" office:value="{cell}"'
    return f"<table:table-cell {given}{span}>{text}</table:table-cell>"
