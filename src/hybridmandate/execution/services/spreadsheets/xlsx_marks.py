"""Marks of xlsx and xlsm, from the package's XML (ECMA-376 part 1, section 18.3).

A sheet is first scanned as bytes: most hold none of the things looked for, and their extent follows
from the references of their cells. Only the others are walked element by element.
"""

from __future__ import annotations

import contextlib
import posixpath
import re
from collections.abc import Iterator
from itertools import chain
from string import ascii_uppercase
from typing import Any

from hybridmandate.execution.services.spreadsheets.bounded_xml import local, walk_xml
from hybridmandate.execution.services.spreadsheets.sheet_marks import (
    MAX_SERIALS,
    Area,
    BookMarks,
    DefinedTable,
    SheetMarks,
    check_sheet_count,
)
from hybridmandate.execution.services.spreadsheets.table import Unreadable
from hybridmandate.execution.services.spreadsheets.workbook_package import WorkbookPackage

_REFERENCE = re.compile(r"\$?([A-Z]{1,3})\$?([0-9]{1,7})")
_TELLING = (
    *(b't="e"', b"<f>", b"<f ", b"<f/", b"<f\n", b"<f\r"),
    *(b"hidden", b"zeroHeight", b"<mergeCell", b"<tablePart", b"<!"),
    *(b"='", b" =", b"= ", b"=\n", b"\n=", b"\t"),
)
"""What is looked for, and ways of writing attributes that would hide it."""
_ROW_OF_CELL = re.compile(rb'<c r="[A-Z]{1,3}([0-9]{1,7})"')
_WIDE = re.compile(rb'<c r="([A-Z]{2,3})[0-9]')
_NARROW = re.compile(rb'<c r="([A-Z])[0-9]')
_CELLS = (b"<c ", b"<c>", b"<c/", b"<c\n", b"<c\r")
_LONGEST_TAG = 1 << 16


def read_xlsx_marks(package: WorkbookPackage) -> BookMarks:
    """Marks of the workbook, those of a sheet when asked for.

    :raises Unreadable: for XML that is broken, and beyond the limits of `sheet_marks`.
    """
    book = _part_of(package, "", "/officeDocument") or "xl/workbook.xml"
    if not package.has(book) or "word/" in book or "ppt/" in book:
        raise Unreadable("file.not_a_spreadsheet", "the package holds no workbook")
    sheets: dict[str, tuple[str, str]] = {}
    facts = {"1904": False}

    def start(name: str, attributes: dict[str, str]) -> None:
        if local(name) == "sheet":
            relation = next((v for k, v in attributes.items() if local(k) == "id"), "")
            state = attributes.get("state", "visible")
            sheets[attributes.get("name", "")] = (relation, state)
            check_sheet_count(len(sheets))
        elif local(name) == "workbookPr":
            # Extensions bring elements of the same name, without the flag.
            facts["1904"] |= attributes.get("date1904") in ("1", "true")

    walk_xml(package.pieces(book), start)
    targets = relations_of(package, book)
    paths = {
        name: targets[relation][1]
        for name, (relation, _) in sheets.items()
        if relation in targets and targets[relation][0].endswith("/worksheet")
    }
    for name in package.names:
        if name.endswith(("sharedstrings.xml", "styles.xml")):
            package.verify(name)
    return BookMarks(
        kind="xlsx",
        sheets=tuple(paths),
        hidden=frozenset(n for n, (_, state) in sheets.items() if state != "visible"),
        uses_1904=facts["1904"],
        macros=any(name.endswith("vbaproject.bin") for name in package.names),
        external_links=any("/externallinks/" in f"/{name}" for name in package.names),
        marks=lambda name: _sheet_marks(package, paths[name], wants_serials=facts["1904"]),
    )


def relations_of(package: WorkbookPackage, part: str) -> dict[str, tuple[str, str]]:
    """Type and absolute target of each relation of a part, by id."""
    folder, _, file = part.rpartition("/")
    found: dict[str, tuple[str, str]] = {}

    def start(name: str, attributes: dict[str, str]) -> None:
        if local(name) == "Relationship" and attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "").replace("\\", "/")
            whole = target if target.startswith("/") else f"/{folder}/{target}"
            path = posixpath.normpath(whole).lstrip("/")
            found[attributes.get("Id", "")] = (attributes.get("Type", ""), path)

    relations = f"{folder}/_rels/{file}.rels".lstrip("/")
    if package.has(relations):
        walk_xml(package.pieces(relations), start)
    return found


def _part_of(package: WorkbookPackage, part: str, kind: str) -> str | None:
    return next(
        (path for t, path in relations_of(package, part).values() if t.endswith(kind)), None
    )


def _sheet_marks(package: WorkbookPackage, path: str, *, wants_serials: bool) -> SheetMarks:
    marks = SheetMarks()
    if wants_serials or not _scanned(package.pieces(path), marks):
        marks = SheetMarks()
        _walk_sheet(package.pieces(path), marks)
    for kind, target in relations_of(package, path).values():
        if kind.endswith("/table"):
            _add_table(package, target, marks)
    return marks


