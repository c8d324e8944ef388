"""Scopes for the tests of expressions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hybridmandate.orchestration.expressions import parse_template
from hybridmandate.orchestration.expressions.conformance import CaseScope


def scope(**context: Any) -> CaseScope:
    """The scope of a context in the format of the conformance cases."""
    return CaseScope(context, moment=datetime(2026, 5, 1, 12, tzinfo=UTC), seed=7)


def value(text: str, **context: Any) -> Any:
    """What a text evaluates to in a context."""
    return parse_template(text).evaluate(scope(**context))
