"""choose: the first ``when`` whose condition is true, else ``otherwise`` (choose-policy page)."""

from __future__ import annotations

from collections.abc import Awaitable

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.registry import ElementReader, Policy, policy
from hybridmandate.governance.gateway.steps import Steps
from hybridmandate.governance.gateway.values import Settled, Value, boolean_of


@policy("choose")
class Choose(Policy):
    """Conditions are looked at in order; policies of one branch run."""

    def __init__(self, reader: ElementReader) -> None:
        self._branches: list[tuple[Value, Steps]] = []
        branches = reader.children("when")
        for number, each in enumerate(branches, start=1):
            condition = each.value("condition")
            steps = each.steps(label=f"{reader.path}/when[{number}]")
            never = isinstance(condition, Settled) and condition.value is False
            if not never:
                self._branches.append((condition, steps))
        if not branches:
            reader.refuse("<choose> needs at least one <when>")
        otherwise = reader.child("otherwise")
        if otherwise is not None and reader.element.children[-1] is not otherwise.element:
            otherwise.refuse("<otherwise> stands after each <when>")
        self._otherwise = (
            None if otherwise is None else otherwise.steps(label=f"{reader.path}/otherwise[1]")
        )

    def act(self, exchange: Exchange) -> Awaitable[None] | None:
        for condition, steps in self._branches:
            found = condition.get(exchange)
            if found is True or (found is not False and boolean_of(found)):
                return steps.act(exchange)
        return None if self._otherwise is None else self._otherwise.act(exchange)
