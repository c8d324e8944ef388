"""`spreadsheets.normalize` answers with an outcome's parts and stores its files."""

import hashlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from hybridmandate.contracts import Answer, Caller, ContractRef, FailureType, Refused, Status
from hybridmandate.contracts.call import StoredFile
from hybridmandate.execution.services.spreadsheets import ProfileLibrary, spreadsheet_operations
from hybridmandate.execution.services.spreadsheets.operation import Normalized, NormalizeRequest

EXAMPLE = Path(__file__).parents[2] / "examples" / "vendor-invoices"
ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


class MemoryFiles:
    """A file store in memory, for one transaction."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[StoredFile, bytes]] = {}
        self._folder = tempfile.TemporaryDirectory()

    async def store(
        self, stream: AsyncIterator[bytes], *, content_type: str, file_name: str | None
    ) -> StoredFile:
        content = b"".join([chunk async for chunk in stream])
        digest = hashlib.sha256(content).hexdigest()
        handle = f"f{len(self.kept)}"
        stored = StoredFile(handle, digest, len(content), content_type, file_name, ID)
        self.kept[handle] = (stored, content)
        return stored

    async def describe(self, handle: str) -> StoredFile:
        if handle not in self.kept:
            raise Refused(FailureType.NOT_FOUND, "no such file")
        return self.kept[handle][0]

    async def read(self, handle: str) -> AsyncIterator[bytes]:
        yield self.kept[handle][1]

    async def local_path(self, handle: str) -> str:
        await self.describe(handle)
        path = Path(self._folder.name) / handle
        path.write_bytes(self.kept[handle][1])
        return str(path)


class FakeCall:
    """A call with files and nothing else."""

    def __init__(self) -> None:
        self.correlation_id = ID
        self.contract = ContractRef(operation="spreadsheets.normalize", version=1)
        self.caller = Caller("oid", "app")
        self.files = MemoryFiles()
        self.notes: list[tuple[str, str]] = []

    def remaining_seconds(self) -> float:
        return 30.0

    async def progress(self, done: int, total: int | None, unit: str) -> None:
        self.notes.append(("progress", unit))

    def note(self, kind: str, subject: str, **detail: Any) -> None:
        self.notes.append((kind, subject))


async def put(call: FakeCall, content: bytes) -> str:
    async def stream() -> AsyncIterator[bytes]:
        yield content

    stored = await call.files.store(stream(), content_type="text/csv", file_name="a.csv")
    return stored.handle


async def ask(call: FakeCall, **fields: Any) -> Answer[Normalized]:
    (declared,) = spreadsheet_operations(ProfileLibrary.from_folder(EXAMPLE / "profiles"))
    answer = await declared.function(NormalizeRequest(**fields), call)  # type: ignore[arg-type]
    assert isinstance(answer, Answer)
    return answer


def sample(name: str) -> bytes:
    return (EXAMPLE / "samples" / name).read_bytes()


async def test_clean_file_succeeds_with_its_rows_inline_and_in_a_file() -> None:
    call = FakeCall()
    answer = await ask(call, handle=await put(call, sample("01-clean.csv")), profile="invoice")
    assert answer.status is Status.SUCCEEDED
    assert answer.counts == {"rowsIn": 6, "accepted": 6, "rejected": 0}
    assert answer.data.accepted[0] == {
        "vendorNumber": "V-10001",
        "invoiceNumber": "INV-2026-0101",
        "invoiceDate": "2026-09-01",
        "dueDate": "2026-10-01",
        "amount": 1250.0,
        "currency": "EUR",
        "costCenter": "4100",
        "description": "Office chairs",
        "line": 2,
    }
    assert answer.data.rejected_handle is None
    assert answer.data.accepted_handle is not None
    lines = call.files.kept[answer.data.accepted_handle][1].splitlines()
    assert [orjson.loads(line) for line in lines] == answer.data.accepted
    assert answer.versions is not None
    assert answer.versions.profile == "invoice/3"


async def test_partly_wrong_file_gives_rows_reasons_and_a_workbook() -> None:
    call = FakeCall()
    answer = await ask(
        call, handle=await put(call, sample("09-above-threshold.xlsx")), profile="invoice/3"
    )
    assert answer.status is Status.PARTIALLY_SUCCEEDED
    assert answer.data.review_needed
    assert answer.data.rejected_share == 0.7
    assert len(answer.errors) == 7
    assert answer.data.errors_by_rule["duplicate"] == 2
    assert answer.data.rejected_handle is not None
    stored, content = call.files.kept[answer.data.rejected_handle]
    assert stored.file_name == "rejected-rows.xlsx"
    assert content[:2] == b"PK"
    assert "7 rejected" in answer.data.summary


async def test_many_rows_are_not_inlined_but_never_lost() -> None:
    call = FakeCall()
    handle = await put(call, sample("01-clean.csv"))
    answer = await ask(call, handle=handle, profile="invoice", inline_rows=5)
    assert not answer.data.accepted_inline
    assert answer.data.accepted == []
    assert answer.data.accepted_handle is not None
    assert len(call.files.kept[answer.data.accepted_handle][1].splitlines()) == 6


async def test_nothing_usable_is_rejected_with_words_for_the_submitter() -> None:
    call = FakeCall()
    content = b"Vendor No,Invoice No,Date,Amount,Currency\nx,1,soon,much,EUR\n"
    answer = await ask(call, handle=await put(call, content), profile="invoice")
    assert answer.status is Status.REJECTED
    assert answer.message is not None
    assert "1 rows were read, 0 accepted, 1 rejected" in answer.message


async def test_file_that_is_no_table_is_a_typed_refusal_and_evidence() -> None:
    call = FakeCall()
    handle = await put(call, sample("10-no-spreadsheet.csv"))
    with pytest.raises(Refused) as refused:
        await ask(call, handle=handle, profile="invoice")
    assert refused.value.type is FailureType.VALIDATION_ERROR
    assert refused.value.reason == "file.markup"
    assert ("decision", "file.unreadable") in call.notes


async def test_unknown_profile_names_those_that_exist() -> None:
    call = FakeCall()
    with pytest.raises(Refused, match="invoice/3"):
        await ask(call, handle=await put(call, b"a"), profile="order")


async def test_unknown_handle_stays_not_found() -> None:
    with pytest.raises(Refused) as refused:
        await ask(FakeCall(), handle="nothing", profile="invoice")
    assert refused.value.type is FailureType.NOT_FOUND
