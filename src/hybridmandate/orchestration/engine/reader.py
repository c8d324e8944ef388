"""Evaluates values of a definition for one action at one place of a run."""

from __future__ import annotations

from typing import Any

from hybridmandate.orchestration.engine.outcomes import ActionFault
from hybridmandate.orchestration.engine.references import RunReferences
from hybridmandate.orchestration.expressions import (
    ExpressionError,
    evaluate_function,
    evaluate_json,
)


class Reader(RunReferences):
    """Values and functions as an action sees them. ``action`` None stands for the trigger."""

    __slots__ = ()

    def evaluate(self, value: Any) -> Any:
        """The value with every expression in it evaluated.

        :raises ActionFault: when an expression cannot be.
        """
        try:
            return evaluate_json(value, self)
        except ExpressionError as error:
            raise self._fault(error) from error

    def call(self, function: str, *arguments: Any) -> Any:
        """The result of an expression function on values. :raises ActionFault: when it fails."""
        try:
            return evaluate_function(function, list(arguments), self)
        except ExpressionError as error:
            raise self._fault(error) from error

    def of_item(self, item: Any) -> Reader:
        """The same place with ``item()`` set, as Select and Filter array have it."""
        return Reader(self._work, self._action, self._at, (item,))

    def _fault(self, error: Exception) -> ActionFault:
        where = f"in action '{self._action.name}' inputs" if self._action else "in the trigger"
        return ActionFault(
            "InvalidTemplate",
            f"Unable to process template language expressions {where}: {error}",
        )
