"""What may stand where: rules that take the whole flow, which the platform checks when it is saved.

Sources: Azure Logic Apps, 'Workflow actions and triggers: Response action' (a Response needs an
HTTP request trigger and stands in no loop); Power Automate's own refusal "Self reference is not
supported when updating the value of variable".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hybridmandate.orchestration.definition.errors import DefinitionError
from hybridmandate.orchestration.definition.mentions import mentions
from hybridmandate.orchestration.definition.model import Action, Trigger


def check_placement(trigger: Trigger, actions: Iterable[Action]) -> Iterator[DefinitionError]:
    """The faults of actions that are right by themselves and wrong in their flow."""
    for action in actions:
        if action.type == "Response":
            yield from _response(trigger, action)
        elif action.type == "SetVariable":
            yield from _self_reference(action)


def _response(trigger: Trigger, action: Action) -> Iterator[DefinitionError]:
    if trigger.type != "Request":
        message = f"a Response needs a Request trigger; '{trigger.name}' is of type {trigger.type}"
        yield DefinitionError(action.path, message)
    if action.loops:
        message = f"a Response cannot stand in a loop; '{action.loops[-1]}' is around it"
        yield DefinitionError(action.path, message)


def _self_reference(action: Action) -> Iterator[DefinitionError]:
    name = str(action.inputs["name"])
    if name.lower() in mentions(action).variables:
        message = f"the value of variable '{name}' cannot be made of the variable itself"
        yield DefinitionError(f"{action.path}.inputs.value", message)
