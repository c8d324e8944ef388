"""What is wrong with a solution folder: file, line, what, and what to write instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that must change before the solution can run.

    ``file`` is relative to the solution folder, ``line`` 1-based or None where the place in a file
    is named by ``where`` alone: the dotted path of a value, the JSON path of a flow's part.
    ``hint`` is what to write instead.
    """

    file: str
    line: int | None
    where: str
    message: str
    hint: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        where = f" {self.where}:" if self.where else ""
        return f"{place}:{where} {self.message}. {self.hint}".rstrip()

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON values."""
        return {
            "file": self.file,
            "line": self.line,
            "where": self.where,
            "message": self.message,
            "hint": self.hint,
        }


class SolutionRefused(Exception):
    """A solution that does not load; carries every finding, not only the first."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = list(findings)
        super().__init__("\n".join(map(str, self.findings)))
