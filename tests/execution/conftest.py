"""Fixtures of the execution tier's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from execution_kit import Service, running
from sample_operations import Effects, registry


@pytest.fixture
async def effects() -> Effects:
    return Effects()


@pytest.fixture
async def service(tmp_path: Path, effects: Effects) -> AsyncIterator[Service]:
    async with running(tmp_path, registry(effects), wait_seconds=0.3) as found:
        yield found
