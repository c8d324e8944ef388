"""Speed of the flow engine: actions in memory and durable, expressions, a test with a long wait.

Goals (design.md section 10): 50,000 actions/s in memory, 1,000 durable actions/s, a flow test in
milliseconds. The durable figures count every action of runs that make a call in each iteration of
a loop, so that each iteration is a turn of its own; services answer at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hybridmandate.durable import open_durable
from hybridmandate.durable.database import open_engine
from hybridmandate.evidence.record import Record
from hybridmandate.orchestration.definition import Flow, FlowDocument, load_flow
from hybridmandate.orchestration.engine import Answer, Call, Watch
from hybridmandate.orchestration.expressions import parse_template
from hybridmandate.orchestration.expressions.conformance import CaseScope
from hybridmandate.orchestration.history import RunHistory
from hybridmandate.orchestration.shells.catalogue import FlowCatalogue
from hybridmandate.orchestration.shells.durable import FlowHost
from hybridmandate.orchestration.shells.memory import MemoryHost

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
GOALS = {"in memory": 50_000, "durable": 1_000}


def document(actions: dict[str, Any], name: str) -> FlowDocument:
    trigger = {"manual": {"type": "Request", "kind": "Button", "inputs": {}}}
    tree = {"triggers": trigger, "actions": actions, "contentVersion": "1.0.0.0"}
    return FlowDocument.parse(json.dumps(tree).encode(), name)


def compose(value: Any, after: str | None = None) -> dict[str, Any]:
    before = {after: ["Succeeded"]} if after else {}
    return {"type": "Compose", "inputs": value, "runAfter": before}


def call() -> dict[str, Any]:
    host = {"connectionName": "c", "operationId": "Do", "apiId": "/apis/shared_c"}
    return {"type": "OpenApiConnection", "inputs": {"host": host, "parameters": {}}, "runAfter": {}}


def loop(actions: dict[str, Any], count: int) -> dict[str, Any]:
    items = f"@range(0, {count})"
    return {"type": "Foreach", "foreach": items, "actions": actions, "runAfter": {}}


def pure_loop(count: int) -> dict[str, Any]:
    return loop({"A": compose("@item()"), "B": compose("@add(outputs('A'), 1)", "A")}, count)


class _Services:
    async def call(self, flow: Flow, asked: Call) -> Answer:
        return Answer(200, {}, {"ok": True})

    async def read(self, flow: Flow, watch: Watch) -> Answer:
        return Answer(200, {}, None)


class _Counts:
    def record(self, record: Record) -> None:
        return


def best(repeats: int, measure: Callable[[], float]) -> float:
    return max(measure() for _ in range(repeats))


def in_memory(items: int) -> float:
    flow = load_flow(document({"Loop": pure_loop(items)}, "Pure.json"))

    def once() -> float:
        host = MemoryHost(lambda asked: Answer(200))
        started = time.perf_counter()
        run = host.start(flow)
        seconds = time.perf_counter() - started
        if run.status != "Succeeded":
            raise RuntimeError(f"the run is {run.status}")
        return len(run.tracked) / seconds

    return best(3, once)


def expressions(count: int) -> float:
    template = parse_template("@concat(toUpper(body('A')?['name']), ' ', string(add(1, 2)))")
    context = {"actions": {"A": {"outputs": {"body": {"name": "ada"}}}}}
    scope = CaseScope(context, moment=MOMENT)

    def once() -> float:
        started = time.perf_counter()
        for _ in range(count):
            template.evaluate(scope)
        return count / (time.perf_counter() - started)

    return best(3, once)


def long_wait() -> float:
    """Milliseconds of a test whose flow waits 29 days."""
    actions = {
        "Wait": {
            "type": "Wait",
            "inputs": {"interval": {"count": 29, "unit": "Day"}},
            "runAfter": {},
        },
        "After": compose("done", "Wait"),
    }
    flow = load_flow(document(actions, "Wait.json"))
    times = []
    for _ in range(20):
        started = time.perf_counter()
        host = MemoryHost(lambda asked: Answer(200))
        if host.finish(host.start(flow)).status != "Succeeded":
            raise RuntimeError("the run did not end")
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


async def durable(url: str, history: str, runs: int, items: int) -> float:
    """Actions a second of runs side by side, each iteration with a call."""
    engine = open_engine(history)
    kept = RunHistory(engine)
    actions = {"Loop": loop({"Do": call(), "Say": compose("@body('Do')", "Do")}, items)}
    workers = open_durable(name="bench", url=url, executor_id="bench", application_version="1")
    host = FlowHost(
        flows=FlowCatalogue([document(actions, "Calls.json")], kept),
        durable=workers,
        services=_Services(),
        history=kept,
        recorder=_Counts(),
        clock=time.time,
        variables={},
    )
    await workers.launch()
    await host.launch()
    try:
        started = time.perf_counter()
        ids = [(await host.start("Calls", {}))[0] for _ in range(runs)]
        await asyncio.gather(*(workers.result(each, timeout_seconds=300) for each in ids))
        seconds = time.perf_counter() - started
        done = sum(len(kept.actions(each)) for each in ids)
        if done != runs * (2 * items + 1):
            raise RuntimeError(f"{done} actions were tracked")
        return done / seconds
    finally:
        host.close()
        await workers.close(grace_seconds=5)
        engine.dispose()


def main() -> int:
    """Print the figures; the exit status says whether the goals are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--items", type=int, default=20)
    parser.add_argument("--postgres", help="URL of an empty database, for the durable figure")
    chosen = parser.parse_args()
    found = {"in memory": in_memory(5_000)}
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'flows.db'}"
        found["durable"] = asyncio.run(durable(url, url, chosen.runs, chosen.items))
    if chosen.postgres:
        rate = asyncio.run(durable(chosen.postgres, chosen.postgres, chosen.runs, chosen.items))
        print(f"durable on PostgreSQL: {rate:,.0f} actions/s")
    for name, rate in found.items():
        print(f"{name}: {rate:,.0f} actions/s (goal {GOALS[name]:,})")
    print(f"expressions: {expressions(20_000):,.0f} evaluations/s")
    print(f"a test with a wait of 29 days: {long_wait():.2f} ms")
    return 0 if all(found[name] >= goal for name, goal in GOALS.items()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
