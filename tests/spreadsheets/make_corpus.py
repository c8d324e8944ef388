"""Makes the files of `corpus/` and, from the same plan, what must be read from each.

Run as a script after a change; the files are committed. The expected reading comes from the rows
that a case was written from, never from the reader.
`book.xls` is kept as it is (made with xlwt 1.3.0); the other xls, xlsb and ods files are written by
`workbook_kit.py`, since no maintained library writes those formats.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

from corpus_case import FOLDER, HEADER, ROWS, TOTAL, Case, codes, text
from corpus_workbooks import workbooks
from workbook_kit import zipped


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
