"""A process whose sliding windows were missed, killed while it makes up for them.

Its argument is a folder. Each of the windows starts one run; at most two run at a time. A run
books its window with a service that counts an effect once a key (a file each), and that fails
every third attempt.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from flow_kit import after, call, compose, document
from kill_kit import open_host

from hybridmandate.orchestration.definition import Flow, FlowDocument
from hybridmandate.orchestration.engine import Answer, Call, Watch
from hybridmandate.orchestration.history import RunHistory
from hybridmandate.orchestration.triggers.schedule import Schedule

FLOW = "Windows"
WINDOWS = 12
RETRY = {"type": "exponential", "count": 20, "interval": "PT5S", "maximumInterval": "PT0.05S"}


def flow_document() -> FlowDocument:
    trigger = {
        "Every_hour": {
            "type": "SlidingWindow",
            "recurrence": {"frequency": "Hour", "interval": 1},
            "runtimeConfiguration": {"concurrency": {"runs": 2}},
        }
    }
    window = "@triggerBody()?['windowStartTime']"
    return document(
        {
            "Book": call("Book", parameters={"window": window}, retry=RETRY),
            "Rest": {
                "type": "Wait",
                "inputs": {"until": {"timestamp": "@addSeconds(utcNow(), 1)"}},
                "runAfter": after("Book"),
            },
            "Say": compose(window, after("Rest")),
        },
        trigger=trigger,
        name=f"{FLOW}.json",
    )


class Bookings:
    """Counts an effect once a key, and how many calls are under way at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._attempts = 0
        self._under_way = 0
        (folder / "effects").mkdir(exist_ok=True)

    async def call(self, flow: Flow, asked: Call) -> Answer:
        self._under_way += 1
        self._attempts += 1
        with (self._folder / "calls.log").open("a") as log:
            log.write(json.dumps({"key": asked.idempotency_key, "beside": self._under_way}) + "\n")
        await asyncio.sleep(0.05)
        self._under_way -= 1
        if self._attempts % 3 == 0:
            return Answer(503)
        effect = self._folder / "effects" / asked.idempotency_key
        if not effect.exists():
            effect.write_text(str(asked.request["parameters"]["window"]))
        return Answer(200, {}, {"booked": True})

    async def read(self, flow: Flow, watch: Watch) -> Answer:
        raise AssertionError("nothing is watched here")


async def main(folder: Path) -> None:
    durable, host = open_host(folder, Bookings(folder), flow_document())
    history = host.history
    if history.cursor(FLOW) is None:
        origin = time.time() - 3600 * WINDOWS - 1
        history.keep_cursor(FLOW, {"origin": origin, "last": origin})
    await durable.launch()
    await host.launch()
    schedule = asyncio.create_task(Schedule(host.flows.current(FLOW), host).run())
    print("ready", flush=True)
    while not _done(history):
        await asyncio.sleep(0.05)
    schedule.cancel()
    host.close()
    await durable.close(grace_seconds=1)
    print("ended", flush=True)


def _done(history: RunHistory) -> bool:
    runs = history.runs(flow=FLOW, limit=100)
    return len(runs) >= WINDOWS and all(each.status != "Running" for each in runs)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
