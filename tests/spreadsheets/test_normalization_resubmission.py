"""A corrected workbook finds its first submission by itself, and its claim gives no right."""

import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import openpyxl
import polars as pl
import pytest
from test_judging import profile
from test_operation import FakeCall, ask, put, sample

from hybridmandate.contracts import FailureType, Refused
from hybridmandate.contracts.call import StoredFile
from hybridmandate.execution.services.spreadsheets import normalize
from hybridmandate.execution.services.spreadsheets.rejected_file import rejected_workbook
from hybridmandate.execution.services.spreadsheets.resubmission import Submission, reference_in

FIRST = "5b1c31f6-0000-4000-8000-000000000001"


async def rejected_of(call: FakeCall, content: bytes) -> bytes:
    first = await ask(call, handle=await put(call, content), profile="invoice")
    assert first.data.rejected_handle is not None
    return call.files.kept[first.data.rejected_handle][1]


def corrected(workbook: bytes, folder: Path, changes: dict[str, str]) -> bytes:
    """The workbook as a person sends it back: some cells written anew, saved by another program."""
    path = folder / "corrected.xlsx"
    path.write_bytes(workbook)
    book = openpyxl.load_workbook(path)
    for row in book.worksheets[0].iter_rows():
        for cell in row:
            cell.value = changes.get(str(cell.value), cell.value)
    book.save(path)
    return path.read_bytes()


async def test_corrected_workbook_is_linked_without_being_told(tmp_path: Path) -> None:
    call = FakeCall()
    workbook = await rejected_of(call, sample("03-odd-dates.csv"))
    again = corrected(workbook, tmp_path, {"31/31/2026": "31/12/2025"})
    second = await ask(call, handle=await put(call, again), profile="invoice")
    assert second.data.resubmission_of == call.correlation_id
    assert second.counts == {"rowsIn": 1, "accepted": 1, "rejected": 0}


async def test_row_that_was_accepted_before_is_not_accepted_again(tmp_path: Path) -> None:
    call = FakeCall()
    content = sample("03-odd-dates.csv")
    workbook = await rejected_of(call, content)
    path = tmp_path / "more.xlsx"
    path.write_bytes(workbook)
    book = openpyxl.load_workbook(path)
    first = await ask(call, handle=await put(call, content), profile="invoice", inline_rows=10)
    row = first.data.accepted[0]
    names = ["vendorNumber", "invoiceNumber", "invoiceDate", "dueDate", "amount", "currency"]
    headers = [str(c.value) for c in book.worksheets[0][1]]
    found = {m.header: str(row[m.column]) for m in first.data.headers if m.column in names}
    rest = {m.header: row[m.column] for m in first.data.headers if m.column not in names}
    book.worksheets[0].append([(found | rest).get(header) for header in headers])
    book.save(path)
    second = await ask(call, handle=await put(call, path.read_bytes()), profile="invoice")
    assert second.data.errors_by_rule["duplicate.accepted_before"] == 1
    assert second.counts["accepted"] == 0


class OthersFiles:
    """A file store whose first parquet belongs to somebody else, or to another transaction."""

    def __init__(self, call: FakeCall, changed: StoredFile | None) -> None:
        self._files = call.files
        self._changed = changed
        self.read_handles: list[str] = []

    async def store(
        self, stream: AsyncIterator[bytes], *, content_type: str, file_name: str | None
    ) -> StoredFile:
        return await self._files.store(stream, content_type=content_type, file_name=file_name)

    async def describe(self, handle: str) -> StoredFile:
        stored = await self._files.describe(handle)
        if not stored.content_type.endswith("parquet"):
            return stored
        if self._changed is None:
            raise Refused(FailureType.FORBIDDEN, "not a reader", reason="file.not_a_reader")
        return replace(stored, correlation_id=self._changed.correlation_id)

    def read(self, handle: str) -> AsyncIterator[bytes]:
        self.read_handles.append(handle)
        return self._files.read(handle)

    async def local_path(self, handle: str) -> str:
        return await self._files.local_path(handle)


@pytest.mark.parametrize("other_transaction", [True, False])
async def test_reference_that_the_store_does_not_confirm_is_not_followed(
    tmp_path: Path, other_transaction: bool
) -> None:
    call = FakeCall()
    workbook = await rejected_of(call, sample("03-odd-dates.csv"))
    again = corrected(workbook, tmp_path, {"31/31/2026": "31/12/2025"})
    handle = await put(call, again)
    stored = await call.files.describe(handle)
    files = OthersFiles(call, replace(stored, correlation_id=FIRST) if other_transaction else None)
    call.files = files  # type: ignore[assignment]
    second = await ask(call, handle=handle, profile="invoice")
    assert second.data.resubmission_of is None
    assert [w.code for w in second.warnings][:1] == ["resubmission.not_followed"]
    assert files.read_handles == []
    assert second.counts["accepted"] == 1


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"a,b\n1,2\n", b"PK\x05\x06" + b"\x00" * 18]
)
def test_files_without_a_reference_have_none(content: bytes) -> None:
    assert reference_in(content) is None


def test_hostile_properties_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("docProps/custom.xml", b"<" * 10_000_000)
    assert reference_in(path) is None


def test_rows_beyond_a_sheet_go_on_in_the_next(tmp_path: Path) -> None:
    body = "".join(f"x{n}\n" for n in range(7))
    result = normalize(f"a,b\n{body}".replace("\n", ",1\n").encode(), profile(
        '[columns.a]\ntype="integer"\n[columns.b1]\naliases=["1"]\ntype="text"\n'
    ))  # fmt: skip
    target = tmp_path / "r.xlsx"
    reference = Submission(FIRST, "f-1")
    rejected_workbook(result, target, reference, sheet_rows=3)
    book = openpyxl.load_workbook(target)
    assert book.sheetnames == [f"Rejected rows {n} of 3" for n in (1, 2, 3)]
    assert [sheet.max_row for sheet in book.worksheets] == [4, 4, 2]
    assert reference_in(target) == reference
    assert reference_in(target.read_bytes()) == reference
    first = target.read_bytes()
    rejected_workbook(result, target, reference, sheet_rows=3)
    assert target.read_bytes() == first


def test_accepted_rows_are_the_same_in_every_form(tmp_path: Path) -> None:
    from hybridmandate.execution.services.spreadsheets.accepted_file import (
        accepted_csv,
        accepted_lines,
        accepted_parquet,
    )

    wanted = profile(
        '[columns.n]\ntype="integer"\n[columns.v]\ntype="decimal"\n[columns.d]\ntype="date"\n'
    )
    result = normalize(b"n,v,d\n1,1.50,2026-01-05\n2,,\nx,1,\n", wanted)
    accepted_parquet(result, tmp_path / "a.parquet")
    accepted_lines(result, tmp_path / "a.jsonl")
    accepted_csv(result, tmp_path / "a.csv")
    assert pl.read_parquet(tmp_path / "a.parquet").equals(result.accepted)
    assert (tmp_path / "a.jsonl").read_text().splitlines() == [
        '{"n":1,"v":1.5,"d":"2026-01-05","line":2}',
        '{"n":2,"v":null,"d":null,"line":3}',
    ]
    assert (tmp_path / "a.csv").read_text() == "n,v,d,line\n1,1.50,2026-01-05,2\n2,,,3\n"
