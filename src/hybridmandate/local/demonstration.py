"""The main job, end to end, on real input: what `mandate demo` runs and shows.

Files are dropped by a person, the flow takes them up, a named person answers the approval, calls
that must be refused are refused, and a replay changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hybridmandate.local.audit import Audit
from hybridmandate.local.flows_client import ENDED
from hybridmandate.local.machine import Machine
from hybridmandate.local.person import Person
from hybridmandate.local.refusals import Refusal, Refusals

FLOW = "InvoiceIntake"
SITE = "accounts-payable"
INBOX = "Invoices/Inbox"
SUBMITTER = "ada@contoso.example"
APPROVER = "controller@contoso.example"
WAIT_SECONDS = 120.0

Say = Callable[[str], None]


class DemonstrationFailed(Exception):
    """Something did not happen that must happen; the message says what."""


@dataclass(frozen=True, slots=True)
class FileStory:
    """What became of one file: counts from its tracking record, seconds from drop to end."""

    name: str
    correlation_id: str
    state: str
    rows_in: int | None
    accepted: int | None
    rejected: int | None
    committed: int | None
    failure_type: str | None
    seconds: float


@dataclass
class Demonstration:
    """The steps; ``say`` tells the person at the terminal what happens."""

    machine: Machine
    say: Say
    stories: list[FileStory] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)

    async def files(self, samples: Sequence[Path]) -> list[FileStory]:
        """Drop the samples and follow each to its end.

        :raises DemonstrationFailed: when a file does not reach an end in time.
        """
        submitter = self.machine.person(SUBMITTER)
        self.say(f"{SUBMITTER} drops {len(samples)} files into /{INBOX}")
        for path in samples:
            await submitter.drop(SITE, INBOX, path.name, path.read_bytes())
        runs = await self._ended(len(samples))
        tracking = await Audit.of(self.machine).tracking()
        self.stories = sorted(
            (_story(run, tracking[run["correlationId"]]) for run in runs),
            key=lambda story: story.name,
        )
        return self.stories

    async def refusals(self) -> list[Refusal]:
        """Make the calls that must be refused."""
        probes = Refusals(
            self.machine,
            principal="flow-invoice-intake",
            outsider="invoice-batch",
            person=SUBMITTER,
        )
        return await probes.all()

    async def replay(self, story: FileStory) -> bool:
        """Resubmit a file's run; True when business rows and ledger are exactly as before.

        :raises DemonstrationFailed: when the run does not end, or ends differently.
        """
        audit = Audit.of(self.machine)
        before = await audit.totals()
        (run,) = [
            each
            for each in await self.machine.flows.runs(FLOW)
            if each["correlationId"] == story.correlation_id
        ]
        again = await self.machine.flows.resubmit(run["id"])
        deadline = time.monotonic() + WAIT_SECONDS
        while (state := await self.machine.flows.run(again))["status"] not in ENDED:
            if time.monotonic() > deadline:
                raise DemonstrationFailed("the replayed run did not end")
            await asyncio.sleep(0.1)
        if state["status"] != "Succeeded" or state["correlationId"] != story.correlation_id:
            raise DemonstrationFailed(f"the replayed run ended {state['status']}")
        return await audit.totals() == before

    async def _ended(self, count: int) -> list[dict[str, Any]]:
        approver = self.machine.person(APPROVER)
        deadline = time.monotonic() + WAIT_SECONDS
        while True:
            runs = await self.machine.flows.runs(FLOW)
            if len(runs) >= count and all(run["status"] in ENDED for run in runs):
                return runs
            if time.monotonic() > deadline:
                states = sorted(f"{run['status']}" for run in runs)
                raise DemonstrationFailed(f"of {count} files, the runs are: {states}")
            await self._answer(approver)
            await asyncio.sleep(0.1)

    async def _answer(self, approver: Person) -> None:
        for approval in await approver.approvals():
            self.say(f"the demo answers as {approver.mail}: Approve “{approval['displayName']}”")
            await approver.answer(approval, "Approve", "The accepted rows are fine.")
            self.answered.append(approval["displayName"])


def _story(run: dict[str, Any], tracking: Any) -> FileStory:
    return FileStory(
        name=str(tracking["hm_filename"]),
        correlation_id=str(run["correlationId"]),
        state=str(tracking["hm_state"]),
        rows_in=tracking["hm_rowsin"],
        accepted=tracking["hm_accepted"],
        rejected=tracking["hm_rejected"],
        committed=tracking["hm_committed"],
        failure_type=tracking["hm_failuretype"],
        seconds=float(run["endedAt"]) - float(run["startedAt"]),
    )
