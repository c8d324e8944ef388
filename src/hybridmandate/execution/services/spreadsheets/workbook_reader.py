"""Reading workbooks: values by calamine, and from the package itself what calamine leaves out.

Calamine gives values, dates (also 1904-based ones) and positions, but turns error cells into empty
ones and cannot say that a formula has no stored value; both are looked up in the sheet's XML.
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import polars as pl
import python_calamine as calamine
from lxml import etree

from hybridmandate.execution.services.spreadsheets.table import (
    FIRST_LINE,
    LAST_LINE,
    CellKind,
    Decision,
    Sheet,
    Unreadable,
    kind_column,
    text_column,
)

MAX_UNPACKED = 256 * 1024 * 1024
MAX_RATIO = 200
MAX_ENTRIES = 5_000
MAX_CELLS = 20_000_000

_OLE = bytes.fromhex("D0CF11E0A1B11AE1")
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


@dataclass(frozen=True, slots=True)
class SheetMarks:
    """Cells that calamine cannot tell apart from empty ones: (row, column), 0-based."""

    errors: dict[tuple[int, int], str]
    uncalculated: frozenset[tuple[int, int]]


def looks_like_workbook(content: bytes) -> bool:
    """Whether the content begins like a zip package or an OLE file."""
    return content[:4] == b"PK\x03\x04" or content.startswith(_OLE)


def read_workbook(content: bytes, wanted: str | None = None) -> Sheet:
    """Read the wanted sheet, or the first visible one that holds anything.

    :raises Unreadable: for encrypted, oversize, broken or empty workbooks.
    """
    if content.startswith(_OLE) and _ENCRYPTED in content:
        raise Unreadable("file.encrypted", "the workbook is protected by a password")
    notes: list[Decision] = []
    package = _open_package(content) if content[:4] == b"PK\x03\x04" else None
    if package is not None:
        notes += _dangers(package)
    try:
        workbook = calamine.load_workbook(io.BytesIO(content))
    except Exception as error:  # calamine raises its own and plain errors for broken files
        raise Unreadable("file.broken_workbook", f"the workbook cannot be read: {error}") from None
    visible = [
        s for s in workbook.sheets_metadata if s.visible == calamine.SheetVisibleEnum.Visible
    ]
    hidden = [s.name for s in workbook.sheets_metadata if s not in visible]
    if hidden:
        notes.append(Decision.of("sheet.hidden", f"hidden sheets left out: {hidden}", []))
    if wanted is not None and wanted not in [s.name for s in workbook.sheets_metadata]:
        raise Unreadable("sheet.missing", f"the workbook has no sheet '{wanted}'")
    for each in workbook.sheets_metadata if wanted is not None else visible:
        if wanted not in (None, each.name):
            continue
        if each.typ != calamine.SheetTypeEnum.WorkSheet:
            continue
        sheet = workbook.get_sheet_by_name(each.name)
        _check_size(sheet)
        rows = sheet.to_python(skip_empty_area=False)
        marks = _marks(package, each.name) if package is not None else SheetMarks({}, frozenset())
        if marks.errors or any(cell not in ("", None) for row in rows for cell in row):
            others = [s.name for s in visible if s.name != each.name]
            if others:
                notes.append(Decision.of("sheet.chosen", f"read '{each.name}', not {others}", []))
            return _sheet(each.name, rows, marks, notes, _uses_1904(package))
    raise Unreadable("file.empty", "the workbook holds no visible sheet with cells")


def _open_package(content: bytes) -> zipfile.ZipFile:
    try:
        package = zipfile.ZipFile(io.BytesIO(content))
    except zipfile.BadZipFile as error:
        raise Unreadable("file.broken_workbook", f"the package is broken: {error}") from None
    entries = package.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    packed = max(1, sum(entry.compress_size for entry in entries))
    if len(entries) > MAX_ENTRIES or unpacked > MAX_UNPACKED or unpacked / packed > MAX_RATIO:
        raise Unreadable(
            "file.zip_bomb",
            f"the package unpacks to {unpacked} bytes in {len(entries)} parts "
            f"({unpacked // packed} times its size): more than a spreadsheet needs",
        )
    return package


def _dangers(package: zipfile.ZipFile) -> list[Decision]:
    """Macros and links to other workbooks: reported, never run or followed."""
    names = package.namelist()
    found = []
    if any(name.lower().endswith("vbaproject.bin") for name in names):
        found.append(Decision.of("book.macros", "the workbook holds macros; they are not run", []))
    if any(name.startswith("xl/externalLinks/") for name in names):
        message = "the workbook links to other files; they are not opened"
        found.append(Decision.of("book.external_links", message, []))
    return found


def _check_size(sheet: calamine.CalamineSheet) -> None:
    if sheet.total_height * sheet.total_width > MAX_CELLS:
        raise Unreadable(
            "file.too_many_cells",
            f"sheet '{sheet.name}' spans {sheet.total_height} rows and {sheet.total_width} columns",
        )


def _uses_1904(package: zipfile.ZipFile | None) -> bool:
    root = _part(package, "xl/workbook.xml")
    properties = root.find(f"{_MAIN}workbookPr") if root is not None else None
    return properties is not None and properties.get("date1904") in ("1", "true")


def _marks(package: zipfile.ZipFile, sheet_name: str) -> SheetMarks:
    errors: dict[tuple[int, int], str] = {}
    uncalculated: set[tuple[int, int]] = set()
    path = _sheet_path(package, sheet_name)
    if path is None:
        return SheetMarks({}, frozenset())
    with package.open(path) as part:
        for _, cell in etree.iterparse(part, tag=f"{_MAIN}c", **_SAFE):
            place = _place(cell.get("r"))
            value = cell.find(f"{_MAIN}v")
            if place is not None and cell.get("t") == "e":
                errors[place] = (value.text or "#ERROR") if value is not None else "#ERROR"
            elif place is not None and cell.find(f"{_MAIN}f") is not None and _empty(value):
                uncalculated.add(place)
            cell.clear()
    return SheetMarks(errors, frozenset(uncalculated))


_SAFE: dict[str, Any] = {"resolve_entities": False, "no_network": True, "huge_tree": False}


def _empty(value: Any) -> bool:
    return value is None or not value.text


def _part(package: zipfile.ZipFile | None, name: str) -> Any:
    if package is None or name not in package.namelist():
        return None
    try:
        return etree.fromstring(package.read(name), etree.XMLParser(**_SAFE))
    except etree.XMLSyntaxError:
        return None


def _sheet_path(package: zipfile.ZipFile, sheet_name: str) -> str | None:
    workbook = _part(package, "xl/workbook.xml")
    relations = _part(package, "xl/_rels/workbook.xml.rels")
    if workbook is None or relations is None:
        return None
    targets = {each.get("Id"): each.get("Target") for each in relations}
    for sheet in workbook.iter(f"{_MAIN}sheet"):
        if sheet.get("name") == sheet_name:
            target = str(targets.get(sheet.get(_RELATION)) or "")
            path = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            return path if path in package.namelist() else None
    return None


def _place(reference: str | None) -> tuple[int, int] | None:
    match = _REFERENCE.fullmatch(reference or "")
    if match is None:
        return None
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - 64
    return int(match[2]) - 1, column - 1


def _sheet(
    name: str,
    rows: list[list[Any]],
    marks: SheetMarks,
    notes: list[Decision],
    uses_1904: bool,
) -> Sheet:
    places = [*marks.errors, *marks.uncalculated]
    height = max([len(rows), *(row + 1 for row, _ in places)])
    width = max([max(map(len, rows), default=0), *(column + 1 for _, column in places)])
    texts: list[list[str | None]] = [[] for _ in range(width)]
    kinds: list[list[int]] = [[] for _ in range(width)]
    for row in range(height):
        cells = rows[row] if row < len(rows) else []
        for column in range(width):
            value = cells[column] if column < len(cells) else ""
            text, kind = _cell(value, (row, column), marks)
            texts[column].append(text)
            kinds[column].append(kind)
    lines = list(range(1, height + 1))
    columns: dict[str, pl.Series] = {
        FIRST_LINE: pl.Series(FIRST_LINE, lines, dtype=pl.Int64),
        LAST_LINE: pl.Series(LAST_LINE, lines, dtype=pl.Int64),
    }
    for position in range(width):
        for key, values, dtype in (
            (text_column(position), texts[position], pl.String),
            (kind_column(position), kinds[position], pl.UInt8),
        ):
            columns[key] = pl.Series(key, values, dtype=dtype)
    if uses_1904:
        notes.append(Decision.of("dates.1904", "the workbook counts dates from 1904", []))
    return Sheet(
        frame=pl.DataFrame(columns),
        width=width,
        has_kinds=True,
        source={"format": "workbook", "sheet": name, "dates": "1904" if uses_1904 else "1900"},
        notes=tuple(notes),
    )


def _cell(value: Any, place: tuple[int, int], marks: SheetMarks) -> tuple[str | None, CellKind]:
    if place in marks.errors:
        return marks.errors[place], CellKind.ERROR
    if place in marks.uncalculated:
        return None, CellKind.UNCALCULATED
    if isinstance(value, bool):
        return ("true" if value else "false"), CellKind.BOOLEAN
    if isinstance(value, int | float):
        return format(value, ".15g") if isinstance(value, float) else str(value), CellKind.NUMBER
    if isinstance(value, datetime):
        midnight = value.time() == time()
        return value.date().isoformat() if midnight else value.isoformat(), CellKind.DATE
    if isinstance(value, date | time):
        return value.isoformat(), CellKind.DATE
    if isinstance(value, timedelta):
        return str(value), CellKind.TEXT
    return (value or None), CellKind.TEXT
