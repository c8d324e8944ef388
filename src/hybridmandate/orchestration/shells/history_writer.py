"""Group commit for the run history: turns of many runs that wait together go in one transaction."""

from __future__ import annotations

import asyncio

from hybridmandate.orchestration.history.store import RunHistory, TurnRecords, TurnWritten

MAX_TURNS = 64
"""How many turns one transaction holds at most."""


class HistoryWriter:
    """Writes turns; whoever comes while a transaction is under way is in the next one."""

    def __init__(self, history: RunHistory) -> None:
        self._history = history
        self._waiting: list[tuple[TurnRecords, asyncio.Future[TurnWritten]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def write(self, turn: TurnRecords) -> TurnWritten:
        """Write a turn of a run. Raises what the database raises for this turn."""
        written: asyncio.Future[TurnWritten] = asyncio.get_running_loop().create_future()
        self._waiting.append((turn, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_all())
        return await written

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_TURNS], self._waiting[MAX_TURNS:]
            try:
                results = await asyncio.to_thread(
                    self._history.write_turns, [turn for turn, _ in batch]
                )
            except Exception as error:
                await self._one_by_one(batch, error)
                continue
            for (_, written), result in zip(batch, results, strict=True):
                _settle(written, result)

    async def _one_by_one(
        self, batch: list[tuple[TurnRecords, asyncio.Future[TurnWritten]]], error: Exception
    ) -> None:
        """A turn that cannot be written must not take the others with it."""
        for turn, written in batch:
            if len(batch) == 1:
                _settle(written, error)
                return
            try:
                (result,) = await asyncio.to_thread(self._history.write_turns, [turn])
            except Exception as own:
                _settle(written, own)
            else:
                _settle(written, result)


def _settle(written: asyncio.Future[TurnWritten], outcome: TurnWritten | Exception) -> None:
    if written.done():
        return
    if isinstance(outcome, Exception):
        written.set_exception(outcome)
    else:
        written.set_result(outcome)
