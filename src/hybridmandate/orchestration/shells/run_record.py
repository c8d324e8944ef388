"""What a run is told about itself: the record of ``workflow()`` and its connections."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from hybridmandate.orchestration.definition.model import Flow

CONNECTIONS = "$connections"
LOCAL = "local"
"""The name of the environment and the region of a run on one machine."""


def workflow_record(flow: Flow, run_id: str) -> dict[str, Any]:
    """What the function ``workflow()`` gives (flows read its name, tags and run).

    Flows on the platform find their environment, their own id and their display name in the tags.
    """
    name = flow.workflow_id or flow.name
    path = f"/workflows/{name}"
    trigger = quote(flow.trigger.name)
    return {
        "id": path,
        "name": name,
        "type": "Microsoft.Logic/workflows",
        "location": LOCAL,
        "callbackUrl": f"https://{LOCAL}/flows/{quote(flow.name)}/triggers/{trigger}",
        "tags": {
            "flowDisplayName": flow.name,
            "environmentName": LOCAL,
            "environmentWorkflowId": name,
            "logicAppName": name,
            "xrmWorkflowId": name,
        },
        "run": {"id": f"{path}/runs/{run_id}", "name": run_id, "type": "workflows/runs"},
    }


def connection_values(flow: Flow) -> dict[str, Any]:
    """The value of the parameter ``$connections``, which the platform fills in by itself."""
    if CONNECTIONS not in flow.parameters:
        return {}
    return {
        CONNECTIONS: {
            key: {
                "connectionId": f"/connections/{each.logical_name}",
                "connectionName": each.logical_name,
                "id": f"/providers/Microsoft.PowerApps/apis/{each.api_name}",
            }
            for key, each in flow.connections.items()
        }
    }
