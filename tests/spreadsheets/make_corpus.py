"""Makes the files of `corpus/` and, from the same plan, what must be read from each.

Run as a script after a change; the files are committed. The expected reading comes from the rows
that a case was written from, never from the reader.
`book.xls` is kept as it is (made with xlwt 1.3.0); the other xls, xlsb and ods files are written by
`workbook_kit.py`, since no maintained library writes those formats.
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import xlsxwriter
from workbook_kit import MadeSheet, MadeTable, ods_book, replaced, xls_book, xlsb_book, zipped

FOLDER = Path(__file__).parent / "corpus"
HEADER = ["Item code", "Item name", "Order date", "Amount"]
ROWS = [
    ["A-1", "Größe zwölf", "2026-03-01", "10.00"],
    ["A-2", "Café crème", "2026-03-02", "20.50"],
    ["A-3", "Zubehör", "2026-03-03", "30.25"],
    ["A-4", "Naïve", "2026-03-04", "40.00"],
]
TOTAL = "100.75"
ZIP_TIME = (2026, 1, 1, 0, 0, 0)


@dataclass
class Case:
    """A file, the codes and lines of its accepted rows, the rejected lines, the rules used.

    ``refused`` is the reason code where the file is no table that can be read.
    """

    name: str
    content: bytes
    accepted: list[tuple[int, str]] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    refused: str | None = None
    source: dict[str, str] = field(default_factory=dict)

    def expected(self) -> dict[str, Any]:
        """The reading as it stands beside the file."""
        if self.refused:
            return {"refused": self.refused}
        return {
            "accepted": [{"line": line, "itemCode": code} for line, code in self.accepted],
            "rejectedLines": self.rejected,
            "rules": sorted(self.rules),
            "source": self.source,
        }


def text(rows: Sequence[Sequence[str]], delimiter: str = ",", ending: str = "\n") -> str:
    """Rows as plain delimited text; quotes only where a cell needs them."""

    def cell(value: str) -> str:
        if any(c in value for c in (delimiter, '"', "\n", "\r")):
            return '"' + value.replace('"', '""') + '"'
        return value

    return "".join(delimiter.join(map(cell, row)) + ending for row in rows)


def codes(first_line: int = 2, rows: Sequence[Sequence[str]] = ROWS) -> list[tuple[int, str]]:
    """Accepted rows that stand line after line."""
    return [(first_line + n, row[0]) for n, row in enumerate(rows)]


def encodings() -> Iterator[Case]:
    """Each delimiter in each encoding."""
    names = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", "~": "tilde", "^": "caret"}
    marks = {"utf-8": "utf-8", "utf-8-sig": "utf-8-sig", "cp1252": "cp1252", "utf-16": "utf-16"}
    for delimiter, word in names.items():
        for encoding, read in marks.items():
            content = text([HEADER, *ROWS], delimiter).encode(encoding)
            source = {"encoding": read, "delimiter": delimiter}
            yield Case(f"dialect-{word}-{encoding}.csv", content, codes(), source=source)
    for encoding in ("utf-16-le", "utf-16-be"):
        content = text([HEADER, *ROWS]).encode(encoding)
        source = {"encoding": encoding}
        yield Case(
            f"encoding-{encoding}-no-mark.csv",
            content,
            codes(),
            [],
            ["encoding.no_mark"],
            None,
            source,
        )
    content = text([HEADER, *ROWS]).encode("utf-32")
    yield Case("encoding-utf-32.csv", content, codes(), source={"encoding": "utf-32"})
    lines = text([HEADER, *ROWS]).splitlines(keepends=True)
    mixed = b"".join(line.encode("cp1252" if n == 2 else "utf-8") for n, line in enumerate(lines))
    yield Case("encoding-mixed.csv", mixed, codes(), rules=["encoding.mixed"])
    nul = text([HEADER, *ROWS]).encode().replace(b"A-2", b"A-\x002")
    yield Case("encoding-nul.csv", nul, codes(), rules=["text.nul"])


def line_ends() -> Iterator[Case]:
    """Line ends of all kinds, with and without quotes, with and without the last one."""
    for word, ending in (("lf", "\n"), ("crlf", "\r\n"), ("cr", "\r")):
        plain = text([HEADER, *ROWS], ending=ending)
        yield Case(f"lines-{word}.csv", plain.encode(), codes())
        yield Case(f"lines-{word}-no-last.csv", plain.rstrip("\r\n").encode(), codes())
        every = ending.join(",".join(f'"{c}"' for c in row) for row in [HEADER, *ROWS])
        yield Case(f"lines-{word}-all-quoted.csv", every.encode(), codes())
        rows = [[r[0], f"first{ending}second", *r[2:]] for r in ROWS]
        broken = text([HEADER, *rows], ending=ending)
        two = [(2 + 2 * n, row[0]) for n, row in enumerate(ROWS)]
        yield Case(f"lines-{word}-inside-fields.csv", broken.encode(), two)
    lines = text([HEADER, *ROWS]).splitlines()
    mixed = "".join(
        line + end for line, end in zip(lines, ["\r\n", "\n", "\r", "\n", "\r\n"], strict=True)
    )
    yield Case("lines-mixed.csv", mixed.encode(), codes(), rules=["lines.mixed"])


def quotes() -> Iterator[Case]:
    """Quotes as people write them."""
    written: list[tuple[str, str, list[str]]] = [
        ("inch", 'Screen 27"', ["quote.stray"]),
        ("inside", 'the "big" one', ["quote.stray"]),
        ("doubled", '"the ""big"" one"', []),
        ("delimiter", '"one, two"', []),
        ("empty", '""', []),
        ("only-quotes", '""""', []),
        ("after", '"one" two', ["quote.stray"]),
        ("spaced", ' "one, two"', ["quote.stray"]),
        ("unclosed", '"one', ["quote.unclosed"]),
        ("backslash", '"say \\""', ["quote.escaped"]),
    ]
    for name, cell, rules in written:
        rows = [[*r] for r in ROWS]
        lines = [",".join(HEADER)]
        for number, row in enumerate(rows):
            row[1] = cell if number == 1 else row[1]
            lines.append(",".join(row))
        yield Case(f"quotes-{name}.csv", ("\n".join(lines) + "\n").encode(), codes(), rules=rules)
    single = "\n".join(",".join(f"'{c}'" for c in row) for row in [HEADER, *ROWS])
    yield Case("quotes-single.csv", single.encode(), codes(), source={"quote": "'"})


