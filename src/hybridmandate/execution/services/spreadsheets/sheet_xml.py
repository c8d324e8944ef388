"""Rows of a worksheet as XML, made for whole columns at once, and put into a workbook around them.

Cells and rows: ECMA-376 part 1, 18.3.1.4 and 18.3.1.73; texts stand in their cells (18.3.1.53), so
that nothing is held until the end. What XML cannot carry is written ``_xHHHH_`` (22.9.2.19).
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import polars as pl

_CONTROLS = [chr(n) for n in (*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0xFFFE, 0xFFFF)]
_CONTROLS.append("\r")  # XML reads a return as a line feed
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"} | {
    each: f"_x{ord(each):04X}_" for each in _CONTROLS
}
_LOOKS_ESCAPED = r"(_x[0-9a-fA-F]{4}_)"
_SHEET = re.compile(r"xl/worksheets/sheet[0-9]+\.xml")
_END = b"</sheetData>"
_DATED = (1980, 1, 1, 0, 0, 0)
"""The least date that a zip can carry: the same rows give the same bytes."""

ROW = "row"
"""The column of row numbers, 1-based, in a frame whose rows become rows of a sheet."""


@dataclass(frozen=True, slots=True)
class Cells:
    """A column of a sheet; ``value`` and ``style`` (a number of the workbook's) are expressions."""

    letters: str
    value: pl.Expr
    style: pl.Expr | None = None

    def numbers(self) -> pl.Expr:
        """Cells that hold numbers."""
        return pl.concat_str(*self._begin(), pl.lit("><v>"), self.value, pl.lit("</v></c>"))

    def texts(self) -> pl.Expr:
        """Cells that hold texts, whatever these look like; an empty text makes an empty cell."""
        text = self.value.fill_null("")
        told = text.str.replace_all(_LOOKS_ESCAPED, "_x005F${1}").str.replace_many(_ESCAPES)
        filled = pl.concat_str(
            pl.lit(' t="inlineStr"><is><t xml:space="preserve">'), told, pl.lit("</t></is></c>")
        )
        return pl.concat_str(
            *self._begin(), pl.when(text == "").then(pl.lit("/>")).otherwise(filled)
        )

    def _begin(self) -> Iterator[pl.Expr]:
        yield pl.lit(f'<c r="{self.letters}')
        yield pl.col(ROW)
        yield pl.lit('"')
        if self.style is not None:
            yield pl.lit(' s="')
            yield self.style
            yield pl.lit('"')


def rows_xml(frame: pl.DataFrame, cells: Iterable[pl.Expr]) -> bytes:
    """The rows of a frame as elements of a sheet."""
    row = pl.concat_str(pl.lit('<row r="'), pl.col(ROW), pl.lit('">'), *cells, pl.lit("</row>\n"))
    return str(frame.select(row.str.join("")).item()).encode()


def model_styles(frame: BinaryIO) -> list[int]:
    """The numbers of the styles in the last row of the first sheet, by column."""
    with zipfile.ZipFile(frame) as package:
        sheet = package.read("xl/worksheets/sheet1.xml")
    last = sheet[sheet.rindex(b"<row ") :]
    return [int(each) for each in re.findall(rb'<c r="[A-Z]+[0-9]+" s="([0-9]+)"', last)]


def fill_workbook(frame: BinaryIO, target: Path, sheets: Iterator[Iterable[bytes]]) -> None:
    """Write a workbook with rows in the place of the last row of each of its sheets.

    ``frame`` is the workbook around them, ``sheets`` has the rows of one sheet after the other.
    """
    with (
        zipfile.ZipFile(frame) as package,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as written,
    ):
        for part in package.infolist():
            content = package.read(part)
            entry = zipfile.ZipInfo(part.filename, _DATED)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with written.open(entry, "w", force_zip64=True) as stream:
                if _SHEET.fullmatch(part.filename) is None:
                    stream.write(content)
                    continue
                stream.write(content[: content.rindex(b"<row ")])
                for rows in next(sheets, ()):
                    stream.write(rows)
                stream.write(content[content.rindex(_END) :])
