"""Which policies ran in one call: section, scope, place, time, and what each of them set."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hybridmandate.governance.gateway.csharp import Jwt
from hybridmandate.governance.gateway.values import text_of

if TYPE_CHECKING:
    from hybridmandate.governance.gateway.exchange import Exchange
    from hybridmandate.governance.gateway.steps import Step

_DEPTH: ContextVar[int] = ContextVar("depth of policies", default=0)
"""How many policies stand around the one that runs; each task has its own."""
_MOST_SHOWN = 80
_SECRET_HEADERS = frozenset({"authorization", "cookie", "set-cookie", "ocp-apim-subscription-key"})
_TOKEN = re.compile(r"(?:[A-Za-z]+ )?[\w-]{8,}\.[\w-]{8,}\.[\w-]*")


@dataclass(slots=True)
class TracedPolicy:
    """One policy that ran; ``depth`` counts the policies around it, ``changes`` what it set.

    ``milliseconds`` includes the policies within. ``outcome`` is empty when it simply ended.
    """

    policy: str
    section: str
    scope: str
    path: str
    depth: int
    milliseconds: float = 0.0
    outcome: str = ""
    changes: list[str] = field(default_factory=list)

    def to_json(self) -> Mapping[str, Any]:
        """As JSON for machines."""
        return {
            "policy": self.policy,
            "section": self.section,
            "scope": self.scope,
            "path": self.path,
            "depth": self.depth,
            "milliseconds": round(self.milliseconds, 3),
            "outcome": self.outcome,
            "changes": self.changes,
        }


class Noted:
    """A policy that runs: what was before it, until it ends."""

    def __init__(
        self, traced: TracedPolicy, exchange: Exchange, timer: Callable[[], float]
    ) -> None:
        self._traced = traced
        self._timer = timer
        self._before = _state(exchange)
        self._depth = _DEPTH.set(traced.depth + 1)
        self._began = timer()

    def end(self, exchange: Exchange, outcome: str) -> None:
        """The policy has ended: note its time, its outcome and what is different now."""
        self._traced.milliseconds = (self._timer() - self._began) * 1000
        self._traced.outcome = outcome
        _DEPTH.reset(self._depth)
        after = _state(exchange)
        for name, value in after.items():
            if self._before.get(name) != value:
                self._traced.changes.append(f"{name} = {_shown(name, value)}")
        self._traced.changes.extend(f"{name} removed" for name in self._before.keys() - after)


class PolicyTrace:
    """Notes policies as they begin, in order. ``timer`` gives seconds, rising.

    Tokens and secret headers are never shown. Of policies that run side by side (``wait``) each is
    credited with whatever changed while it ran.
    """

    def __init__(self, timer: Callable[[], float]) -> None:
        self._timer = timer
        self.policies: list[TracedPolicy] = []

    def begin(self, step: Step, exchange: Exchange) -> Noted:
        """A policy is about to act."""
        traced = TracedPolicy(
            step.name, step.section.value, step.scope, step.path, depth=_DEPTH.get()
        )
        self.policies.append(traced)
        return Noted(traced, exchange, self._timer)


def _state(exchange: Exchange) -> dict[str, str]:
    """What policies can set, as text; not for showing."""
    request, response = exchange.request, exchange.response
    found = {"method": request.method, "path": request.url.path}
    found["response"] = str(response.status)
    if exchange.backend is not None:
        found["back end"] = exchange.backend.url
    for name, values in request.headers:
        found[f"request header {name.lower()}"] = ",".join(values)
    for name, values in response.headers:
        found[f"response header {name.lower()}"] = ",".join(values)
    for name, value in exchange.variables.items():
        found[f"variable {name}"] = value.text if isinstance(value, Jwt) else text_of(value)
    return found


def _shown(name: str, text: str) -> str:
    """One short line, without secrets."""
    if name.rpartition(" ")[2] in _SECRET_HEADERS:
        return "(hidden)"
    line = " ".join(text.split())
    if _TOKEN.fullmatch(line):
        return "(a token)"
    return line if len(line) <= _MOST_SHOWN else f"{line[:_MOST_SHOWN]}…"
