"""The call as an operation gets it: :class:`hybridmandate.contracts.Call`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hybridmandate.contracts import Caller, ContractRef, DataGateway, Files
from hybridmandate.execution.evidence_trail import Trail, subject_of

ShowProgress = Callable[[int, int | None, str], Awaitable[None]]


async def no_progress(done: int, total: int | None, unit: str) -> None:
    """The progress of a sync call: nobody can look at it."""


@dataclass(frozen=True, slots=True)
class ServiceCall:
    """One call; ``deadline`` and ``clock`` are epoch seconds."""

    correlation_id: str
    contract: ContractRef
    caller: Caller
    files: Files
    data: DataGateway
    deadline: float
    clock: Callable[[], float]
    trail: Trail
    show_progress: ShowProgress = no_progress

    def remaining_seconds(self) -> float:
        return self.deadline - self.clock()

    def note(self, kind: str, subject: str, **detail: Any) -> None:
        self.trail.write(
            kind,
            subject,
            correlation_id=self.correlation_id,
            caller=self.caller,
            detail={"contract": subject_of(self.contract), **detail},
        )

    async def progress(self, done: int, total: int | None, unit: str) -> None:
        await self.show_progress(done, total, unit)
