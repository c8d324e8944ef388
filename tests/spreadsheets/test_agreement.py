"""Rejected rows and reasons agree with the slow reference; results are the same however made."""

import csv
import io
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_reference import rejected

from hybridmandate.execution.services.spreadsheets import (
    Profile,
    ProfileLibrary,
    Unreadable,
    inspect_file,
    normalize,
)
from hybridmandate.execution.services.spreadsheets.table import END, START, whole_sheet
from hybridmandate.execution.services.spreadsheets.text_reader import read_text

EXAMPLE = Path(__file__).parents[2] / "examples" / "vendor-invoices"
HEADER = [
    "Vendor No", "Invoice No", "Invoice date", "Due date", "Amount", "Currency", "Description",
]  # fmt: skip

ROW = st.tuples(
    st.sampled_from(["V-10001", "V-10002", "v-1", "V-1٣001", " V-10003 "]),
    st.sampled_from(["A1", "A2", "B7", "x" * 40, ""]),
    st.sampled_from(["2026-01-05", "05.01.2026", "31/12/2025",
        "2026-1-5", "05/01/26", "2026-02-30"]),
    st.sampled_from(["", "2026-02-01", "01.01.2026", "soon"]),
    st.sampled_from(
        ["10", "1,234.56", "1.234,56", "-4", "0.00", "1.005", "1000001", "nan", "1e3", ""]
    ),
    st.sampled_from(["EUR", "eur", "€", "CHF", "$", ""]),
    st.sampled_from(["chairs, six", 'a "b"', "", "plain"]),
)  # fmt: skip


def invoice() -> Profile:
    found = ProfileLibrary.from_folder(EXAMPLE / "profiles").find("invoice")
    assert found is not None
    return found


def table(rows: list[tuple[str, ...]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows)
    return out.getvalue()


@settings(max_examples=80, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=30))
def test_rejected_rows_and_reasons_agree_with_the_reference(rows: list[tuple[str, ...]]) -> None:
    content = table(rows)
    result = normalize(content.encode(), invoice())
    assert {(e.line, e.field, e.code) for e in result.errors} == rejected(content)


def big(rows: int) -> bytes:
    lines = [
        (f"V-{n % 90000 + 10000}", f"I{n}", "2026-01-05", "", f"{n}.5", "EUR", f"line {n}")
        for n in range(1, rows)
    ]
    return table(lines).encode()


def test_rows_on_disk_and_in_memory_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "big.csv"
    path.write_bytes(big(300_000))
    spill = tmp_path / "spill"
    spill.mkdir()
    seen: list[int] = []
    disk = normalize(path, invoice(), spill=spill, progress=lambda far: seen.append(far.read))
    memory = normalize(path.read_bytes(), invoice())
    assert len(list(spill.iterdir())) > 1
    assert disk.digest == memory.digest
    assert disk.accepted_count == memory.accepted_count == 299_999
    assert sum(frame.height for frame in disk.accepted_batches()) == 299_999
    assert seen == sorted(seen)
    assert seen[-1] == 299_999


def test_another_process_gives_the_same_digest() -> None:
    path = EXAMPLE / "samples" / "09-above-threshold.xlsx"
    code = (
        "import sys; from pathlib import Path;"
        "from hybridmandate.execution.services.spreadsheets import *;"
        "p = ProfileLibrary.from_folder(Path(sys.argv[1])).find('invoice');"
        "print(normalize(Path(sys.argv[2]), p).digest)"
    )
    command = [sys.executable, "-c", code, str(EXAMPLE / "profiles"), str(path)]
    other = subprocess.run(command, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == normalize(path, invoice()).digest


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet='ab,"\r\n ', max_size=120), st.integers(16, 60))
def test_chunks_change_nothing(text: str, chunk: int) -> None:
    content = ("h,i\n" + text).encode()
    try:
        whole = whole_sheet(read_text(content))
    except Unreadable:
        return
    pieces = whole_sheet(read_text(content, chunk=chunk))
    names = ["first_line", "last_line", "start_byte", "end_byte", "t0"]
    assert pieces.frame.select(names).rows() == whole.frame.select(names).rows()


def test_every_record_keeps_the_place_of_its_raw_text() -> None:
    content = b'a,b\r\n1,"x\r\ny"\r\n2, "z"\r\n'
    sheet = whole_sheet(read_text(content))
    places = sheet.frame.select(START, END).iter_rows()
    assert [content[start:end] for start, end in places] == [b"a,b", b'1,"x\r\ny"', b'2, "z"']


@pytest.mark.parametrize("name", sorted(p.name for p in (EXAMPLE / "samples").glob("0*")))
def test_inspection_finds_header_and_rows_without_a_profile(name: str) -> None:
    found = inspect_file(EXAMPLE / "samples" / name)
    assert len([h for h in found.header if h]) >= 5
    assert len(found.rows) >= 3


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_changed_corpus_files_are_read_or_refused(data: st.DataObject) -> None:
    files = sorted(p for p in (Path(__file__).parent / "corpus").iterdir() if p.suffix != ".json")
    content = bytearray(data.draw(st.sampled_from(files)).read_bytes()[:20_000])
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, max(0, len(content) - 1)))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    try:
        result = normalize(bytes(content), invoice())
    except Unreadable:
        return
    assert result.rows_in == result.accepted_count + result.rejected_count