def _scanned(pieces: Iterator[bytes], marks: SheetMarks) -> bool:
    """Whether the bytes alone tell all: conventional XML without anything that is marked."""
    rows, letters, narrow = 0, b"", b""
    tail = b""
    seen = False
    for piece in chain(pieces, [b"<"]):
        window = tail + piece
        if not seen and (b"<worksheet" not in window[:4096] or window[:2] in _UTF16):
            return False
        seen = True
        # A tag that is cut by the border of two pieces is looked at with the next one.
        cut = window.rfind(b"<")
        window, tail = window[:cut], window[cut:]
        if len(tail) > _LONGEST_TAG or any(each in window for each in _TELLING):
            return False
        cells = _ROW_OF_CELL.findall(window)
        if len(cells) != sum(window.count(form) for form in _CELLS):
            return False
        rows = max([rows, *map(int, set(cells))])
        for found in set(_WIDE.findall(window)):
            letters = max(letters, found, key=lambda each: (len(each), each))
        if not letters:
            narrow = max([narrow, *set(_NARROW.findall(window))])
    columns = _column((letters or narrow).decode()) + 1
    if rows and columns:
        marks.reach(rows - 1, columns - 1)
    return seen


_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"<\x00", b"\x00<")


def _walk_sheet(pieces: Iterator[bytes], marks: SheetMarks) -> None:
    walker = _SheetWalker(marks)
    walk_xml(pieces, walker.start, walker.end, walker.text)


class _SheetWalker:
    """Follows rows and cells; a reference that is left out is the next one, as in the standard."""

    def __init__(self, marks: SheetMarks) -> None:
        self._marks = marks
        self._row = -1
        self._row_text = ""
        self._column = -1
        self._type = ""
        self._formula = False
        self._value: list[str] | None = None
        self._filled = False
        self._rows_hidden_by_default = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        match local(name):
            case "c":
                self._move(attributes.get("r"))
                self._type = attributes.get("t", "n")
                self._formula = self._filled = False
                self._value = None
            case "v" | "is":
                self._value = []
                self._filled = True
            case "f":
                self._formula = True
            case "row":
                self._begin_row(attributes)
            case "col" if attributes.get("hidden") in ("1", "true"):
                first, last = _number(attributes, "min"), _number(attributes, "max")
                self._marks.hide_columns(first - 1, last - 1)
            case "sheetFormatPr":
                self._rows_hidden_by_default = attributes.get("zeroHeight") in ("1", "true")
            case "mergeCell":
                area = area_of(attributes.get("ref", ""))
                if area is not None:
                    self._marks.merge(area)

    def end(self, name: str) -> None:
        if local(name) != "c":
            return
        place = (self._row, self._column)
        value = "".join(self._value or [])
        if self._type == "e":
            self._marks.errors[place] = value or "#ERROR"
        elif self._formula and not value:
            # A formula whose result is the empty text has t="str" and an empty <v>.
            if self._type == "str" and self._filled:
                self._marks.take_formula("")
            else:
                self._marks.uncalculated.add(place)
        elif self._type == "n" and value and len(self._marks.serials) < MAX_SERIALS:
            with contextlib.suppress(ValueError):
                self._marks.serials[place] = float(value)
        if self._formula and value and self._type != "e":
            self._marks.take_formula(value)
        if self._filled or self._formula or self._type == "e":
            self._marks.reach(*place)
        self._value = None

    def text(self, piece: str) -> None:
        if self._value is not None and len(self._value) < 4:
            self._value.append(piece)

    def _move(self, reference: str | None) -> None:
        """To the cell of a reference; to the next one where there is none."""
        letters = (reference or "").rstrip(_DIGITS)
        column = _COLUMNS.get(letters)
        if column is not None and reference == letters + self._row_text:
            self._column = column
            return
        place = _place(reference)
        self._row, self._column = place or (self._row, self._column + 1)

    def _begin_row(self, attributes: dict[str, str]) -> None:
        number = self._row_text = attributes.get("r", "")
        self._row = int(number) - 1 if number.isdecimal() and len(number) < 8 else self._row + 1
        self._column = -1
        shown = "1" if self._rows_hidden_by_default else "0"
        if attributes.get("hidden", shown) in ("1", "true"):
            self._marks.hide_rows(self._row, self._row)


def _add_table(package: WorkbookPackage, path: str, marks: SheetMarks) -> None:
    def start(name: str, attributes: dict[str, str]) -> None:
        area = area_of(attributes.get("ref", "")) if local(name) == "table" else None
        if area is not None and attributes.get("headerRowCount", "1") != "0":
            called = attributes.get("displayName") or attributes.get("name", "")
            marks.define(DefinedTable(called, area, _number(attributes, "totalsRowCount")))

    if package.has(path):
        walk_xml(package.pieces(path), start)


def area_of(reference: str) -> Area | None:
    """``B2:D9`` as an area, None for anything else."""
    first, _, last = reference.partition(":")
    top, bottom = _place(first), _place(last or first)
    return None if top is None or bottom is None else (*top, *bottom)


def _number(attributes: dict[str, str], name: str) -> int:
    text = attributes.get(name, "")
    return int(text) if text.isdecimal() and len(text) < 8 else 0


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


_DIGITS = "0123456789"
_COLUMNS = {
    first + second: 26 * (ord(first) - 64 if first else 0) + ord(second) - 65
    for first in ("", *ascii_uppercase)
    for second in ascii_uppercase
}
"""Columns A to ZZ by their letters: most cells stand in one of them, in the row around them."""


def _place(reference: Any) -> tuple[int, int] | None:
    match = _REFERENCE.fullmatch(reference or "")
    if match is None or match[2] == "0":
        return None
    return int(match[2]) - 1, _column(match[1])
