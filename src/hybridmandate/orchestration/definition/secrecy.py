"""Which inputs and outputs stay out of the run history, also further down the flow.

``secureData`` says it of one action. An action that uses secured outputs has its own inputs kept
out as well, and one that only passes its inputs on (Compose, Parse JSON, Response and the data
operations) its outputs too. Source: learn.microsoft.com, 'Secure access and data in Azure Logic
Apps', considerations for obscuring inputs and outputs.
"""

from __future__ import annotations

from collections.abc import Mapping

from hybridmandate.orchestration.definition.kinds import DATA
from hybridmandate.orchestration.definition.mentions import Mentions, mentions
from hybridmandate.orchestration.definition.model import Action, Trigger

_PASSING_ON = DATA | {"Response"}


def secured_parts(trigger: Trigger, actions: Mapping[str, Action]) -> dict[str, frozenset[str]]:
    """``inputs`` and ``outputs`` that are kept out of the history, by action."""
    parts = {name: _own(action, action.secured) for name, action in actions.items()}
    from_trigger = "outputs" in trigger.secured
    if not from_trigger and not any(parts.values()):
        return {}
    mentioned = {name: mentions(action) for name, action in actions.items()}
    changed = True
    while changed:
        secret = {name.lower() for name, kept in parts.items() if "outputs" in kept}
        loops = {
            name.lower()
            for name, action in actions.items()
            if action.type == "Foreach" and "inputs" in parts[name]
        }
        changed = False
        for name, action in actions.items():
            if _uses(mentioned[name], action, secret, loops, from_trigger):
                kept = _own(action, parts[name] | {"inputs"})
                changed = changed or kept != parts[name]
                parts[name] = kept
    return {name: kept for name, kept in parts.items() if kept}


def _own(action: Action, secured: frozenset[str]) -> frozenset[str]:
    if "inputs" in secured and action.type in _PASSING_ON:
        return secured | {"outputs"}
    return secured


def _uses(
    mentioned: Mentions, action: Action, secret: set[str], loops: set[str], from_trigger: bool
) -> bool:
    around = {each.lower() for each in action.loops}
    return bool(
        mentioned.actions & secret
        or mentioned.loops & loops
        or (mentioned.item and around & loops)
        or (mentioned.trigger and from_trigger)
    )