def ragged() -> Iterator[Case]:
    """Rows with too few or too many cells."""
    short = [*ROWS[:2], ROWS[2][:2], ROWS[3]]
    left = [(2, "A-1"), (3, "A-2"), (5, "A-4")]
    yield Case("ragged-short.csv", text([HEADER, *short]).encode(), left, [4], ["rows.short"])
    long = [*ROWS[:2], [*ROWS[2], "extra"], ROWS[3]]
    yield Case("ragged-long.csv", text([HEADER, *long]).encode(), left, [4])
    trailing = [[*row, "", ""] for row in ROWS]
    yield Case("ragged-trailing-commas.csv", text([HEADER, *trailing]).encode(), codes())
    once = [*ROWS[:3], [*ROWS[3], ""]]
    yield Case("ragged-one-trailing-comma.csv", text([HEADER, *once]).encode(), codes())
    both = [ROWS[0][:1], [*ROWS[1], "x", "y"], *ROWS[2:]]
    body = text([HEADER, *both]).encode()
    yield Case("ragged-both.csv", body, codes(4, ROWS[2:]), [2, 3], ["rows.short"])


def archives() -> Iterator[Case]:
    """Compressed text."""
    plain = text([HEADER, *ROWS]).encode()
    packed = gzip.compress(plain, mtime=0)
    yield Case("archive.csv.gz", packed, codes(), rules=["file.unpacked"])
    yield Case("archive-cut.csv.gz", packed[:-20], refused="file.broken_archive")
    yield Case("archive.zip", zipped({"a.csv": plain}), codes(), rules=["file.unpacked"])
    mac = zipped({"a.csv": plain, "__MACOSX/._a.csv": b"x"})
    yield Case("archive-from-a-mac.zip", mac, codes(), rules=["file.unpacked"])
    two = zipped({"a.csv": plain, "b.csv": plain})
    yield Case("archive-two-files.zip", two, refused="file.many_members")
    bomb = gzip.compress(bytes(40 << 20), mtime=0)
    yield Case("archive-bomb.csv.gz", bomb, refused="file.zip_bomb")


