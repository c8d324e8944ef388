"""What one evaluation may use: steps and bytes."""

from __future__ import annotations

from hybridmandate.governance.gateway.csharp.failures import ExpressionFailure

DEFAULT_STEPS = 500_000
DEFAULT_BYTES = 64 * 1024 * 1024


class Budget:
    """Counts steps (iterations, calls, elements) and bytes (text and collections made).

    It only counts up: memory that an expression lets go of is not given back, so the bound holds
    for every moment of the evaluation. One budget may serve all expressions of a call.
    """

    __slots__ = ("_bytes", "_steps")

    def __init__(self, steps: int = DEFAULT_STEPS, bytes_allowed: int = DEFAULT_BYTES) -> None:
        self._steps = steps
        self._bytes = bytes_allowed

    @property
    def steps_left(self) -> int:
        """Steps that may still be taken."""
        return max(0, self._steps)

    @property
    def bytes_left(self) -> int:
        """Bytes that may still be made."""
        return max(0, self._bytes)

    def step(self, count: int = 1) -> None:
        """Take steps. :raises ExpressionFailure: BudgetExceeded, when there are none left."""
        self._steps -= count
        if self._steps < 0:
            raise ExpressionFailure("The expression takes too many steps.", "BudgetExceeded")

    def allocate(self, size: int) -> None:
        """Make ``size`` bytes. :raises ExpressionFailure: BudgetExceeded, when too many."""
        self._bytes -= size
        if self._bytes < 0:
            raise ExpressionFailure("The expression makes too much data.", "BudgetExceeded")
