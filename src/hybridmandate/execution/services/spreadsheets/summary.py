"""One paragraph for a mail: what came in, what was accepted, what was wrong and how often."""

from __future__ import annotations

from collections import Counter

from hybridmandate.execution.services.spreadsheets.body_rows import READ_ALL_THE_SAME
from hybridmandate.execution.services.spreadsheets.file_result import Normalization


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
    about_rows = [d for d in result.decisions if d.rule.startswith("rows.") and d.count]
    for label, read in (("Left out", False), ("Worth a look", True)):
        said = [d for d in about_rows if (d.message in READ_ALL_THE_SAME) is read]
        if said:
            listed = "; ".join(f"{d.message} ({d.count})" for d in said)
            parts.append(f"{label}: {listed}.")
    return " ".join(parts)
