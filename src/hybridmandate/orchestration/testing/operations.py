"""The names under which a test answers the calls of a flow."""

from __future__ import annotations

from collections.abc import Mapping

from hybridmandate.orchestration.definition import Flow
from hybridmandate.orchestration.engine import Call


def operation_of(call: Call) -> str:
    """The operation id of a call; its type (``Http``, ``Workflow``) where there is none."""
    host = call.request.get("host")
    return str(host.get("operationId") or call.type) if isinstance(host, Mapping) else call.type


def mock_names(flow: Flow) -> set[str]:
    """The actions of a flow, and the operations that they call."""
    known = set(flow.actions)
    for action in flow.actions.values():
        host = action.inputs.get("host") if isinstance(action.inputs, Mapping) else None
        operation = host.get("operationId") if isinstance(host, Mapping) else None
        known.add(str(operation or action.type))
    return known
