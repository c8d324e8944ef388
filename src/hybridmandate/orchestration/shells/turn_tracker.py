"""History and evidence of a run's turns: written in order, beside the run, each turn once.

A run does not wait for them: its event log is what it goes on from. After a crash every turn of the
replayed log is handed in again, and the history leaves alone what it holds already.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from hybridmandate.orchestration.engine import (
    Command,
    NearLimit,
    Respond,
    State,
    Track,
    TrackRetry,
    TrackStart,
)
from hybridmandate.orchestration.engine.instants import epoch_seconds
from hybridmandate.orchestration.history.store import TurnRecords, TurnWritten
from hybridmandate.orchestration.shells.history_writer import HistoryWriter
from hybridmandate.orchestration.shells.tracking import RunEvidence

HISTORY_RETRY_SECONDS = 0.05
MAX_HISTORY_RETRY_SECONDS = 5.0
MAX_TURNS_AHEAD = 64
"""How many turns a run may be ahead of its history."""
RECORDS_A_TURN = 1_000_000
"""More than a turn can bring: the sequence of a record is its turn's number times this, and on."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a run did since its log was last written: to be tracked once.

    ``counted`` are the actions that have ended and the attempts of calls since the run began.
    """

    number: int
    commands: tuple[Command, ...]
    state: State
    counted: Mapping[str, Any]


class HistoryUnwritable(Exception):
    """The history will not take a turn, now or later."""


class TurnTracker:
    """Tracks the turns of one run.

    ``written`` is called when a turn stands in the history, ``cancel`` with a person's reason when
    the history says that the run must end.
    """

    def __init__(
        self,
        start: Mapping[str, Any],
        writer: HistoryWriter,
        evidence: RunEvidence,
        *,
        written: Callable[[], None],
        cancel: Callable[[str], None],
    ) -> None:
        self._start = start
        self._writer = writer
        self._evidence = evidence
        self._tell = written
        self._cancel: Callable[[str], None] | None = cancel
        self._waiting: deque[Turn] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def track(self, turn: Turn) -> None:
        """Have a turn written soon; waits only for a history that lags far behind.

        :raises HistoryUnwritable: when an earlier turn could not be written.
        """
        self._raise_failure()
        self._waiting.append(turn)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(
                self._write_all(), context=contextvars.Context()
            )
        if len(self._waiting) > MAX_TURNS_AHEAD:
            await self.settled()

    async def settled(self) -> None:
        """Wait until every turn is written. :raises HistoryUnwritable: when one cannot be."""
        if self._writing is not None:
            await asyncio.wait([self._writing])
        self._raise_failure()

    def close(self) -> None:
        """Write nothing more: what is left is handed in again when the run is resumed."""
        if self._writing is not None:
            self._writing.cancel()

    def _raise_failure(self) -> None:
        if self._writing is not None and self._writing.done():
            self._writing.result()

    async def _write_all(self) -> None:
        while self._waiting:
            await self._write(self._waiting[0])
            self._waiting.popleft()

    async def _write(self, turn: Turn) -> None:
        run = turn.state["run"]
        # What began and ended in one turn is only shown as it ended: later records win.
        records = [c.record for c in turn.commands if isinstance(c, TrackStart | Track)]
        numbered = [
            {**record, "sequence": turn.number * RECORDS_A_TURN + index}
            for index, record in enumerate(records)
        ]
        kept = TurnRecords(
            self._start["runId"], turn.number, numbered, _changes(run, turn.commands)
        )
        written = await self._patiently(kept)
        if written.new:
            self._record(turn)
        self._tell()
        if written.cancel_reason is not None and self._cancel is not None:
            self._cancel(written.cancel_reason)
            self._cancel = None

    def _record(self, turn: Turn) -> None:
        run = turn.state["run"]
        known = run["clientTrackingId"]
        if turn.number == 0:
            self._evidence.triggered(known, self._start, self._start["trigger"]["name"])
        commands = turn.commands
        self._evidence.retries(known, [c.record for c in commands if isinstance(c, TrackRetry)])
        self._evidence.actions(known, [c.record for c in commands if isinstance(c, Track)])
        near = [c for c in commands if isinstance(c, NearLimit)]
        self._evidence.near_limits(known, turn.state["profile"], near)
        if run["status"] != "Running":
            self._evidence.ended(known, run, turn.counted)

    async def _patiently(self, turn: TurnRecords) -> TurnWritten:
        """Write a turn; a database that does not answer now is asked again until it does."""
        wait = HISTORY_RETRY_SECONDS
        while True:
            try:
                return await self._writer.write(turn)
            except (OperationalError, PoolExhausted):
                await asyncio.sleep(wait)
                wait = min(2 * wait, MAX_HISTORY_RETRY_SECONDS)
            except Exception as error:
                raise HistoryUnwritable(f"history: {type(error).__name__}: {error}") from error


def _changes(run: Mapping[str, Any], commands: tuple[Command, ...]) -> dict[str, Any]:
    changes = {
        "status": run["status"],
        "correlation_id": run["clientTrackingId"],
        "code": run["code"],
        "error": run["error"],
        "ended_at": epoch_seconds(run["endTime"]) if run["endTime"] else None,
    }
    for command in commands:
        if isinstance(command, Respond):
            changes["response"] = {
                "statusCode": command.status,
                "headers": dict(command.headers),
                "body": command.body,
            }
    return changes
