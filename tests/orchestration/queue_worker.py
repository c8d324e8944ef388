"""A process that reads a queue, killed while it does: ``queue_worker.py FOLDER ADDRESS RUNS``.

Each message starts one run. The process ends after the reading with which so many runs have ended.
Each lease and each deletion of a message is written to ``calls.log``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from flow_kit import compose, document
from kill_kit import open_host
from trigger_kit import connected, polled

from hybridmandate.orchestration.connectors.azure_queues import AzureQueuesConnector
from hybridmandate.orchestration.definition import Flow
from hybridmandate.orchestration.engine import Answer, Call, Watch
from hybridmandate.orchestration.triggers.queue_messages import QueueMessages

FLOW = "Queued"
SPLIT = "@triggerBody()?['QueueMessagesList']?['QueueMessage']"


class NoServices:
    async def call(self, flow: Flow, asked: Call) -> Answer:
        raise AssertionError("nothing is called here")

    async def read(self, flow: Flow, watch: Watch) -> Answer:
        raise AssertionError("nothing is watched here")


async def main(folder: Path, address: str, runs: int) -> None:
    trigger = polled("OnMessages_V2", {"queueName": "invoices"}, splitOn=SPLIT)
    text = compose("@triggerBody()?['MessageText']")
    flow = document({"Text": text}, trigger=trigger, name=f"{FLOW}.json")
    durable, host = open_host(folder, NoServices(), flow)
    connector = connected("shared_azurequeues", address)
    assert isinstance(connector, AzureQueuesConnector)
    send = connector.session.send

    async def logged(method: str, *arguments: Any, **more: Any) -> Answer:
        with (folder / "calls.log").open("a") as log:
            log.write(json.dumps({"method": method}) + "\n")
        return await send(method, *arguments, **more)

    connector.session.send = logged  # type: ignore[method-assign]
    messages = QueueMessages(host.flows.current(FLOW), connector, host)
    await durable.launch()
    await host.launch()
    print("ready", flush=True)
    while True:
        await messages.read()
        ended = [each for each in host.history.runs(flow=FLOW, limit=1000) if each.ended_at]
        if len(ended) >= runs:
            break
        await asyncio.sleep(0.02)
    await connector.session.close()
    host.close()
    await durable.close(grace_seconds=1)
    print("ended", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
