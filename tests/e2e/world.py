"""A whole solution on this machine for tests: started once, driven from ordinary test functions."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from hybridmandate.evidence.checkpoint import read_public_key
from hybridmandate.evidence.store import by_correlation_id, open_reader
from hybridmandate.evidence.trace import Trace, build_trace
from hybridmandate.evidence.verification import VerificationReport, verify
from hybridmandate.local.audit import Audit, Totals
from hybridmandate.local.demonstration import APPROVER, FLOW, INBOX, SITE, SUBMITTER
from hybridmandate.local.flows_client import ENDED
from hybridmandate.local.machine import LocalRun, Machine

EXAMPLE = Path(__file__).parents[2] / "examples" / "vendor-invoices"
T = TypeVar("T")


class World:
    """A running solution; its event loop has a thread of its own."""

    def __init__(self, state: Path, solution: Path = EXAMPLE) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.local = self.do(self._start(state, solution))
        self.state = state

    async def _start(self, state: Path, solution: Path) -> LocalRun:
        local = LocalRun.prepare(solution, "local", state)
        await local.start()
        return local

    def close(self) -> None:
        """Stop everything."""
        self.do(self.local.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def do(self, work: Coroutine[Any, Any, T], seconds: float = 120.0) -> T:
        """Run a coroutine in the world's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds)

    @property
    def machine(self) -> Machine:
        """The clients."""
        return self.local.machine

    def drop(self, name: str, content: bytes) -> dict[str, Any]:
        """Drop a file as the submitter; returns the run that it starts."""
        known = {run["id"] for run in self.runs()}
        self.do(self.machine.person(SUBMITTER).drop(SITE, INBOX, name, content))

        def started() -> dict[str, Any] | None:
            new = [run for run in self.runs() if run["id"] not in known]
            return new[0] if new and new[0]["correlationId"] else None

        return self.until(started, f"a run for {name}")

    def runs(self) -> list[dict[str, Any]]:
        """All runs of the flow."""
        return self.do(self.machine.flows.runs(FLOW))

    def run(self, run_id: str) -> dict[str, Any]:
        """One run with its actions."""
        return self.do(self.machine.flows.run(run_id))

    def ended(self, run_id: str, seconds: float = 90.0) -> dict[str, Any]:
        """The run when it has ended."""

        def over() -> dict[str, Any] | None:
            run = self.run(run_id)
            return run if run["status"] in ENDED else None

        return self.until(over, f"the end of run {run_id}", seconds)

    def reaches(self, run: dict[str, Any], *states: str, seconds: float = 60.0) -> str:
        """Wait until the tracking record of a run is in one of these states."""

        def there() -> str | None:
            found = self.do(Audit.of(self.machine).tracking()).get(run["correlationId"])
            state = None if found is None else str(found["hm_state"])
            return state if state in states else None

        return self.until(there, f"state {' or '.join(states)}", seconds)

    def until(self, look: Callable[[], T | None], what: str, seconds: float = 60.0) -> T:
        """The first result that is not None; an unreachable service is looked at again."""
        deadline = time.monotonic() + seconds
        last: Exception | None = None
        while time.monotonic() < deadline:
            try:
                found = look()
            except OSError as error:
                found, last = None, error
            except Exception as error:
                if type(error).__module__.partition(".")[0] not in ("httpx", "httpcore"):
                    raise
                found, last = None, error
            if found is not None:
                return found
            time.sleep(0.05)
        raise AssertionError(f"{what}: not within {seconds} s ({last})")

    def approve(self, response: str = "Approve") -> None:
        """Answer the waiting approval as the named person, once there is one."""
        approver = self.machine.person(APPROVER)

        def waiting() -> list[dict[str, Any]] | None:
            return self.do(approver.approvals()) or None

        (approval,) = self.until(waiting, "an approval")
        self.do(approver.answer(approval, response, "seen"))

    def tracking(self, correlation_id: str) -> dict[str, Any]:
        """The tracking record of a transaction."""
        return dict(self.do(Audit.of(self.machine).tracking())[correlation_id])

    def totals(self) -> Totals:
        """Business rows and ledger."""
        return self.do(Audit.of(self.machine).totals())

    def ledger(self, job: str) -> list[dict[str, Any]]:
        """The ledger rows of a job."""
        rows = self.do(
            Audit.of(self.machine).rows(
                "hm_jobrecords", select="hm_job,hm_record,hm_status", order="hm_record"
            )
        )
        return [row for row in rows if row["hm_job"] == job]

    def invoices(self, prefix: str) -> list[dict[str, Any]]:
        """The invoices whose number begins with a text."""
        rows = self.do(
            Audit.of(self.machine).rows(
                "hm_invoices", select="hm_invoicenumber,hm_amount", order="hm_invoicenumber"
            )
        )
        return [row for row in rows if str(row["hm_invoicenumber"]).startswith(prefix)]

    def trace(self, correlation_id: str) -> Trace:
        """The trace of a transaction."""
        store = open_reader(self.machine.plan.folder.evidence_database)
        try:
            return build_trace(correlation_id, by_correlation_id(store, correlation_id))
        finally:
            store.close()

    def verify(self) -> VerificationReport:
        """Whether the evidence is intact."""
        folder = self.machine.plan.folder
        store = open_reader(folder.evidence_database)
        try:
            return verify(store, read_public_key(folder.evidence / "checkpoint.pub.pem"))
        finally:
            store.close()


def invoices_csv(prefix: str, rows: int) -> bytes:
    """A clean spreadsheet of invoices whose numbers begin with a text."""
    lines = ["Vendor No,Invoice No,Invoice date,Due date,Amount,Currency,Cost center,Description"]
    lines += [
        f"V-10001,{prefix}-{n:05d},2026-09-01,2026-10-01,{n + 1}.50,EUR,4100,Goods"
        for n in range(rows)
    ]
    return ("\n".join(lines) + "\n").encode()
