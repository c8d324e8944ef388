"""What an expression may look at. Everything it knows of the run comes through here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from hybridmandate.orchestration.expressions.dotnet.instants import Instant


class Scope(Protocol):
    """One place of one run.

    All values are plain JSON values (``dict``, ``list``, ``str``, ``int``, ``float``, ``bool``,
    ``None``) and are not changed by an evaluation. Names arrive as the expression writes them;
    the scope compares them without regard to case. A name that is not there is a ``LookupError``;
    an action that exists and has not run yet is ``None``.
    """

    def trigger(self) -> Mapping[str, Any]:
        """The trigger's record: name, status, inputs, outputs, startTime, endTime …"""

    def trigger_outputs(self) -> Any:
        """The trigger's outputs (``headers``, ``body`` …), or None."""

    def action(self, name: str) -> Mapping[str, Any] | None:
        """The action's record: name, status, inputs, outputs, code, startTime, endTime, error …"""

    def action_outputs(self, name: str) -> Any:
        """The ``outputs`` of the action's record, None before it has run."""

    def current_action(self) -> Mapping[str, Any] | None:
        """The record of the action that is evaluated, None where there is none."""

    def result(self, scope_name: str) -> Sequence[Any]:
        """The records of the actions inside a scope, loop or branch."""

    def variable(self, name: str) -> Any:
        """The variable's value now."""

    def parameter(self, name: str) -> Any:
        """The value of a parameter of the definition."""

    def item(self) -> Any:
        """The item of the nearest loop or of the array operation that is running."""

    def items(self, loop: str) -> Any:
        """The item of the named loop."""

    def iteration_index(self, loop: str) -> int:
        """How often the named Until loop has gone round, from 0."""

    def workflow(self) -> Mapping[str, Any]:
        """The workflow's record: id, name, type, location, tags, run …"""

    def now(self) -> datetime | Instant:
        """The moment of the evaluation, in UTC."""

    def new_guid(self) -> str:
        """A new GUID in the form ``xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx``."""

    def random(self) -> float:
        """A random number from 0 up to but not including 1."""
