"""A process that hosts a flow with everything that waits, to be killed: FOLDER OFFICE.

The flow ``Settle`` asks a person for approval and sends mails through the real connectors (OFFICE
is the address of the office stand-in), calls a service that fails every third attempt, loops side
by side, one by one and until, rests twice, and calls a child flow that rests as well. Every call
is a line of ``calls.log``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from flow_kit import after, compose, document, foreach, variable
from kill_kit import open_host
from trigger_kit import settings

from hybridmandate.orchestration.connectors import ConnectorHost
from hybridmandate.orchestration.definition import Flow, FlowDocument
from hybridmandate.orchestration.engine import Answer, Call, Watch

RUN_ID = "run-under-test"
MAILBOX = "ap@contoso.example"
ITEMS, MAILS, ROUNDS = 8, 3, 3
RETRY = {"type": "exponential", "count": 20, "interval": "PT5S", "maximumInterval": "PT0.05S"}


def operation(
    connection: str, name: str, run_after: Any = None, kind: str = "OpenApiConnection", **given: Any
) -> dict[str, Any]:
    host = {"connectionName": connection, "operationId": name, "apiId": "/apis/shared_c"}
    inputs = {"host": host, "parameters": given, "retryPolicy": RETRY}
    return {"type": kind, "inputs": inputs, "runAfter": run_after or {}}


def rest(until: str, run_after: Any) -> dict[str, Any]:
    return {"type": "Wait", "inputs": {"until": {"timestamp": until}}, "runAfter": run_after}


def documents() -> list[FlowDocument]:
    ask = {
        "approvalType": "Basic",
        "WebhookApprovalCreationInput/title": "Settle?",
        "WebhookApprovalCreationInput/assignedTo": "controller@contoso.example",
    }
    mail = {
        "emailMessage/To": "vendor@contoso.example",
        "emailMessage/Subject": "@{items('Tell')}",
        "emailMessage/Body": "settled",
    }
    until = {
        "type": "Until",
        "expression": f"@equals(variables('rounds'), {ROUNDS})",
        "limit": {"count": 60, "timeout": "PT1H"},
        "actions": {
            "Look": operation("services", "Look", round="@variables('rounds')"),
            "Round": {
                "type": "IncrementVariable",
                "inputs": {"name": "rounds", "value": 1},
                "runAfter": after("Look"),
            },
        },
        "runAfter": after("Tell"),
    }
    pause = {
        "type": "Wait",
        "inputs": {"interval": {"count": 1, "unit": "Second"}},
        "runAfter": after("Verdict"),
    }
    child = {"host": {"workflowReferenceName": "Book"}, "body": {"rounds": "@variables('rounds')"}}
    settle = {
        "Rounds": variable("rounds", "integer", 0),
        "Ask": operation(
            "approvals",
            "StartAndWaitForAnApproval",
            after("Rounds"),
            kind="OpenApiConnectionWebhook",
            **ask,
        ),
        "Verdict": compose("@body('Ask')?['outcome']", after("Ask")),
        "Pause": pause,
        "Pay": foreach(
            f"@range(0, {ITEMS})",
            {"Post": operation("services", "Post", item="@items('Pay')")},
            after("Pause"),
            concurrency=4,
        ),
        "Tell": foreach(
            f"@range(0, {MAILS})",
            {"Mail": operation("mails", "SendEmailV2", **mail)},
            after("Pay"),
        ),
        "Check": until,
        "Child": {"type": "Workflow", "inputs": child, "runAfter": after("Check")},
        "Sum": compose("@body('Child')?['booked']", after("Child")),
    }
    book = {
        "Ledger": operation("services", "Ledger", of="@triggerBody()?['rounds']"),
        "Rest": rest("@addSeconds(utcNow(), 1)", after("Ledger")),
        "Response": {
            "type": "Response",
            "inputs": {"statusCode": 200, "body": {"booked": "@triggerBody()?['rounds']"}},
            "runAfter": after("Rest"),
        },
    }
    return [document(settle, name="Settle.json"), document(book, name="Book.json")]


class Services:
    """The connectors, and beside them a service that counts an effect once a key."""

    def __init__(self, folder: Path, office: str) -> None:
        self._log = folder / "calls.log"
        self._effects = folder / "effects"
        self._effects.mkdir(exist_ok=True)
        self._attempts = 0
        self.connectors = ConnectorHost(
            {
                "approvals": settings("shared_approvals", office, read_seconds="0"),
                "mails": settings("shared_office365", office, sender=MAILBOX),
            }
        )

    async def call(self, flow: Flow, asked: Call) -> Answer:
        with self._log.open("a") as log:
            log.write(json.dumps({"action": asked.action, "key": asked.idempotency_key}) + "\n")
        if asked.request["host"]["connectionName"] != "services":
            return await self.connectors.call(flow, asked)
        self._attempts += 1
        await asyncio.sleep(0.02)
        if self._attempts % 3 == 0:
            return Answer(503)
        effect = self._effects / asked.idempotency_key
        effect.write_text(json.dumps([asked.action, asked.request["parameters"]]))
        return Answer(200, {}, {"done": asked.request["parameters"]})

    async def read(self, flow: Flow, watch: Watch) -> Answer:
        await asyncio.sleep(0.05)
        return await self.connectors.read(flow, watch)


async def main(folder: Path, office: str) -> None:
    services = Services(folder, office)
    durable, host = open_host(folder, services, *documents())
    await durable.launch()
    await host.launch()
    await host.start("Settle", {"body": {}}, run_id=RUN_ID)
    print("ready", flush=True)
    await durable.result(RUN_ID, timeout_seconds=120)
    host.close()
    await durable.close(grace_seconds=1)
    await services.connectors.close()
    print("ended", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
