"""A process that hosts durable flow runs; the kill tests end it at bad moments.

Its argument is a folder. Services write every call to ``calls.log``
(key, action, place) and count an effect once a key, as gateway and execution do.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from flow_kit import after, call, compose, document, foreach, variable
from kill_kit import lines_of, open_host

from hybridmandate.orchestration.definition import Flow, FlowDocument
from hybridmandate.orchestration.engine import Answer, Call, Watch

RUN_ID = "run-under-test"
RETRY = {"type": "exponential", "count": 20, "interval": "PT5S", "maximumInterval": "PT0.05S"}


def flow_document() -> FlowDocument:
    return document(
        {
            "Correlation_id": compose("@guid()"),
            "Count": variable("count", "integer", 0),
            "Create": call("Create", after("Correlation_id", "Count"), retry=RETRY),
            "Rest": {
                "type": "Wait",
                "inputs": {"until": {"timestamp": "@addSeconds(utcNow(), 1)"}},
                "runAfter": after("Create"),
            },
            "Loop": foreach(
                "@range(0, 12)",
                {
                    "Post": call("Post", parameters={"item": "@items('Loop')"}, retry=RETRY),
                    "Up": {
                        "type": "IncrementVariable",
                        "inputs": {"name": "count", "value": "@items('Loop')"},
                        "runAfter": after("Post"),
                    },
                },
                after("Rest"),
                concurrency=3,
            ),
            "Flaky": call("Flaky", after("Loop"), retry=RETRY),
            "Job": call("Job", after("Flaky"), kind="OpenApiConnectionWebhook", retry=RETRY),
            "Sum": compose("@variables('count')", after("Job")),
        },
        name="Killed.json",
    )


class FileServices:
    """Services that remember in a folder what was asked of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def call(self, flow: Flow, asked: Call) -> Answer:
        seen = self._calls(asked.action)
        line = {"key": asked.idempotency_key, "action": asked.action, "id": asked.correlation_id}
        with (self._folder / "calls.log").open("a") as log:
            log.write(json.dumps(line) + "\n")
        await asyncio.sleep(0.03)
        if asked.action == "Flaky" and seen < 4:
            return Answer(503)
        if asked.action == "Job":
            return Answer(202, {"location": "/job", "retry-after": "0"})
        return Answer(200, {}, {"ok": True})

    async def read(self, flow: Flow, watch: Watch) -> Answer:
        await asyncio.sleep(0.05)
        ready = time.time() - self._since() > 0.6
        return Answer(200, {}, "done") if ready else Answer(202, {"retry-after": "0"})

    def _since(self) -> float:
        mark = self._folder / "job.since"
        if not mark.exists():
            mark.write_text(str(time.time()))
        return float(mark.read_text())

    def _calls(self, action: str) -> int:
        return sum(each["action"] == action for each in lines_of(self._folder / "calls.log"))


async def main(folder: Path) -> None:
    durable, host = open_host(folder, FileServices(folder), flow_document())
    await durable.launch()
    await host.launch()
    await host.start("Killed", {"body": {"n": 1}}, run_id=RUN_ID)
    print("ready", flush=True)
    await durable.result(RUN_ID, timeout_seconds=30)
    host.close()
    await durable.close(grace_seconds=1)
    print("ended", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
