"""What one evaluation may use: steps, bytes and time."""

from __future__ import annotations

import time
from collections.abc import Callable

from hybridmandate.governance.gateway.csharp.failures import ExpressionFailure

DEFAULT_STEPS = 500_000
DEFAULT_BYTES = 64 * 1024 * 1024
DEFAULT_SECONDS = 2.0
_STEPS_BETWEEN_LOOKS = 64
_STEPS_BEFORE_FIRST_LOOK = 16


class Budget:
    """Counts steps (iterations, calls, elements) and bytes (text and collections made).

    It only counts up: memory that an expression lets go of is not given back, so the bound holds
    for every moment of the evaluation. One budget may serve all expressions of a call; ``seconds``
    of the thread's CPU time are for each evaluation.
    """

    __slots__ = ("_bytes", "_clock", "_look", "_seconds", "_steps", "_until")

    def __init__(
        self,
        steps: int = DEFAULT_STEPS,
        bytes_allowed: int = DEFAULT_BYTES,
        seconds: float = DEFAULT_SECONDS,
        clock: Callable[[], float] = time.thread_time,
    ) -> None:
        self._steps = steps
        self._bytes = bytes_allowed
        self._seconds = seconds
        self._clock = clock
        self._until: float | None = None
        self._look = _STEPS_BETWEEN_LOOKS

    @property
    def steps_left(self) -> int:
        """Steps that may still be taken."""
        return max(0, self._steps)

    def begun(self) -> Budget:
        """Itself, as an evaluation starts; its time is counted from its first look at the clock.

        Reading the thread's clock is a call of the system, so short evaluations never do.
        """
        self._until = None
        self._look = _STEPS_BEFORE_FIRST_LOOK
        return self

    def step(self, count: int = 1) -> None:
        """Take steps. :raises ExpressionFailure: BudgetExceeded, when there are none left."""
        self._steps -= count
        if self._steps < 0:
            raise ExpressionFailure("The expression takes too many steps.", "BudgetExceeded")
        self._look -= count
        if self._look <= 0:
            self._look_at_clock()

    def allocate(self, size: int) -> None:
        """Make ``size`` bytes. :raises ExpressionFailure: BudgetExceeded, when too many."""
        self._bytes -= size
        if self._bytes < 0:
            raise ExpressionFailure("The expression makes too much data.", "BudgetExceeded")

    def _look_at_clock(self) -> None:
        self._look = _STEPS_BETWEEN_LOOKS
        now = self._clock()
        if self._until is None:
            self._until = now + self._seconds
        elif now > self._until:
            raise ExpressionFailure("The expression takes too much time.", "BudgetExceeded")
