"""Changing the rows of a table in an xlsx file: only the cells that change are written anew.

A row that is added stands below the last one; one that is removed draws those below it up, within
the table's columns. Formulas elsewhere are kept as they are written: nothing is calculated here.
Source: ECMA-376, Part 1, SpreadsheetML (tables, sheet data).
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from posixpath import basename
from typing import Any

from lxml import etree

from hybridmandate.twin.office.workbook_tables import MAX_WORKBOOK_BYTES, NoSuchTable, NoWorkbook

MAX_UNPACKED_BYTES = 256 * 1024 * 1024
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_REF = re.compile(r"([A-Z]{1,3})([0-9]+):([A-Z]{1,3})([0-9]+)")
_CALC_CHAIN = "xl/calcChain.xml"


class NoRoom(ValueError):
    """There is something below the table where a row would stand."""


class NoSuchRow(LookupError):
    """The table has no row of that number."""


class WorkbookFile:
    """An xlsx file with one table that is changed; ``to_bytes`` gives the file again."""

    def __init__(self, content: bytes, table: str) -> None:
        """:raises NoWorkbook: when the file is none. :raises NoSuchTable: no such table."""
        self._parts = _unpacked(content)
        self._table_name, self._table = self._found(table)
        self._sheet_name = self._sheet_of(basename(self._table_name))
        self._sheet = _parsed(self._parts[self._sheet_name])
        match = _REF.fullmatch(str(self._table.get("ref")))
        if match is None or int(self._table.get("totalsRowCount") or 0):
            raise NoWorkbook("tables with a row of totals are not changed")
        self._left, self._right = _number(match[1]), _number(match[3])
        self._first = int(match[2]) + int(self._table.get("headerRowCount") or 1)
        self._last = int(match[4])

    def add(self, values: Sequence[Any]) -> int:
        """Add a row; returns its number from 0. :raises NoRoom: when its place is taken."""
        place = self._last + 1
        if any(self._cell(place, column) is not None for column in self._columns):
            raise NoRoom(f"row {place} of the sheet is not empty")
        self._last = place
        self._write(place, values)
        self._resize()
        return place - self._first

    def change(self, row: int, values: Sequence[Any]) -> None:
        """Change the cells of a row; None leaves one as it is, an empty text clears it.

        :raises NoSuchRow: when there is none.
        """
        place = self._place(row)
        for column, value in zip(self._columns, values, strict=True):
            if value is not None:
                _set_value(self._made_cell(place, column), None if value == "" else value)

    def remove(self, row: int) -> None:
        """Remove a row; a table keeps an empty one. :raises NoSuchRow: when there is none."""
        place = self._place(row)
        if self._first == self._last:
            self._write(place, [None] * (self._right - self._left + 1))
            return
        for number in range(place, self._last):
            for column in self._columns:
                self._draw_up(number, column)
        for column in self._columns:
            self._drop(self._last, column)
        self._last -= 1
        self._resize()

    def to_bytes(self) -> bytes:
        """The file; what a reader calculates with is left for it to make anew."""
        changed = {
            **self._parts,
            self._table_name: etree.tostring(self._table, xml_declaration=True, encoding="UTF-8"),
            self._sheet_name: etree.tostring(self._sheet, xml_declaration=True, encoding="UTF-8"),
        }
        _without_calc_chain(changed)
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in changed.items():
                archive.writestr(name, data)
        return target.getvalue()

    @property
    def _columns(self) -> range:
        return range(self._left, self._right + 1)

    def _found(self, name: str) -> tuple[str, Any]:
        for part in sorted(self._parts):
            if part.startswith("xl/tables/"):
                table = _parsed(self._parts[part])
                known = {str(table.get(key) or "").lower() for key in ("name", "displayName")}
                if name.lower() in known:
                    return part, table
        raise NoSuchTable(name)

    def _sheet_of(self, table_file: str) -> str:
        for part in sorted(self._parts):
            if part.startswith("xl/worksheets/_rels/"):
                targets = [each.get("Target") or "" for each in _parsed(self._parts[part])]
                if any(basename(each) == table_file for each in targets):
                    return f"xl/worksheets/{basename(part).removesuffix('.rels')}"
        raise NoWorkbook(f"no sheet holds {table_file}")

    def _place(self, row: int) -> int:
        place = self._first + row
        if not self._first <= place <= self._last:
            raise NoSuchRow(row)
        return place

    def _resize(self) -> None:
        head = self._first - int(self._table.get("headerRowCount") or 1)
        ref = f"{_letters(self._left)}{head}:{_letters(self._right)}{self._last}"
        self._table.set("ref", ref)
        auto_filter = self._table.find(f"{_MAIN}autoFilter")
        if auto_filter is not None:
            auto_filter.set("ref", ref)

    def _row(self, number: int) -> Any:
        """The row of a number, made in its order where it is missing."""
        data = self._sheet.find(f"{_MAIN}sheetData")
        for index, row in enumerate(data):
            if int(row.get("r")) == number:
                return row
            if int(row.get("r")) > number:
                made = etree.Element(f"{_MAIN}row", r=str(number))
                data.insert(index, made)
                return made
        return etree.SubElement(data, f"{_MAIN}row", r=str(number))

    def _cell(self, row: int, column: int) -> Any | None:
        wanted = f"{_letters(column)}{row}"
        return next((each for each in self._row(row) if each.get("r") == wanted), None)

    def _made_cell(self, row: int, column: int) -> Any:
        found = self._cell(row, column)
        if found is not None:
            return found
        inside = self._row(row)
        inside.attrib.pop("spans", None)
        made = etree.Element(f"{_MAIN}c", r=f"{_letters(column)}{row}")
        above = self._cell(row - 1, column)
        if above is not None and above.get("s") and row > self._first:
            made.set("s", above.get("s"))
        later = (n for n, each in enumerate(inside) if _column_of(each.get("r")) > column)
        inside.insert(next(later, len(inside)), made)
        return made

    def _write(self, row: int, values: Sequence[Any]) -> None:
        for column, value in zip(self._columns, values, strict=True):
            if value is None and self._cell(row, column) is None:
                continue
            _set_value(self._made_cell(row, column), value)

    def _draw_up(self, row: int, column: int) -> None:
        below = self._cell(row + 1, column)
        self._drop(row, column)
        if below is None:
            return
        moved = self._made_cell(row, column)
        for name, value in below.attrib.items():
            moved.set(name, value)
        moved.set("r", f"{_letters(column)}{row}")
        moved.extend(list(below))

    def _drop(self, row: int, column: int) -> None:
        found = self._cell(row, column)
        if found is not None:
            found.getparent().remove(found)


def _set_value(cell: Any, value: Any) -> None:
    for inner in list(cell):
        cell.remove(inner)
    cell.attrib.pop("t", None)
    if value is None:
        return
    if isinstance(value, bool):
        cell.set("t", "b")
        etree.SubElement(cell, f"{_MAIN}v").text = str(int(value))
    elif isinstance(value, int | float):
        etree.SubElement(cell, f"{_MAIN}v").text = repr(value)
    else:
        cell.set("t", "inlineStr")
        text = etree.SubElement(etree.SubElement(cell, f"{_MAIN}is"), f"{_MAIN}t")
        text.set(_SPACE, "preserve")
        text.text = str(value)


def _unpacked(content: bytes) -> dict[str, bytes]:
    if len(content) > MAX_WORKBOOK_BYTES:
        raise NoWorkbook(f"a workbook has at most {MAX_WORKBOOK_BYTES} bytes")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if sum(each.file_size for each in entries) > MAX_UNPACKED_BYTES:
                raise NoWorkbook("the workbook unpacks to more than is read")
            return {each.filename: archive.read(each) for each in entries}
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise NoWorkbook(str(error)) from None


def _parsed(data: bytes) -> Any:
    try:
        return etree.fromstring(
            data, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        )
    except etree.XMLSyntaxError as error:
        raise NoWorkbook(str(error)) from None


def _without_calc_chain(parts: dict[str, bytes]) -> None:
    """Leave the order of calculation out: it may name cells that are gone."""
    if parts.pop(_CALC_CHAIN, None) is None:
        return
    for name in ("[Content_Types].xml", "xl/_rels/workbook.xml.rels"):
        tree = _parsed(parts[name])
        for each in list(tree):
            target = str(each.get("PartName") or each.get("Target") or "")
            if target.endswith("calcChain.xml"):
                tree.remove(each)
        parts[name] = etree.tostring(tree, xml_declaration=True, encoding="UTF-8")


def _number(letters: str) -> int:
    value = 0
    for letter in letters:
        value = value * 26 + ord(letter) - ord("A") + 1
    return value


def _letters(number: int) -> str:
    text = ""
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def _column_of(reference: str) -> int:
    return _number(reference.rstrip("0123456789"))
