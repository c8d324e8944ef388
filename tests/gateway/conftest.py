"""Fixtures of the gateway's tests."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
from gateway_edge import edge, named_values, settings
from tls_door_kit import served_door

from hybridmandate.local.process import loop_factory

__all__ = ["edge", "named_values", "served_door", "settings"]

AS_IN_ITS_PROCESS = ("test_gateway_http2_bounds.py", "test_gateway_tls_door.py")
"""Tests of transports run on the event loop that the gateway's process has."""


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loop of a test."""
    faster = loop_factory("gateway") if item.path.name in AS_IN_ITS_PROCESS else None
    return {"uvloop": faster} if faster else {"asyncio": asyncio.new_event_loop}
