"""Fixtures of the orchestration tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from connector_kit import Service


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    started = await Service().start()
    yield started
    await started.close()