def structure() -> Iterator[Case]:
    """Titles, headers, units, blanks, totals, footers, other tables."""
    for count in (1, 2, 3):
        titles = [[f"Orders of team {'ABC'[n]}"] for n in range(count)]
        body = text([*titles, HEADER, *ROWS]).encode()
        yield Case(f"title-{count}.csv", body, codes(count + 2), rules=["rows.title"])
        gap = text([*titles, [], HEADER, *ROWS]).encode()
        yield Case(f"title-{count}-and-gap.csv", gap, codes(count + 3), rules=["rows.title"])
    split = [["Item", "", "Order", "Amount"], ["code", "name", "date", ""]]
    yield Case(
        "header-two-rows.csv", text([*split, *ROWS]).encode(), codes(3), rules=["header.two_rows"]
    )
    under = [["Item", "Item", "Order", ""], ["code", "name", "date", "Amount"]]
    yield Case(
        "header-two-rows-repeated-group.csv",
        text([*under, *ROWS]).encode(),
        codes(3),
        rules=["header.two_rows"],
    )
    both = text([["Orders"], *split, *ROWS]).encode()
    yield Case(
        "header-two-rows-below-title.csv", both, codes(4), rules=["header.two_rows", "rows.title"]
    )
    for name, header, rules in (
        ("case", ["ITEM CODE", "item name", "ORDER DATE", "AMOUNT"], []),
        ("punctuation", ["Item-code:", "Item_name", "Order  date", "Amount."], []),
        ("typing-error", ["Item codde", "Item name", "Order date", "Amount"], ["header.similar"]),
        ("language", ["Artikel", "Bezeichnung", "Datum", "Betrag"], []),
    ):
        yield Case(f"header-{name}.csv", text([header, *ROWS]).encode(), codes(), rules=rules)
    order = [[r[3], r[0], "x", r[2], r[1]] for r in [HEADER, *ROWS]]
    order[0][2] = "Remark"
    yield Case(
        "header-reordered-and-extra.csv", text(order).encode(), codes(), rules=["columns.ignored"]
    )
    again = text([HEADER, *ROWS[:2], HEADER, *ROWS[2:]]).encode()
    split_codes = codes(2, ROWS[:2]) + codes(5, ROWS[2:])
    yield Case("header-repeated.csv", again, split_codes, rules=["rows.repeated_header"])
    for name, units in (
        ("brackets", ["", "", "[YYYY-MM-DD]", "[EUR]"]),
        ("code", ["", "", "", "EUR"]),
        ("round", ["(text)", "(text)", "(date)", "(EUR)"]),
        ("sign", ["", "", "", "€"]),
    ):
        yield Case(
            f"units-{name}.csv",
            text([HEADER, units, *ROWS]).encode(),
            codes(3),
            rules=["rows.units"],
        )
    for name, cell in (
        ("empty", ""), ("spaces", "  "), ("no-break", "\u00a0"), ("zero-width", "\u200b"),
        ("tab", "\t"), ("mark", "\ufeff"),
    ):  # fmt: skip
        body = text([HEADER, *ROWS[:2], [cell] * 4, *ROWS[2:]]).encode()
        yield Case(f"blank-{name}.csv", body, split_codes, rules=["rows.blank"])
    for label in ("Total", "TOTAL:", "Sum", "Summe", "Gesamtsumme", "Grand total"):
        name = label.lower().strip(":").replace(" ", "-")
        body = text([HEADER, *ROWS, [label, "", "", TOTAL]]).encode()
        suffix = "-colon" if label.endswith(":") else ""
        yield Case(f"total-{name}{suffix}.csv", body, codes(), rules=["rows.total"])
    wrong = text([HEADER, *ROWS, ["Total", "", "", "99.00"]]).encode()
    yield Case("total-wrong.csv", wrong, codes(), [6], ["rows.total_unconfirmed"])
    named = [*ROWS[:3], ["Total Care", "Cream", "2026-03-04", "40.00"]]
    yield Case(
        "total-is-a-name.csv",
        text([HEADER, *named]).encode(),
        codes(rows=named),
        rules=["rows.total_unconfirmed"],
    )
    subs = [
        *ROWS[:2],
        ["Subtotal", "", "", "30.50"],
        *ROWS[2:],
        ["Subtotal", "", "", "70.25"],
        ["Total", "", "", TOTAL],
    ]
    yield Case(
        "total-and-sub-totals.csv",
        text([HEADER, *subs]).encode(),
        split_codes,
        rules=["rows.subtotal", "rows.total"],
    )
    groups = [
        *ROWS[:2],
        ["North Total", "", "", "30.50"],
        *ROWS[2:],
        ["South Total", "", "", "70.25"],
        ["Gesamtergebnis", "", "", TOTAL],
    ]
    yield Case(
        "total-behind-group-names.csv",
        text([HEADER, *groups]).encode(),
        split_codes,
        rules=["rows.subtotal", "rows.total"],
    )
    carried = [*ROWS[:2], ["Übertrag", "", "", "30.50"], *ROWS[2:], ["Summe", "", "", TOTAL]]
    yield Case(
        "total-carried-over.csv",
        text([HEADER, *carried]).encode(),
        split_codes,
        rules=["rows.total"],
    )
    drawn = text([["", *HEADER, ""], *[["", *row, ""] for row in ROWS]], "|").splitlines()
    line = "-" * 50
    report = ["Orders", line, drawn[0], line, *drawn[1:], line, f"|*| | |{TOTAL}|", line, ""]
    yield Case(
        "ruler-report.txt",
        "\n".join(report).encode(),
        codes(5),
        rules=["rows.ruler", "rows.title", "rows.total"],
    )
    marked = text([HEADER, ["---", ":--", "---", "--:"], *ROWS], "|")
    yield Case("ruler-below-header.txt", marked.encode(), codes(3), rules=["rows.ruler"])
    paged = text([HEADER, *ROWS[:2], ["Page 1"], [], HEADER, *ROWS[2:]]).encode()
    yield Case(
        "footer-at-page-break.csv",
        paged,
        codes(2, ROWS[:2]) + codes(7, ROWS[2:]),
        rules=["rows.blank", "rows.footer", "rows.repeated_header"],
    )
    cut_short = text([HEADER, *ROWS, ["A-5"]]).encode()
    yield Case("ragged-last-row-is-a-code.csv", cut_short, codes(), [6], ["rows.short"])
    for name, remark in (
        ("generated", "Generated on 2026-04-01"),
        ("page", "Page 1 of 1"),
        ("note", "Amounts in EUR"),
    ):
        body = text([HEADER, *ROWS, [remark]]).encode()
        yield Case(f"footer-{name}.csv", body, codes(), rules=["rows.footer"])
        behind = text([HEADER, *ROWS, ["Total", "", "", TOTAL], [], [remark]]).encode()
        yield Case(
            f"footer-{name}-behind-total.csv",
            behind,
            codes(),
            rules=["rows.blank", "rows.footer", "rows.total"],
        )
    other = [
        ["Team", "City", "Manager", "Phone"],
        ["Sales", "Basel", "Ann", "12"],
        ["Stock", "Bern", "Bob", "13"],
    ]
    body = text([HEADER, *ROWS, [], *other]).encode()
    yield Case("second-table-below.csv", body, codes(), rules=["rows.blank", "rows.second_table"])
    titled = text([HEADER, *ROWS, [], ["Teams"], *other]).encode()
    yield Case(
        "second-table-below-a-title.csv", titled, codes(), rules=["rows.blank", "rows.second_table"]
    )
    side = [
        [*r, "", *o]
        for r, o in zip([HEADER, *ROWS], [*other, ["", "", "", ""], ["", "", "", ""]], strict=True)
    ]
    yield Case(
        "second-table-beside.csv", text(side).encode(), codes(), rules=["columns.second_table"]
    )
    moved = [["Amount", "Order date", "Item name", "Item code"], *[row[::-1] for row in ROWS[2:]]]
    yield Case(
        "ambiguous-two-headers.csv",
        text([HEADER, *ROWS[:2], [], *moved]).encode(),
        refused="table.ambiguous_header",
    )
    twin = [[*HEADER, "Amount"], *[[*row, "1.00"] for row in ROWS]]
    yield Case("ambiguous-two-amounts.csv", text(twin).encode(), refused="table.ambiguous_column")
    yield Case("no-header.csv", text(ROWS).encode(), refused="table.no_header")
    yield Case(
        "missing-column.csv",
        text([r[:3] for r in [HEADER, *ROWS]]).encode(),
        refused="table.missing_columns",
    )


