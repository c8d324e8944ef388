"""The operation `spreadsheets.normalize` v1 (requirements S1, I1, A4)."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import orjson
import polars as pl
from pydantic import Field

from hybridmandate.contracts import (
    Answer,
    Call,
    FailureType,
    Limits,
    Operation,
    Refused,
    RowError,
    Status,
    Versions,
    WireModel,
    operation,
)
from hybridmandate.contracts.declaration import declared_operation
from hybridmandate.execution.services.spreadsheets.accepted_file import PARQUET
from hybridmandate.execution.services.spreadsheets.normalization import Normalization, normalize
from hybridmandate.execution.services.spreadsheets.profile import Profile, ProfileLibrary
from hybridmandate.execution.services.spreadsheets.rejected_file import (
    MEDIA_TYPE,
    rejected_workbook,
)
from hybridmandate.execution.services.spreadsheets.table import Decision, Unreadable

MAX_FILE_BYTES = 32 * 1024 * 1024
MAX_ERRORS_LISTED = 1_000
MAX_ROWS_INLINE = 5_000


class NormalizeRequest(WireModel):
    """Which stored file, by which profile.

    ``profile`` is a name (newest version) or name/version; ``inline_rows`` how many accepted rows
    may stand in the answer itself.
    """

    handle: Annotated[str, Field(min_length=1, max_length=200)]
    profile: Annotated[str, Field(min_length=1, max_length=100, examples=["invoice"])]
    inline_rows: Annotated[int, Field(ge=0, le=MAX_ROWS_INLINE)] = MAX_ROWS_INLINE
    resubmission_of: Annotated[str | None, Field(max_length=64)] = None
    """Correlation id of the first submission, when this file corrects it."""
    accepted_before: Annotated[str | None, Field(max_length=200)] = None
    """Its ``acceptedParquetHandle``: rows in there are not accepted again."""


class DecisionTaken(WireModel):
    """Something that was left out or assumed, by a named rule; lines are 1-based."""

    rule: str
    message: str
    lines: list[int]
    count: int


class HeaderFound(WireModel):
    """Where a column of the profile was found; ``how`` is exact, alias or similar."""

    column: str
    header: str
    how: str


class FileRuleBroken(WireModel):
    """A rule about the whole file that does not hold; ``severity`` is error or warning."""

    code: str
    message: str
    severity: str
    field: str | None


class Normalized(WireModel):
    """The file as the profile wants it.

    ``accepted`` holds the accepted rows when there are at most ``inlineRows`` of them
    (``acceptedInline``); all of them are in the file ``acceptedHandle`` (JSON lines).
    ``rejectedHandle`` is a workbook to correct and send back, null when no row was rejected.
    ``errorsHandle`` holds every broken
    (row, rule) as JSON lines, ``acceptedParquetHandle`` the accepted rows as Parquet.
    ``rejectedShare`` is 0 to 1; ``reviewNeeded`` says that it is above the profile's threshold.
    """

    accepted: list[dict[str, Any]]
    accepted_inline: bool
    accepted_handle: str | None
    rejected_handle: str | None
    rejected_share: float
    review_needed: bool
    summary: str
    source: dict[str, Any]
    headers: list[HeaderFound]
    ignored_headers: list[str]
    decisions: list[DecisionTaken]
    errors_by_rule: dict[str, int]
    digest: str
    accepted_parquet_handle: str | None = None
    errors_handle: str | None = None
    file_findings: list[FileRuleBroken] = Field(default_factory=list)
    resubmission_of: str | None = None


def spreadsheet_operations(profiles: ProfileLibrary) -> list[Operation]:
    """The operations of the spreadsheet service, over a solution's profiles."""

    @operation(
        "spreadsheets.normalize",
        version=1,
        role="Spreadsheets.Normalize",
        limits=Limits(payload="16 KiB", timeout="60 s", job_timeout="30 min", calls_per_minute=120),
        modes={"sync", "job"},
    )
    async def normalize_file(request: NormalizeRequest, call: Call) -> Answer[Normalized]:
        """Turns a spreadsheet as people send it into rows of a declared schema.

        The file was stored before with files.store. Every row is either accepted or rejected with
        all its reasons and line numbers; everything that was skipped is listed with its rule.
        """
        profile = _profile(profiles, request.profile)
        content = await _content(call, request.handle)
        references = await _references(call, profile)
        before = await _accepted_before(call, request.accepted_before)
        try:
            result = await _with_progress(
                call,
                lambda progress: normalize(
                    content,
                    profile,
                    references=references,
                    accepted_before=before,
                    progress=progress,
                ),
            )
        except Unreadable as unreadable:
            call.note("decision", "file.unreadable", reason=unreadable.reason)
            raise _refused(unreadable) from None
        if request.resubmission_of is not None:
            call.note("decision", "file.resubmitted", first=request.resubmission_of)
        for decision in result.decisions:
            call.note("decision", decision.rule, lines=decision.count)
        return await _answer(request, profile, result, call)

    declared = declared_operation(normalize_file)
    assert declared is not None
    return [declared]


