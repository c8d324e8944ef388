"""How large an expression and what it makes may become, and the frame that counts it."""

from __future__ import annotations

from dataclasses import dataclass

from hybridmandate.orchestration.expressions.errors import ExpressionEvaluationError
from hybridmandate.orchestration.expressions.scope import Scope


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of one expression.

    ``source`` and ``result`` are the platform's (Power Automate "Limits of automated, scheduled,
    and instant flows": 8,192 characters of an expression, 131,072 of its evaluated result);
    ``depth`` (nesting), ``steps`` (work) and ``items`` (values in a made array or object) keep
    this engine in bounded time and memory.
    """

    source: int = 8_192
    result: int = 131_072
    depth: int = 64
    steps: int = 1_000_000
    items: int = 1_000_000


class Frame:
    """One evaluation: what it may look at, and what it has used of its bounds."""

    __slots__ = ("bounds", "scope", "steps")

    def __init__(self, scope: Scope, bounds: Bounds) -> None:
        self.scope = scope
        self.bounds = bounds
        self.steps = 0

    def spend(self, steps: int) -> None:
        """Count work that grows with a value; the calls of a text are bounded by its length.

        :raises ExpressionEvaluationError: when the evaluation's work is used up.
        """
        self.steps += steps
        if self.steps > self.bounds.steps:
            raise ExpressionEvaluationError(
                f"The evaluation of the template language expression takes more than the "
                f"{self.bounds.steps} steps that it may take."
            )

    def admit_text(self, length: int) -> None:
        """Check the length of a text before or after it is made."""
        if length > self.bounds.result:
            raise ExpressionEvaluationError(
                f"The template language expression evaluation exceeds the limit: the result has "
                f"{length} characters, the limit is '{self.bounds.result}'."
            )