def workbooks() -> Iterator[Case]:
    """Workbooks of the kinds that can be written here."""

    def table(sheet: Any, top: int = 0, left: int = 0, number: Any = None) -> None:
        for row, cells in enumerate([HEADER, *ROWS]):
            for column, cell in enumerate(cells):
                if number is not None and row and column == 2:
                    sheet.write_datetime(top + row, left + column, date.fromisoformat(cell), number)
                elif row and column == 3:
                    sheet.write_number(top + row, left + column, float(cell))
                else:
                    sheet.write_string(top + row, left + column, cell)

    def book(fill: Callable[[Any], None], **options: Any) -> bytes:
        buffer = io.BytesIO()
        made = xlsxwriter.Workbook(buffer, {"in_memory": True, **options})
        made.set_properties({"created": date(2026, 1, 1)})
        fill(made)
        made.close()
        return buffer.getvalue()

    def dates(made: Any) -> Any:
        return made.add_format({"num_format": "yyyy-mm-dd"})

    yield Case("book.xlsx", book(lambda b: table(b.add_worksheet(), number=dates(b))), codes())
    moved = book(lambda b: table(b.add_worksheet(), 3, 2, dates(b)))
    yield Case("book-not-at-the-corner.xlsx", moved, codes(5))
    old = book(lambda b: table(b.add_worksheet(), number=dates(b)), date_1904=True)
    yield Case("book-1904.xlsx", old, codes(), rules=["dates.1904"])

    def titled(made: Any) -> None:
        sheet = made.add_worksheet()
        sheet.merge_range(0, 0, 0, 3, "Orders of March")
        table(sheet, 2)

    yield Case("book-merged-title.xlsx", book(titled), codes(4), rules=["rows.title"])

    def flawed(made: Any) -> None:
        sheet = made.add_worksheet()
        table(sheet)
        sheet.write_formula(1, 3, "=1/0", None, "#DIV/0!")
        sheet.write_formula(2, 3, "=A1", None, "")

    yield Case("book-error-and-uncalculated.xlsx", book(flawed), codes(4, ROWS[2:]), [2, 3])

    def hidden(made: Any) -> None:
        secret = made.add_worksheet("Secret")
        secret.write_string(0, 0, "no")
        shown = made.add_worksheet("Shown")
        shown.activate()
        table(shown)
        secret.hide()

    yield Case("book-hidden-sheet.xlsx", book(hidden), codes(), rules=["sheet.hidden"])
    yield Case("book-empty.xlsx", book(lambda b: b.add_worksheet()), refused="file.empty")
    macro_kind = b"application/vnd.ms-excel.sheet.macroEnabled.main+xml"
    plain_kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
    plain = book(lambda b: table(b.add_worksheet(), number=dates(b)))
    with zipfile.ZipFile(io.BytesIO(plain)) as package:
        kinds = package.read("[Content_Types].xml").replace(plain_kind, macro_kind)
    macros = replaced(plain, {"[Content_Types].xml": kinds, "xl/vbaProject.bin": b"made up"})
    yield Case("book-macros.xlsm", macros, codes(), rules=["book.macros"])
    with zipfile.ZipFile(io.BytesIO(plain)) as package:
        parts = {name.replace("/", "\\"): package.read(name) for name in package.namelist()}
    yield Case("book-backslashes.xlsx", zipped(parts), codes())
    links = replaced(plain, {"xl/externalLinks/externalLink1.xml": b"<externalLink/>"})
    yield Case("book-external-links.xlsx", links, codes(), rules=["book.external_links"])

    def masked(made: Any) -> None:
        sheet = made.add_worksheet()
        table(sheet, number=dates(made))
        sheet.set_row(2, None, None, {"hidden": True})
        sheet.set_column(1, 1, None, None, {"hidden": True})

    seen = ["columns.hidden", "rows.hidden"]
    yield Case("book-hidden-rows-and-columns.xlsx", book(masked), codes(), rules=seen)

    def two(made: Any) -> None:
        table(made.add_worksheet("March"))
        table(made.add_worksheet("April"))

    yield Case("book-two-sheets.xlsx", book(two), refused="sheet.ambiguous")

    def remarks(made: Any) -> None:
        made.add_worksheet("Read me").write_string(0, 0, "The orders are on the next sheet.")
        table(made.add_worksheet("Orders"))

    yield Case("book-remarks-sheet.xlsx", book(remarks), codes(), rules=["sheet.chosen"])

    def defined(made: Any) -> None:
        sheet = made.add_worksheet()
        sheet.write_string(0, 0, "Orders of March")
        headings = [{"header": heading} for heading in HEADER]
        sheet.add_table(2, 1, 6, 4, {"name": "Orders", "columns": headings})
        table(sheet, 2, 1)
        sheet.write_string(9, 1, "Checked by Ann")

    yield Case("book-defined-table.xlsx", book(defined), codes(4), rules=["table.defined"])

    def merged(made: Any) -> None:
        sheet = made.add_worksheet()
        sheet.merge_range(0, 0, 0, 1, "Item")
        sheet.write_string(0, 2, "Order")
        sheet.merge_range(0, 3, 1, 3, "Amount")
        for column, word in enumerate(["code", "name", "date"]):
            sheet.write_string(1, column, word)
        for row, cells in enumerate(ROWS):
            for column, cell in enumerate(cells):
                sheet.write_string(2 + row, column, cell)

    two_rows = ["header.two_rows"]
    yield Case("book-merged-header.xlsx", book(merged), codes(3), rules=two_rows)
    yield from _old_books()