def _profile(profiles: ProfileLibrary, name: str) -> Profile:
    found = profiles.find(name)
    if found is None:
        known = ", ".join(profiles.labels) or "none"
        raise Refused(
            FailureType.VALIDATION_ERROR,
            f"there is no profile '{name}'; there are: {known}",
            reason="profile.unknown",
            errors=[RowError(code="profile.unknown", message="unknown profile", field="/profile")],
        )
    return found


async def _content(call: Call, handle: str) -> bytes:
    stored = await call.files.describe(handle)
    if stored.size > MAX_FILE_BYTES:
        raise Refused(
            FailureType.PAYLOAD_TOO_LARGE,
            f"the file has {stored.size} bytes; {MAX_FILE_BYTES} may be normalised",
        )
    return b"".join([chunk async for chunk in call.files.read(handle)])


async def _references(call: Call, profile: Profile) -> dict[str, pl.DataFrame]:
    """The rows of the views that the profile names. :raises Refused: as the data gateway does."""
    found = {}
    for view, parameters in profile.views().items():
        outcome = await call.data.view(view, parameters)
        rows = outcome.data.get("rows") if isinstance(outcome.data, dict) else outcome.data
        if outcome.failure is not None or not isinstance(rows, list):
            raise Refused(
                FailureType.INTERNAL_ERROR,
                f"the view '{view}' that the profile names gave no rows",
                reason="profile.view",
            )
        if isinstance(outcome.data, dict) and outcome.data.get("more"):
            raise Refused(
                FailureType.INTERNAL_ERROR,
                f"the view '{view}' has more rows than it may give: it cannot decide on membership",
                reason="profile.view_cut",
            )
        found[view] = pl.DataFrame(rows, infer_schema_length=None)
    return found


async def _accepted_before(call: Call, handle: str | None) -> pl.DataFrame | None:
    if handle is None:
        return None
    content = b"".join([chunk async for chunk in call.files.read(handle)])
    try:
        return pl.read_parquet(io.BytesIO(content))
    except pl.exceptions.PolarsError:
        raise Refused(
            FailureType.VALIDATION_ERROR,
            "acceptedBefore is not an acceptedParquetHandle of this operation",
            reason="resubmission.not_parquet",
        ) from None


async def _with_progress(
    call: Call, work: Callable[[Callable[[int, int | None], None]], Normalization]
) -> Normalization:
    """Run the work in a thread and pass on how many rows are read, at most ten times a second."""
    latest: list[tuple[int, int | None]] = []
    task = asyncio.create_task(
        asyncio.to_thread(work, lambda done, total: latest.append((done, total)))
    )
    while not task.done():
        await asyncio.wait([task], timeout=0.1)
        if latest and not task.done():
            await call.progress(*latest[-1], "rows")
    return await task


def _refused(unreadable: Unreadable) -> Refused:
    return Refused(
        FailureType.VALIDATION_ERROR,
        unreadable.message,
        reason=unreadable.reason,
        errors=[
            RowError(code=unreadable.reason, message=unreadable.message),
            *(RowError(code="candidate", message=each) for each in unreadable.candidates),
        ],
    )


