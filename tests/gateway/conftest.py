"""Fixtures of the gateway's tests."""

from gateway_edge import edge, named_values, settings

__all__ = ["edge", "named_values", "settings"]
