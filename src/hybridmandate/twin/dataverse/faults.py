"""Faults on purpose: what a service does on a bad day, for tests and rehearsals."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class Faults:
    """``delay`` seconds before each answer; ``fail_next`` statuses for the next requests;
    ``cut_after_commit`` how many of the next writes are kept, but their answer is lost."""

    delay: float = 0.0
    fail_next: list[int] = field(default_factory=list)
    retry_after: int = 1
    cut_after_commit: int = 0
    committed: asyncio.Event = field(default_factory=asyncio.Event)
