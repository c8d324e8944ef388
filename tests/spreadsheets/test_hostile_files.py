"""Files made to hurt: each is a typed refusal or a reading, within stated memory and time.

The files of a family are made and read in one process whose address space is limited, so that
memory beyond the bound fails; it reports the peak of all of them and the seconds of each.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits memory with setrlimit")

ADDRESS_SPACE = 4 << 30
PEAK = 3 << 29
"""Of which up to 1 GiB are pages of the mapped file itself, which the system takes back at will."""
SECONDS = 30
HERE = Path(__file__).parent

# How each file is made: code that writes to `path`, piece by piece where it is large.
TEXTS: dict[str, tuple[str, str]] = {
    "empty": ("path.write_bytes(b'')", "file.empty"),
    "one byte": ("path.write_bytes(b'x')", "read"),
    "binary": ("path.write_bytes(bytes(range(256)) * 4096)", "file.binary"),
    "noise": (
        "import random\npath.write_bytes(random.Random(5).randbytes(200_000))", "file.binary",
    ),
    "page saved as xls": ("path.write_bytes(b'<html><table><tr><td>1</table>')", "file.markup"),
    "JSON": ("path.write_bytes(b'{\"rows\": [[1, 2]]}')", "file.json"),
    "ten million columns": ("path.write_bytes(b',' * 10_000_000 + b'a\\n')", "file.too_wide"),
    "ten million filled columns": (
        "path.write_bytes(b'a,' * 10_000_000 + b'\\n')", "file.line_too_long",
    ),
    "three million quoted columns": (
        "path.write_bytes(b'\"a\",' * 3_000_000 + b'\\n')", "file.too_wide",
    ),
    "ten million columns below a header": (
        "path.write_bytes(b'a,b\\n1,2\\n' + b',' * 10_000_000 + b'\\n')", "file.too_wide",
    ),
    "a line of 1 GB": (
        "with path.open('wb') as f:\n    for _ in range(1024): f.write(b'a' * (1 << 20))",
        "file.line_too_long",
    ),
    "a quoted line of 64 MB": (
        "path.write_bytes(b'a,b\\n\"' + b'x' * (64 << 20) + b'\"\\n')", "file.line_too_long",
    ),
    "a quote never closed": (
        "path.write_bytes(b'a,b\\n1,\"' + b'x,y\\n' * 200_000)", "read",
    ),
    "an open quote on every line": ("path.write_bytes(b'a,\"b\\n' * 100_000)", "read"),
    "a million line ends": ("path.write_bytes(b'\\n' * 1_000_000)", "file.empty"),
    "a million commas in lines": ("path.write_bytes(b',,,\\n' * 250_000)", "file.empty"),
    "a total on every line": ("path.write_bytes(b'a,b\\n' + b'Total,1\\n' * 200_000)", "read"),
    "mixed encodings": (
        "path.write_bytes('größe,a\\n'.encode() + 'größe,b\\n'.encode('cp1252') * 100_000)", "read",
    ),
    "gzip bomb": (
        "import gzip\nwith gzip.open(path, 'wb') as f:\n"
        "    for _ in range(64): f.write(bytes(1 << 20))",
        "file.zip_bomb",
    ),
    "formulas": ("path.write_bytes(b'a,b\\n=cmd|x!A1,@SUM(1)\\n+1,-2\\n')", "read"),
}  # fmt: skip

WORKBOOKS: dict[str, tuple[str, str]] = {
    "100,000 parts named sheets": (
        "import zipfile\nwith zipfile.ZipFile(path, 'w') as z:\n"
        "    z.writestr('[Content_Types].xml', '<Types/>')\n"
        "    for n in range(100_000): z.writestr(f'xl/worksheets/sheet{n}.xml', b'')",
        "file.zip_bomb",
    ),
    "100,000 sheets in one part": (
        "changed({'xl/workbook.xml': '<workbook><sheets>' + "
        "''.join(f'<sheet name=\"s{n}\" id=\"rId1\"/>' for n in range(100_000)) + "
        "'</sheets></workbook>'})",
        "file.too_many_sheets",
    ),
    "100,000 sheets in xls": (
        "path.write_bytes(kit.xls_book([kit.MadeSheet(f's{n}', []) for n in range(100_000)]))",
        "file.too_many_sheets",
    ),
    "100,000 sheets in ods": (
        "path.write_bytes(kit.ods_book([], body=''.join("
        "f'<table:table table:name=\"s{n}\"/>' for n in range(100_000))))",
        "file.too_many_sheets",
    ),
    "deep XML without cells": (
        "changed({SHEET: '<worksheet>' + '<a>' * 5_000 + '</a>' * 5_000 + '</worksheet>'})",
        "file.empty",
    ),
    "deep XML": (
        "changed({SHEET: '<worksheet><f/>' + '<a>' * 5_000 + '</a>' * 5_000 "
        "+ '</worksheet>'})",
        "file.broken_workbook",
    ),
    "entities that explode": (
        "changed({SHEET: '<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]>' "
        "'<worksheet><sheetData><row><c><v>&b;</v></c></row></sheetData></worksheet>'})",
        "file.broken_workbook",
    ),
    "two cells in opposite corners": (
        "changed({SHEET: sheet('<row r=\"1\"><c r=\"A1\"><v>1</v></c></row>'"
        "'<row r=\"1048576\"><c r=\"XFD1048576\"><v>1</v></c></row>')})",
        "file.too_many_cells",
    ),
    "corners without references": (
        "changed({SHEET: sheet('<row>' + '<c><v>1</v></c>' * 16_384 + '</row>'"
        "'<row r=\"1048576\"><c><v>1</v></c></row>')})",
        "file.too_many_cells",
    ),
    "a dimension that lies": (
        "changed({SHEET: '<worksheet><dimension ref=\"A1:XFD1048576\"/>' + "
        "sheet('<row r=\"1\"><c r=\"A1\"><v>1</v></c></row>')[11:]})",
        "read",
    ),
    "all rows hidden": (
        "changed({SHEET: sheet(''.join(f'<row r=\"{n}\" hidden=\"1\"><c r=\"A{n}\"><v>1</v></c>"
        "</row>' for n in range(1, 200_001)))})",
        "read",
    ),
    "xls with rows that lie": (
        "import struct\n"
        "stream = kit.xls_stream([kit.MadeSheet('a', [['x']])])\n"
        "good = struct.pack('<IIHHH', 0, 1, 0, 1, 0)\n"
        "assert good in stream\n"
        "bad = struct.pack('<IIHHH', 0, 4294967295, 0, 65535, 0)\n"
        "path.write_bytes(kit.ole_container({'Workbook': stream.replace(good, bad)}))",
        "file.too_many_cells",
    ),
    "ods cell that stands for all": (
        "path.write_bytes(kit.ods_book([], body='<table:table table:name=\"a\">"
        "<table:table-row table:number-rows-repeated=\"1048576\"><table:table-cell "
        "table:number-columns-repeated=\"16384\" office:value-type=\"string\"><text:p>x</text:p>"
        "</table:table-cell></table:table-row></table:table>'))",
        "file.too_many_cells",
    ),
    "package larger than it says": (
        "content = bytearray(kit.replaced(BOOK, {SHEET: b'<worksheet>' + b' ' * 3_000_000}))\n"
        "import zipfile, io, struct\n"
        "place = content.index(struct.pack('<I', 3_000_011), content.index(b'PK\\x01\\x02'))\n"
        "content[place:place + 4] = struct.pack('<I', 1000)\n"
        "path.write_bytes(bytes(content))",
        "file.zip_bomb",
    ),
    "hostile names": (
        "path.write_bytes(kit.zipped({'../../etc/passwd\\x1b[2J': b'a,b\\n1,2\\n'}))", "read",
    ),
}  # fmt: skip

FAMILIES = {"texts": TEXTS, "workbooks": WORKBOOKS}

_READER = """
import io, json, resource, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import workbook_kit as kit
import xlsxwriter
from peak_memory import peak_bytes
from hybridmandate.execution.services.spreadsheets import Unreadable, inspect_file

resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[3]), int(sys.argv[3])))
path = Path(sys.argv[1])
buffer = io.BytesIO()
book = xlsxwriter.Workbook(buffer, {'in_memory': True})
book.add_worksheet().write(0, 0, 'x')
book.close()
BOOK, SHEET = buffer.getvalue(), 'xl/worksheets/sheet1.xml'

def changed(parts):
    path.write_bytes(kit.replaced(BOOK, {n: p.encode() for n, p in parts.items()}))

def sheet(rows):
    return '<worksheet><sheetData>' + rows + '</sheetData></worksheet>'

for name, code in json.load(sys.stdin).items():
    exec(code)
    start = time.monotonic()
    try:
        inspect_file(path)
        outcome = 'read'
    except Unreadable as unreadable:
        outcome = unreadable.reason
    seconds = time.monotonic() - start
    path.unlink()
    print(json.dumps([name, outcome, seconds, peak_bytes()]), flush=True)
"""


@pytest.mark.parametrize("family", FAMILIES)
def test_hostile_files_end_typed_within_bounds(family: str, tmp_path: Path) -> None:
    cases = {name: code for name, (code, _) in FAMILIES[family].items()}
    done = subprocess.run(
        [sys.executable, "-c", _READER, str(tmp_path / "file"), str(HERE), str(ADDRESS_SPACE)],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=SECONDS * len(cases),
        env={**os.environ, "POLARS_MAX_THREADS": "2"},
        check=False,
    )
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"after {len(results)} files: {done.stderr[-2000:]}"
    assert {name: outcome for name, outcome, _, _ in results} == {
        name: expected for name, (_, expected) in FAMILIES[family].items()
    }
    assert {name: s for name, _, s, _ in results if s > SECONDS} == {}
    assert {name: peak for name, _, _, peak in results if peak > PEAK} == {}
