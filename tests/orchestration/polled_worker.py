"""A process that reads four polled triggers, to be killed: FOLDER OFFICE DATAVERSE.

``Files``, ``Mails`` and ``Rows`` start a run for each item, ``Items`` one for each reading. The
process says ``ready`` when each has read once. It ends when the file ``last`` is in FOLDER, the
triggers find nothing more and all runs have ended.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from flow_kit import compose, document
from kill_kit import open_host
from queue_worker import NoServices
from trigger_kit import connected, polled

from hybridmandate.orchestration.connectors.connector import Connector
from hybridmandate.orchestration.definition import FlowDocument
from hybridmandate.orchestration.shells.durable import FlowHost
from hybridmandate.orchestration.triggers.polled import polled_trigger

MAILBOX = "ap@contoso.example"
SITE = "https://contoso.sharepoint.com/sites/ap"
SPLIT = {"splitOn": "@triggerOutputs()?['body/value']"}
ADDED = {
    "subscriptionRequest/message": 1,
    "subscriptionRequest/entityname": "hm_order",
    "subscriptionRequest/scope": 4,
}


def flow(name: str, trigger: dict[str, Any], shown: str) -> FlowDocument:
    return document({"Seen": compose(shown)}, trigger=trigger, name=f"{name}.json")


FLOWS = [
    flow("Files", polled("OnNewFilesV2", {"folderId": "/In"}, **SPLIT), "@triggerBody()?['Name']"),
    flow("Mails", polled("OnNewEmailV3", {}), "@triggerBody()?['subject']"),
    flow("Rows", polled("SubscribeWebhookTrigger", ADDED), "@triggerBody()?['hm_number']"),
    flow(
        "Items",
        polled("GetOnNewItems", {"dataset": SITE, "table": "Vendors"}),
        "@triggerBody()?['value']",
    ),
]


def connectors(office: str, dataverse: str) -> dict[str, Connector]:
    return {
        "Files": connected("shared_onedriveforbusiness", office, user=MAILBOX),
        "Mails": connected("shared_office365", office, sender=MAILBOX),
        "Rows": connected("shared_commondataserviceforapps", dataverse),
        "Items": connected("shared_sharepointonline", office),
    }


async def main(folder: Path, office: str, dataverse: str) -> None:
    durable, host = open_host(folder, NoServices(), *FLOWS)
    opened = connectors(office, dataverse)
    reads = []
    for each in host.flows.all():
        polling = polled_trigger(each, opened[each.name], host, seconds=1)
        assert polling is not None
        reads.append(polling._read)
    await durable.launch()
    await host.launch()
    ready = False
    while True:
        last = (folder / "last").exists()
        started = sum([await read() for read in reads])
        if not ready:
            print("ready", flush=True)
            ready = True
        if last and not started and _ended(host):
            break
        await asyncio.sleep(0.01)
    for connector in opened.values():
        await connector.session.close()
    host.close()
    await durable.close(grace_seconds=1)
    print("ended", flush=True)


def _ended(host: FlowHost) -> bool:
    return all(each.status != "Running" for each in host.history.runs(flow=None, limit=1000))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
