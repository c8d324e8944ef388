"""What it takes to run an operation in this process, sync or in a job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hybridmandate.contracts import Caller, Download, Operation, Outcome, Versions
from hybridmandate.execution.data_client import DataGatewayClient
from hybridmandate.execution.evidence_trail import Trail
from hybridmandate.execution.files import FileStore
from hybridmandate.execution.invocation import invoke
from hybridmandate.execution.service_call import ServiceCall, ShowProgress, no_progress


@dataclass(frozen=True, slots=True)
class Runner:
    """Binds the declared dependencies to each call; ``clock`` gives epoch seconds."""

    files: FileStore
    data: DataGatewayClient
    trail: Trail
    clock: Callable[[], float]
    versions: Versions

    async def run(
        self,
        operation: Operation,
        request: Any,
        *,
        caller: Caller,
        correlation_id: str,
        call_key: str,
        deadline: float,
        show_progress: ShowProgress = no_progress,
    ) -> Outcome | Download:
        """The outcome, or the file, of one run; ``call_key`` is the same when it runs again."""
        call = ServiceCall(
            correlation_id=correlation_id,
            contract=operation.ref,
            caller=caller,
            files=self.files.for_call(
                caller=caller, correlation_id=correlation_id, call_key=call_key
            ),
            data=self.data.for_call(correlation_id=correlation_id, contract=operation.ref),
            deadline=deadline,
            clock=self.clock,
            trail=self.trail,
            show_progress=show_progress,
        )
        return await invoke(operation, request, call, self.versions, self.trail)
