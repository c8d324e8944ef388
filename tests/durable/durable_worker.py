"""A worker process to be killed: ``durable_worker.py URL EXECUTOR LOG RUNS MODE``.

It starts the same runs every time and says ``ready``. Each step writes a line to LOG when it
begins. MODE ``hold`` leaves the runs parked at their gate, ``finish`` opens it and waits for the
end, ``race`` says which starts were new and leaves, ``watch`` starts nothing, opens the gate and
waits for the end of the runs of others. The gate is a file beside LOG.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from hybridmandate.durable import DurableContext, open_durable


async def main(url: str, executor: str, log: Path, runs: int, mode: str) -> None:
    gate = log.with_suffix(".gate")
    durable = open_durable(
        name="kill-test",
        url=url,
        executor_id=executor,
        application_version="1",
        lost_after_seconds=1.0,
    )

    async def workflow(run: DurableContext, payload: Any) -> Any:
        async def effect(name: str, seconds: float) -> str:
            with log.open("a") as lines:
                lines.write(f"{run.id} {name}\n")
            await asyncio.sleep(seconds)
            return name

        async def step(name: str, seconds: float) -> str:
            return str(await run.step(name, lambda: effect(name, seconds)))

        async def branch(name: str, seconds: float) -> list[str]:
            return [await step(f"{name}-{part}", seconds) for part in range(3)]

        first = await step("first", 0.05)
        # Branches that interleave differently each time: steps are known by name.
        both = await asyncio.gather(branch("left", 0.04), branch("right", 0.03))
        until = await run.now() + 0.3
        while not gate.exists() or time.time() < until:
            await asyncio.sleep(0.02)
        return [first, both, await step("last", 0.05), payload]

    durable.register("work", workflow)
    await durable.launch()
    ids = [f"run-{n}" for n in range(runs)]
    if mode != "watch":
        new = await asyncio.gather(*(durable.start("work", id, {"id": id}) for id in ids))
        print("new", *(id for id, fresh in zip(ids, new, strict=True) if fresh), flush=True)
    print("ready", flush=True)
    if mode == "race":
        await durable.close(grace_seconds=0)
        return
    if mode == "hold":
        await asyncio.Event().wait()
    gate.touch()
    for id in ids:
        run = await durable.result(id, timeout_seconds=90)
        print("end", run.id, run.state.value, run.result == expected(id), flush=True)
    await durable.close(grace_seconds=1)


def expected(id: str) -> list[Any]:
    sides = [[f"{side}-{part}" for part in range(3)] for side in ("left", "right")]
    return ["first", sides, "last", {"id": id}]


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), sys.argv[5]))
