"""IEnumerator: walking a sequence by hand.

Source: learn.microsoft.com, .NET API browser, System.Collections.Generic.IEnumerator.
"""

from __future__ import annotations

from typing import Any, Final

from hybridmandate.governance.gateway.csharp.collections import items_of
from hybridmandate.governance.gateway.csharp.failures import invalid_operation
from hybridmandate.governance.gateway.csharp.types.table import OBJECT, ClrType, Run


class Enumerator:
    """System.Collections.Generic.IEnumerator."""

    __slots__ = ("at", "current", "source", "state")

    def __init__(self, source: Any) -> None:
        self.source = source
        self.reset()

    def reset(self) -> None:
        """``Reset``: before the first element."""
        self.at = items_of(self.source)
        self.current: Any = None
        self.state = "before"


def move_next(run: Run, enumerator: Enumerator) -> bool:
    """``MoveNext``."""
    run.budget.step()
    for item in enumerator.at:
        enumerator.current, enumerator.state = item, "on"
        return True
    enumerator.current, enumerator.state = None, "behind"
    return False


def current(enumerator: Enumerator) -> Any:
    """``Current``. :raises ExpressionFailure: InvalidOperationException beside the elements."""
    if enumerator.state == "on":
        return enumerator.current
    raise invalid_operation(
        "Enumeration has not started. Call MoveNext."
        if enumerator.state == "before"
        else "Enumeration already finished."
    )


ENUMERATOR: Final = ClrType(
    "IEnumerator", "System.Collections.Generic.IEnumerator", Enumerator, base=OBJECT
)
ENUMERATOR.property("Current", current)
ENUMERATOR.method("MoveNext", move_next, "bool")
ENUMERATOR.method("Reset", Enumerator.reset)
ENUMERATOR.method("Dispose", lambda enumerator: None)
