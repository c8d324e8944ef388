"""The accepted rows of an earlier submission are opened within bounds, and only if ours."""

from pathlib import Path

import polars as pl
import pytest
from test_operation import FakeCall, ask, put, sample

from hybridmandate.contracts import FailureType, Refused
from hybridmandate.execution.services.spreadsheets.accepted_file import PARQUET
from hybridmandate.execution.services.spreadsheets.resubmission import read_accepted


async def stored(call: FakeCall, content: bytes, content_type: str) -> str:
    handle = await put(call, content)
    described, kept = call.files.kept[handle]
    call.files.kept[handle] = (
        type(described)(handle, described.digest, described.size, content_type, None, "x"),
        kept,
    )
    return handle


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"PAR1 no parquet PAR1", PARQUET),
        (b"", PARQUET),
        (b"a,b\n1,2\n", "text/csv"),
        (None, "application/octet-stream"),
    ],
)
async def test_what_is_no_result_of_the_service_is_refused(
    tmp_path: Path, content: bytes | None, content_type: str
) -> None:
    if content is None:
        # Real Parquet, but uploaded: whoever made it may have made it to be unpacked.
        pl.DataFrame({"invoiceNumber": ["1"]}).write_parquet(tmp_path / "own.parquet")
        content = (tmp_path / "own.parquet").read_bytes()
    call = FakeCall()
    earlier = await stored(call, content, content_type)
    handle = await put(call, sample("01-clean.csv"))
    with pytest.raises(Refused) as refused:
        await ask(call, handle=handle, profile="invoice", accepted_before=earlier)
    assert refused.value.type is FailureType.VALIDATION_ERROR
    assert refused.value.reason == "resubmission.not_parquet"


def test_earlier_rows_are_read_whole_within_the_bounds(tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": range(250_000), "t": [f"text {n}" for n in range(250_000)]})
    frame.write_parquet(tmp_path / "a.parquet")
    assert read_accepted(tmp_path / "a.parquet").equals(frame)
    frame.head(0).write_parquet(tmp_path / "b.parquet")
    assert read_accepted(tmp_path / "b.parquet").equals(frame.head(0))


@pytest.mark.parametrize("bound", [{"most_rows": 99}, {"most_bytes": 50_000}])
def test_earlier_rows_beyond_a_bound_are_a_typed_refusal(
    tmp_path: Path, bound: dict[str, int]
) -> None:
    # One text a thousand characters long in each row: a few hundred bytes in the file.
    path = tmp_path / "a.parquet"
    pl.DataFrame({"t": ["x" * 1000] * 100}).write_parquet(path)
    assert path.stat().st_size < 2000
    with pytest.raises(Refused) as refused:
        read_accepted(path, **bound)
    assert refused.value.type is FailureType.PAYLOAD_TOO_LARGE
    assert refused.value.reason == "resubmission.too_large"