async def _answer(
    request: NormalizeRequest, profile: Profile, result: Normalization, call: Call
) -> Answer[Normalized]:
    rows = accepted_rows(result.accepted)
    accepted = await call.files.store(
        _lines(rows), content_type="application/x-ndjson", file_name="accepted.jsonl"
    )
    parquet = io.BytesIO()
    result.accepted.write_parquet(parquet)
    columns = await call.files.store(
        _once(parquet.getvalue()), content_type=PARQUET, file_name="accepted.parquet"
    )
    errors_handle = rejected_handle = None
    if result.errors:
        listed = await call.files.store(
            _error_lines(result), content_type="application/x-ndjson", file_name="errors.jsonl"
        )
        errors_handle = listed.handle
    if result.rejected_count:
        workbook = await asyncio.to_thread(rejected_workbook, result)
        stored = await call.files.store(
            _once(workbook), content_type=MEDIA_TYPE, file_name="rejected-rows.xlsx"
        )
        rejected_handle = stored.handle
    inline = len(rows) <= request.inline_rows
    data = Normalized(
        accepted=rows if inline else [],
        accepted_inline=inline,
        accepted_handle=accepted.handle,
        rejected_handle=rejected_handle,
        rejected_share=round(result.rejected_share, 6),
        review_needed=result.rejected_share > profile.thresholds.review_share,
        summary=summary(result),
        source=dict(result.source),
        headers=[
            HeaderFound(column=m.column, header=m.header, how=m.how) for m in result.table.matches
        ],
        ignored_headers=list(result.table.ignored_headers),
        decisions=[_taken(d) for d in result.decisions],
        errors_by_rule=dict(sorted(Counter(e.code for e in result.errors).items())),
        digest=result.digest,
        accepted_parquet_handle=columns.handle,
        errors_handle=errors_handle,
        file_findings=[
            FileRuleBroken(code=f.code, message=f.message, severity=f.severity, field=f.field)
            for f in result.file_findings
        ],
        resubmission_of=request.resubmission_of,
    )
    status = _status(result)
    return Answer(
        data,
        status=status,
        counts={
            "rowsIn": result.rows_in,
            "accepted": result.accepted_count,
            "rejected": result.rejected_count,
        },
        errors=[*_file_errors(result, "error"), *result.errors[:MAX_ERRORS_LISTED]],
        warnings=[*_file_errors(result, "warning"), *result.warnings[:MAX_ERRORS_LISTED]],
        versions=Versions(profile=profile.label),
        message=data.summary if status is Status.REJECTED else None,
    )


def _file_errors(result: Normalization, severity: str) -> list[RowError]:
    return [
        RowError(code=f.code, message=f.message, field=f.field)
        for f in result.file_findings
        if f.severity == severity
    ]


async def _error_lines(result: Normalization) -> AsyncIterator[bytes]:
    for start in range(0, len(result.errors), 1000):
        chunk = result.errors[start : start + 1000]
        yield b"".join(orjson.dumps(error.model_dump()) + b"\n" for error in chunk)


def _status(result: Normalization) -> Status:
    if not result.accepted_count:
        return Status.REJECTED
    return Status.PARTIALLY_SUCCEEDED if result.rejected_count else Status.SUCCEEDED


def accepted_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The accepted rows as JSON values: dates as ISO texts, decimals as numbers."""
    return [
        {name: _json(value) for name, value in row.items()} for row in frame.iter_rows(named=True)
    ]


def summary(result: Normalization) -> str:
    """One paragraph for a mail: what came in, what was accepted, what was wrong and how often."""
    parts = [
        f"{result.rows_in} rows were read, {result.accepted_count} accepted, "
        f"{result.rejected_count} rejected."
    ]
    if result.count_by_rule():
        counted = Counter(
            {(field or "row", text): n for (_, field, text), n in result.count_by_rule().items()}
        )
        reasons = [f"{field} {message} ({n}×)" for (field, message), n in counted.most_common(5)]
        parts.append(f"Reasons: {'; '.join(reasons)}.")
    for finding in result.file_findings:
        parts.append(f"The whole file: {finding.message}.")
    if result.file_rejected:
        parts.append("Because of that no row of the file was accepted.")
    left_out = [d for d in result.decisions if d.rule.startswith("rows.") and d.count]
    if left_out:
        listed = "; ".join(f"{d.message} ({d.count})" for d in left_out)
        parts.append(f"Left out: {listed}.")
    return " ".join(parts)


def _taken(decision: Decision) -> DecisionTaken:
    return DecisionTaken(
        rule=decision.rule,
        message=decision.message,
        lines=list(decision.lines),
        count=decision.count,
    )


def _json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)  # at most 15 digits, so the number is carried exactly
    if isinstance(value, date):  # datetime too: ISO 8601 in UTC
        return value.isoformat()
    return value


async def _lines(rows: list[dict[str, Any]]) -> AsyncIterator[bytes]:
    for start in range(0, len(rows), 1000):
        yield b"".join(orjson.dumps(row) + b"\n" for row in rows[start : start + 1000])


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
