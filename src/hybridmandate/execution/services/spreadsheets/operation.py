"""The operation `spreadsheets.normalize` v1 (requirements S1, I1, A4)."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

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
    StoredFile,
    Versions,
    WireModel,
    operation,
)
from hybridmandate.contracts.declaration import declared_operation
from hybridmandate.execution.job_switch import needs_job
from hybridmandate.execution.services.spreadsheets.accepted_file import json_frame
from hybridmandate.execution.services.spreadsheets.file_result import Normalization
from hybridmandate.execution.services.spreadsheets.normalization import (
    Progress,
    RowsSoFar,
    normalize,
)
from hybridmandate.execution.services.spreadsheets.profile import Profile, ProfileLibrary
from hybridmandate.execution.services.spreadsheets.resubmission import (
    Earlier,
    earlier_submission,
)
from hybridmandate.execution.services.spreadsheets.result_files import (
    ResultHandles,
    store_result,
)
from hybridmandate.execution.services.spreadsheets.summary import summary
from hybridmandate.execution.services.spreadsheets.table import Decision, Unreadable
from hybridmandate.execution.services.spreadsheets.view_rows import (
    MAX_VALUES,
    view_rows,
    without_views,
)
from hybridmandate.execution.watched_thread import run_watched

SYNC_TIMEOUT = "60 s"
SYNC_SECONDS = 60.0
SYNC_FILE_BYTES = 16 * 1024 * 1024
"""Above this size a call becomes a job."""
IN_MEMORY_BYTES = 16 * 1024 * 1024
"""Above this size rows wait on disk while a file is judged."""
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
        limits=Limits(
            payload="16 KiB", timeout=SYNC_TIMEOUT, job_timeout="30 min", calls_per_minute=120
        ),
        modes={"sync", "job"},
    )
    async def normalize_file(request: NormalizeRequest, call: Call) -> Answer[Normalized]:
        """Turns a spreadsheet as people send it into rows of a declared schema.

        The file was stored before with files.store. Every row is either accepted or rejected with
        all its reasons and line numbers; everything that was skipped is listed with its rule.
        """
        profile = _profile(profiles, request.profile)
        stored = await call.files.describe(request.handle)
        if stored.size > SYNC_FILE_BYTES and call.remaining_seconds() <= SYNC_SECONDS:
            raise needs_job(f"a file of {stored.size} bytes is normalised in a job")
        content = Path(await call.files.local_path(request.handle))
        with tempfile.TemporaryDirectory(prefix="mandate-look-") as folder:
            look = _Look(content, profile, Path(folder))
            references = await view_rows(call, profile, look.values)
        earlier = await earlier_submission(
            call, content, request.resubmission_of, request.accepted_before
        )
        with tempfile.TemporaryDirectory(prefix="mandate-rows-") as folder:
            result = await _judged(call, stored, content, profile, references, earlier, folder)
            if earlier.correlation_id is not None:
                call.note("decision", "file.resubmitted", first=earlier.correlation_id)
            for decision in result.decisions:
                call.note("decision", decision.rule, lines=decision.count)
            handles = await store_result(call, result, Path(folder))
            return await asyncio.to_thread(_answer, request, result, handles, earlier)

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


async def _judged(
    call: Call,
    stored: StoredFile,
    content: Path,
    profile: Profile,
    references: dict[str, pl.DataFrame],
    earlier: Earlier,
    folder: str,
) -> Normalization:
    spill = Path(folder) if stored.size > IN_MEMORY_BYTES else None

    def work(progress: Progress) -> Normalization:
        return normalize(
            content,
            profile,
            references=references,
            accepted_before=earlier.accepted,
            spill=spill,
            progress=progress,
        )

    try:
        return await run_watched(
            work,
            lambda far: call.progress(
                far.read,
                None if far.expected is None else max(far.expected, far.read),
                f"rows, {far.accepted} accepted, {far.rejected} rejected",
            ),
        )
    except Unreadable as unreadable:
        call.note("decision", "file.unreadable", reason=unreadable.reason)
        raise _refused(unreadable) from None


@dataclass(slots=True)
class _Look:
    """A first reading of a file, made once and only if a view has more rows than it may give."""

    content: Path
    profile: Profile
    folder: Path
    result: Normalization | None = None

    async def values(self, column: str) -> Sequence[Any] | None:
        """The different values of a column. :raises Refused: when the file is no table."""
        if self.result is None:
            self.result = await run_watched(self._read, _tell_nobody)
        return await asyncio.to_thread(self.result.different_values, column, MAX_VALUES)

    def _read(self, progress: Progress) -> Normalization:
        plain = without_views(self.profile)
        try:
            return normalize(self.content, plain, spill=self.folder, progress=progress)
        except Unreadable as unreadable:
            raise _refused(unreadable) from None


async def _tell_nobody(_far: RowsSoFar) -> None:
    """The reading that is told is the one that judges."""


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


def _answer(
    request: NormalizeRequest, result: Normalization, handles: ResultHandles, earlier: Earlier
) -> Answer[Normalized]:
    inline = result.accepted_count <= request.inline_rows
    counts: dict[str, int] = {}
    for (code, _, _), count in result.count_by_rule().items():
        counts[code] = counts.get(code, 0) + count
    data = Normalized(
        accepted=json_frame(result.accepted).to_dicts() if inline else [],
        accepted_inline=inline,
        accepted_handle=handles.accepted,
        rejected_handle=handles.rejected,
        rejected_share=round(result.rejected_share, 6),
        review_needed=result.rejected_share > result.profile.thresholds.review_share,
        summary=summary(result),
        source=dict(result.source),
        headers=[
            HeaderFound(column=m.column, header=m.header, how=m.how) for m in result.table.matches
        ],
        ignored_headers=list(result.table.ignored_headers),
        decisions=[_taken(d) for d in result.decisions],
        errors_by_rule=dict(sorted(counts.items())),
        digest=result.digest,
        accepted_parquet_handle=handles.parquet,
        errors_handle=handles.errors,
        file_findings=[
            FileRuleBroken(code=f.code, message=f.message, severity=f.severity, field=f.field)
            for f in result.file_findings
        ],
        resubmission_of=earlier.correlation_id,
    )
    status = _status(result)
    warnings = [*handles.warnings, *([earlier.warning] if earlier.warning else [])]
    return Answer(
        data,
        status=status,
        counts={
            "rowsIn": result.rows_in,
            "accepted": result.accepted_count,
            "rejected": result.rejected_count,
        },
        errors=[*_file_errors(result, "error"), *_listed(result, "error")],
        warnings=[*warnings, *_file_errors(result, "warning"), *_listed(result, "warning")],
        versions=Versions(profile=result.profile.label),
        message=data.summary if status is Status.REJECTED else None,
    )


def _listed(result: Normalization, severity: str) -> list[RowError]:
    return list(islice(result.each_error(severity), MAX_ERRORS_LISTED))


def _file_errors(result: Normalization, severity: str) -> list[RowError]:
    return [
        RowError(code=f.code, message=f.message, field=f.field)
        for f in result.file_findings
        if f.severity == severity
    ]


def _status(result: Normalization) -> Status:
    if not result.accepted_count:
        return Status.REJECTED
    return Status.PARTIALLY_SUCCEEDED if result.rejected_count else Status.SUCCEEDED


def _taken(decision: Decision) -> DecisionTaken:
    return DecisionTaken(
        rule=decision.rule,
        message=decision.message,
        lines=list(decision.lines),
        count=decision.count,
    )