def _old_books() -> Iterator[Case]:
    kept = (FOLDER / "book.xls").read_bytes()
    yield Case("book.xls", kept, codes())
    rows: list[list[Any]] = [[c, n, date.fromisoformat(d), float(a)] for c, n, d, a in ROWS]
    flawed = [[*row] for row in rows]
    flawed[1][3] = "#REF!"
    hidden = frozenset({2})
    for kind, write in (("xls", xls_book), ("xlsb", xlsb_book), ("ods", ods_book)):
        if kind != "xls":
            yield Case(f"book.{kind}", write([MadeSheet("Orders", [HEADER, *rows])]), codes())
        errors = MadeSheet("Orders", [HEADER, *flawed])
        left = codes(2, ROWS[:1]) + codes(4, ROWS[2:])
        yield Case(f"book-error.{kind}", write([errors]), left, [3])
        masked = MadeSheet("Orders", [HEADER, *rows], hidden_rows=hidden)
        yield Case(f"book-hidden-row.{kind}", write([masked]), codes(), rules=["rows.hidden"])
        secret = MadeSheet("Secret", [["no"]], hidden=True)
        shown = MadeSheet("Orders", [HEADER, *rows])
        content = write([secret, shown])
        yield Case(f"book-hidden-sheet.{kind}", content, codes(), rules=["sheet.hidden"])
        twice = [shown, MadeSheet("More", [HEADER, *rows])]
        yield Case(f"book-two-sheets.{kind}", write(twice), refused="sheet.ambiguous")
        veiled = MadeSheet("Orders", [HEADER, *rows], hidden_columns=frozenset({1}))
        yield Case(f"book-hidden-column.{kind}", write([veiled]), codes(), rules=["columns.hidden"])
    plain = ods_book([MadeSheet("Orders", [HEADER, *rows])])
    with zipfile.ZipFile(io.BytesIO(plain)) as package:
        indented = package.read("content.xml").replace(b"><", b">\n  <")
    yield Case("book-indented.ods", replaced(plain, {"content.xml": indented}), codes())
    yield Case("book-kind-not-said.ods", replaced(plain, {"mimetype": None}), codes())
    for kind, write in (("xlsb", xlsb_book), ("ods", ods_book)):
        above: list[list[Any]] = [["Orders of March"], []]
        within = [[None, *each] for each in [HEADER, *rows, [], [], ["Checked by Ann"]]]
        area = MadeTable("Orders", (2, 1, 6, 4))
        defined = write([MadeSheet("March's", above + within, tables=[area])])
        yield Case(f"book-defined-table.{kind}", defined, codes(4), rules=["table.defined"])
    for kind, write in (("xls", xls_book), ("xlsb", xlsb_book)):
        old = write([MadeSheet("Orders", [HEADER, *rows])], since_1904=True)
        yield Case(f"book-1904.{kind}", old, codes(), rules=["dates.1904"])


