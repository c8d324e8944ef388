"""What a process says to people, line by line, as it says it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

LOOK_EVERY_SECONDS = 0.2


async def new_lines(log: Path) -> AsyncIterator[str]:
    """The lines that are written to a log from now on; ends never."""
    place = _size(log)
    rest = ""
    while True:
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        content = _after(log, place)
        place += len(content)
        *lines, rest = (rest + content.decode("utf-8", "replace")).split("\n")
        for line in lines:
            yield line


def _size(log: Path) -> int:
    return log.stat().st_size if log.is_file() else 0


def _after(log: Path, place: int) -> bytes:
    if _size(log) <= place:
        return b""
    with log.open("rb") as file:
        file.seek(place)
        return file.read()
