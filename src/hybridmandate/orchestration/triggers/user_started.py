"""Request triggers with declared inputs: Button and PowerApps, agents and Power Pages.

Their inputs are declared in the trigger's schema; the platform asks for the required ones before it
starts a run. A person's click starts a Button or a PowerApps trigger: who started the run stands in
headers that the platform sets, so what a caller sends under these names is dropped. Locally the
caller is a principal with a token, as for every trigger.
Source: learn.microsoft.com/power-automate/introduction-to-button-flows, 'trigger tokens'.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hybridmandate.contracts import FailureType, Refused, RowError
from hybridmandate.identity.principal import Principal
from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.engine.data_actions import schema_errors

KINDS = frozenset({"Button", "PowerApp", "PowerAppV2"})
DECLARING = KINDS | {"Skills", "VirtualAgent", "PowerPages"}
"""Those, and what an agent of Copilot Studio or a page of Power Pages calls."""
_PREFIX = "x-ms-user-"


def is_user_started(flow: Flow) -> bool:
    """Whether a person's click starts the flow."""
    return flow.trigger.kind in KINDS


def declares_inputs(flow: Flow) -> bool:
    """Whether what comes must be as the trigger's schema declares it, always."""
    return flow.trigger.kind in DECLARING


def user_headers(headers: Mapping[str, str], principal: Principal, moment: float) -> dict[str, str]:
    """The trigger's headers: who started the run and when, in place of what the caller claims."""
    kept = {k: v for k, v in headers.items() if not k.lower().startswith(_PREFIX)}
    claims = principal.claims
    name = claims.get("name") or claims.get("app_displayname") or principal.app_id
    mail = claims.get("upn") or claims.get("preferred_username") or ""
    when = datetime.fromtimestamp(moment, UTC)
    return {
        **kept,
        f"{_PREFIX}id": principal.object_id,
        f"{_PREFIX}name": str(name),
        f"{_PREFIX}email": str(mail),
        f"{_PREFIX}timestamp": when.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        f"{_PREFIX}date": when.strftime("%Y-%m-%d"),
    }


def check_inputs(flow: Flow, body: Any) -> Any:
    """The inputs, an empty object where none are given.

    :raises Refused: when they do not fit the trigger's schema.
    """
    given = {} if body is None else body
    inputs = flow.trigger.inputs if isinstance(flow.trigger.inputs, Mapping) else {}
    errors = schema_errors(inputs.get("schema") or {}, given)
    if errors:
        raise Refused(
            FailureType.VALIDATION_ERROR,
            f"the inputs of flow '{flow.name}' are not as its trigger declares them",
            errors=[
                RowError(code="schema", message=each["message"], field=f"/{each['path']}")
                for each in errors
            ],
        )
    return given
