"""A small flow with every kind of branch, as a solution on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

DATAVERSE = "shared_commondataserviceforapps"


def call(api: str, operation: str, parameters: dict[str, Any], **parts: Any) -> dict[str, Any]:
    host = {"connectionName": api, "operationId": operation, "apiId": f"/apis/{api}"}
    inputs = {"host": host, "parameters": parameters}
    return {"type": "OpenApiConnection", "inputs": inputs, "runAfter": {}, **parts}


ACTIONS: dict[str, Any] = {
    "List_rows": call(DATAVERSE, "ListRecords", {"entityName": "accounts"}),
    "Each_row": {
        "type": "Foreach",
        "foreach": "@outputs('List_rows')?['body/value']",
        "runAfter": {"List_rows": ["Succeeded"]},
        "actions": {
            "Is_large": {
                "type": "If",
                "expression": {"greater": ["@items('Each_row')?['amount']", 100]},
                "runAfter": {},
                "actions": {"Post": call("shared_erp", "PostRow", {"row": "@items('Each_row')"})},
                "else": {"actions": {}},
            }
        },
    },
    "Until_when": {
        "type": "Compose",
        "inputs": "@addDays(first(body('List_rows')?['value'])?['due'], 1, 'yyyy-MM-dd')",
        "runAfter": {"Each_row": ["Succeeded"]},
    },
}


def write_solution(folder: Path, actions: dict[str, Any] = ACTIONS) -> Path:
    """A folder with mandate.toml and one flow 'ShipRows'."""
    (folder / "flows").mkdir(parents=True)
    (folder / "mandate.toml").write_text("")
    trigger = {"manual": {"type": "Request", "kind": "Button", "inputs": {}}}
    definition = {"triggers": trigger, "actions": actions, "contentVersion": "1.0.0.0"}
    (folder / "flows/ShipRows.json").write_text(json.dumps(definition))
    return folder