def refused() -> Iterator[Case]:
    """What is no table."""
    for name, content, reason in (
        ("nothing.csv", b"", "file.empty"),
        ("one-byte.csv", b"x", "table.no_header"),
        ("one-line-end.csv", b"\n", "file.empty"),
        ("only-mark.csv", b"\xef\xbb\xbf", "file.empty"),
        ("page.xls", b"<html><body><table><tr><td>1</td></tr></table>", "file.markup"),
        ("flat.xml", b'<?xml version="1.0"?><rows/>', "file.markup"),
        ("object.json", b'{"rows": [1, 2]}', "file.json"),
        ("list.json", b'[{"a": 1}, {"a": 2}]', "file.json"),
        ("document.pdf", b"%PDF-1.7\n1 0 obj", "file.not_a_spreadsheet"),
        ("document.rtf", b"{\\rtf1 hello}", "file.not_a_spreadsheet"),
        ("picture.png", b"\x89PNG\r\n\x1a\n" + bytes(80), "file.binary"),
        ("zeros.csv", bytes(300), "file.binary"),
        ("noise.csv", bytes((n * n * 7 + n) % 251 for n in range(4000)), "file.binary"),
        (
            "letter.docx",
            zipped({"[Content_Types].xml": b"<Types/>", "word/document.xml": b"<w/>"}),
            "file.not_a_spreadsheet",
        ),
        ("cut.xlsx", b"PK\x03\x04 cut off", "file.broken_workbook"),
        ("wide.csv", b"," * 5000 + b"\n", "file.too_wide"),
        ("wrong-mark.csv", b"\xff\xfea", "file.encoding"),
        (
            "encrypted.xlsx",
            bytes.fromhex("D0CF11E0A1B11AE1") + "EncryptedPackage".encode("utf-16-le"),
            "file.encrypted",
        ),
    ):
        yield Case(f"refused-{name}", content, refused=reason)


def cases() -> list[Case]:
    """Every case of the corpus."""
    families = (encodings, line_ends, quotes, ragged, archives, structure, workbooks, refused)
    return [case for family in families for case in family()]


def main() -> None:
    """Write the files and their expected readings."""
    for case in cases():
        (FOLDER / case.name).write_bytes(case.content)
        reading = json.dumps(case.expected(), indent=1, ensure_ascii=False)
        (FOLDER / f"{case.name}.expected.json").write_text(reading + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
