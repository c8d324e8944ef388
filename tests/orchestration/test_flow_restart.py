"""What a flows process knows of its predecessor: runs that were not handed over, requests used."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from connector_kit import Service
from flow_kit import compose, document
from flow_process import CALLER, OPERATOR, process

from hybridmandate.durable.database import open_engine
from hybridmandate.durable.dbos_engine import DbosDurable
from hybridmandate.evidence.record import Tier
from hybridmandate.orchestration.history import RunHistory
from hybridmandate.orchestration.history.tables import RUNS
from hybridmandate.orchestration.limits import Licence, Profile, RequestBudget
from hybridmandate.orchestration.limits.budget import DAY
from hybridmandate.orchestration.shells.request_windows import SLOT_SECONDS, RequestWindows
from hybridmandate.orchestration.shells.unfinished_runs import RUNS_A_PAGE, UnfinishedRuns

NOW = 1_800_000_000.0
TRIGGER = "/flows/Short/triggers/manual"


def engine_in(folder: Path) -> sa.Engine:
    return open_engine(f"sqlite:///{folder / 'history.db'}")


def begin_runs(engine: sa.Engine, status: str, count: int) -> None:
    row: dict[str, Any] = {"flow": "Short", "definition": "d", "started_at": NOW, "trigger": {}}
    with engine.begin() as connection:
        connection.execute(
            sa.insert(RUNS),
            [
                {**row, "id": f"{status}-{n:06d}", "status": status, "start": {"n": n}, "turn": -1}
                for n in range(count)
            ],
        )


def rename(folder: Path, table: str, other: str) -> None:
    engine = open_engine(f"sqlite:///{folder / 'durable.db'}")
    with engine.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE {table} RENAME TO {other}"))
    engine.dispose()


def test_only_runs_that_go_on_are_read_in_pages_by_their_index(tmp_path: Path) -> None:
    engine = engine_in(tmp_path)
    RunHistory(engine)
    UnfinishedRuns(engine)
    begin_runs(engine, "Succeeded", 3 * RUNS_A_PAGE)
    begin_runs(engine, "Running", 2 * RUNS_A_PAGE + 1)
    statements: list[str] = []

    def seen(_c: object, _k: object, statement: str, *_: object) -> None:
        statements.append(statement)

    sa.event.listen(engine, "before_cursor_execute", seen)
    pages = list(UnfinishedRuns(engine).pages())
    assert [len(each) for each in pages] == [RUNS_A_PAGE, RUNS_A_PAGE, 1]
    assert list(pages[2]) == [f"Running-{2 * RUNS_A_PAGE:06d}"]
    query = next(each for each in statements if each.startswith("SELECT"))
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", ("", 1, 0)).all()
    assert "USING INDEX flow_run_unfinished" in str(plan)


async def test_a_run_that_was_written_down_and_not_handed_over_is_started(
    tmp_path: Path, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = document({"A": compose("@triggerBody()?['n']")}, name="Short.json")
    async with process(tmp_path, [flow], service) as flows:

        async def killed(*_: Any) -> bool:
            raise RuntimeError("the process ended here")

        with monkeypatch.context() as patch:
            patch.setattr(DbosDurable, "start", killed)
            with pytest.raises(RuntimeError, match="ended here"):
                await flows.client.post(TRIGGER, headers=CALLER, json={"n": 7})
        (lost,) = (await flows.client.get("/runs", headers=OPERATOR)).json()["runs"]
        assert (await flows.run(lost["id"], "Running"))["actions"] == []
    async with process(tmp_path, [flow], service) as flows:
        run = await flows.run(lost["id"], "Succeeded")
        assert run["actions"][0]["outputs"] == 7


async def test_a_process_that_cannot_remember_says_so_and_is_not_ready(
    tmp_path: Path, service: Service
) -> None:
    rest = {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Second"}}, "runAfter": {}}
    flow = document({"Rest": rest}, name="Short.json")
    async with process(tmp_path, [flow], service) as flows:
        assert (await flows.client.get("/health/ready")).status_code == 200
        rename(tmp_path, "mandate_step", "elsewhere")
        answer = await flows.client.post(TRIGGER, headers=CALLER, json={})
        record = await flows.evidence("flow.durable")
        ready = await flows.client.get("/health/ready")
        assert (ready.status_code, ready.json()["remembers"]) == (503, False)
        assert (record.tier, record.outcome) == (Tier.FLOW, "failed")
        assert "no such table" in str(record.detail["reason"])
        rename(tmp_path, "elsewhere", "mandate_step")
        await flows.run(answer.json()["data"]["runId"], "Succeeded")
        assert (await flows.client.get("/health/ready")).status_code == 200
        assert [each.outcome for each in flows.records.of("flow.durable")] == [
            "failed",
            "succeeded",
        ]


async def test_a_restart_gives_no_fresh_budget_of_requests(tmp_path: Path) -> None:
    engine, moment = engine_in(tmp_path), [NOW]
    windows = RequestWindows(engine, lambda: moment[0])
    windows.spend("Short", 6_000)
    windows.spend("Long", 3_999)
    await windows.close()
    moment[0] += 3600
    again = RequestWindows(engine, lambda: moment[0])
    again.spend("Short", 1)
    await again.close()

    def waits() -> tuple[float, float]:
        budget = RequestBudget(Profile.LOW, Licence.STANDARD)
        RequestWindows(engine, lambda: moment[0]).restore(budget)
        single = RequestBudget(Profile.LOW, None)
        RequestWindows(engine, lambda: moment[0]).restore(single)
        return budget.wait("Short", moment[0])[0], single.wait("Short", moment[0])[0]

    of_licence, of_flow = waits()
    assert DAY - 3600 <= of_licence <= DAY - 3600 + 2 * SLOT_SECONDS + DAY / 300
    assert of_flow == 0.0, "10,000 a day of one flow are not used"
    moment[0] = NOW + DAY + 2 * SLOT_SECONDS + DAY / 300
    assert waits() == (0.0, 0.0)


async def test_counts_are_written_soon_without_a_stop(tmp_path: Path) -> None:
    engine = engine_in(tmp_path)
    windows = RequestWindows(engine, lambda: NOW)
    windows.spend("Short", 2)
    windows.spend("Short", 3)
    until = time.monotonic() + 10
    rows: list[Any] = []
    while not rows and time.monotonic() < until:
        await asyncio.sleep(0.05)
        with engine.connect() as connection:
            rows = list(connection.execute(sa.text("SELECT flow, requests FROM flow_requests")))
    assert rows == [("Short", 5)]
