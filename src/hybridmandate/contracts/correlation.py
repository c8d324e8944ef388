"""Correlation ids: made once by the flow's first action, required at every door (L1, L2).

A correlation id is 8 to 64 characters of letters, digits, ``.``, ``_`` and ``-``, starting with a
letter or digit; flows make a GUID. The W3C trace id is derived from it, so that tracing tools and
the correlation id always point at the same transaction.
"""

from __future__ import annotations

import hashlib
import re
import uuid

CORRELATION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
TRACEPARENT = re.compile(
    r"00-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
)


def is_correlation_id(text: str | None) -> bool:
    """Whether the text may stand in ``x-correlation-id``."""
    return text is not None and CORRELATION_ID.fullmatch(text) is not None


def trace_id(correlation_id: str) -> str:
    """The W3C trace id (32 hex digits) of a correlation id.

    A GUID is its own trace id; any other id is hashed. The all-zero id, which W3C Trace Context
    forbids, is hashed too.
    """
    try:
        digits = uuid.UUID(correlation_id).hex if len(correlation_id) in (32, 36) else ""
    except ValueError:
        digits = ""
    if digits and digits != "0" * 32:
        return digits
    return hashlib.sha256(correlation_id.encode()).hexdigest()[:32]


def span_id(*parts: str) -> str:
    """A span id (16 hex digits) that is the same for the same parts, never all zeros."""
    digest = hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:16]
    return digest if digest != "0" * 16 else "0" * 15 + "1"


def traceparent(correlation_id: str, *span_parts: str) -> str:
    """The ``traceparent`` header (W3C Trace Context, version 00, sampled) for a step of a call."""
    return f"00-{trace_id(correlation_id)}-{span_id(correlation_id, *span_parts)}-01"
