"""What every user of the durable port may rely on, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import sqlalchemy as sa

from hybridmandate.durable import (
    Durable,
    DurableContext,
    Json,
    PayloadConflict,
    RunState,
    StepFailed,
    Workflow,
    open_durable,
)
from hybridmandate.durable.database import open_engine


@asynccontextmanager
async def launched(
    url: str,
    *,
    grace_seconds: float = 1.0,
    keep_steps_seconds: float = 3600.0,
    **workflows: Workflow,
) -> AsyncIterator[Durable]:
    durable = open_durable(
        name="contract-test",
        url=url,
        executor_id="one",
        application_version="1",
        keep_steps_seconds=keep_steps_seconds,
    )
    for name, workflow in workflows.items():
        durable.register(name, workflow)
    await durable.launch()
    try:
        yield durable
    finally:
        await durable.close(grace_seconds=grace_seconds)


async def double(run: DurableContext, payload: Json) -> Json:
    async def effect() -> Json:
        return payload["n"] * 2

    return {"id": run.id, "n": await run.step("double", effect)}


async def test_a_run_ends_with_its_result(database_url: str) -> None:
    async with launched(database_url, double=double) as durable:
        assert await durable.start("double", "r-1", {"n": 4}) is True
        run = await durable.result("r-1", timeout_seconds=60)
        assert (run.id, run.workflow, run.state) == ("r-1", "double", RunState.SUCCEEDED)
        assert run.result == {"id": "r-1", "n": 8}
        assert run.error is None
        assert abs(run.created_at - time.time()) < 30
        assert await durable.find("r-1") == run
        assert await durable.find("r-2") is None


async def test_one_of_many_concurrent_starts_is_new(database_url: str) -> None:
    async with launched(database_url, double=double) as durable:
        starts = (durable.start("double", "same", {"n": 1}) for _ in range(8))
        assert sorted(await asyncio.gather(*starts)) == [False] * 7 + [True]


async def test_the_same_id_with_another_payload_is_a_conflict(database_url: str) -> None:
    async with launched(database_url, double=double, other=double) as durable:
        await durable.start("double", "r", {"n": 1, "m": [1.5, None]})
        assert await durable.start("double", "r", {"m": [1.5, None], "n": 1}) is False
        with pytest.raises(PayloadConflict):
            await durable.start("double", "r", {"n": 2})
        with pytest.raises(PayloadConflict):
            await durable.start("other", "r", {"n": 1, "m": [1.5, None]})


async def test_a_failing_step_is_remembered_by_type_and_message(database_url: str) -> None:
    attempts = []

    async def failing(run: DurableContext, payload: Json) -> Json:
        async def effect() -> Json:
            attempts.append(1)
            raise KeyError("invoice 17")

        with pytest.raises(StepFailed) as caught:
            await run.step("look up", effect)
        error = caught.value
        return [error.step, error.error_type, error.message]

    async def broken(run: DurableContext, payload: Json) -> Json:
        raise ValueError("no such column")

    async with launched(database_url, failing=failing, broken=broken) as durable:
        await durable.start("failing", "f", None)
        await durable.start("broken", "b", None)
        failed = await durable.result("f", timeout_seconds=60)
        assert failed.result == ["look up#1", "KeyError", "'invoice 17'"]
        assert attempts == [1]
        run = await durable.result("b", timeout_seconds=60)
        assert (run.state, run.error) == (RunState.FAILED, "ValueError: no such column")


async def test_a_cancelled_run_does_nothing_more(database_url: str) -> None:
    begun = []

    async def long(run: DurableContext, payload: Json) -> Json:
        async def effect() -> Json:
            begun.append(len(begun))
            await asyncio.sleep(0.2)
            return None

        while True:
            await run.step("tick", effect)

    async def park(run: DurableContext, payload: Json) -> Json:
        await asyncio.Event().wait()

    async with launched(database_url, long=long, park=park) as durable:
        await durable.start("long", "busy", None)
        await durable.start("park", "parked", None)
        await asyncio.sleep(0.3)
        await durable.cancel("busy")
        await durable.cancel("parked")
        done = len(begun)
        for run_id in ("busy", "parked"):
            run = await durable.result(run_id, timeout_seconds=60)
            assert run.state is RunState.CANCELLED
        await asyncio.sleep(0.5)
        assert len(begun) == done


async def test_after_a_close_the_next_launch_goes_on_at_the_last_step(database_url: str) -> None:
    begun: list[str] = []

    async def two_steps(run: DurableContext, payload: Json) -> Json:
        async def effect(name: str) -> Json:
            begun.append(name)
            return name

        until = await run.now() + 1.0
        first = await run.step("first", lambda: effect("first"))
        await asyncio.sleep(max(0.0, until - time.time()))
        return [first, await run.step("second", lambda: effect("second")), until]

    async with launched(database_url, two_steps=two_steps) as durable:
        before = time.time()
        await durable.start("two_steps", "r", None)
        while not begun:
            await asyncio.sleep(0.01)
        after = time.time()
    assert begun == ["first"]
    async with launched(database_url, two_steps=two_steps) as durable:
        run = await durable.result("r", timeout_seconds=60)
        assert run.result[:2] == ["first", "second"]
        assert before + 1.0 <= run.result[2] <= after + 1.0
    assert begun == ["first", "second"]


async def test_close_lets_a_running_step_end_and_begins_none(database_url: str) -> None:
    begun: list[str] = []
    ended: list[str] = []

    async def steps(run: DurableContext, payload: Json) -> Json:
        async def effect(name: str) -> Json:
            begun.append(name)
            await asyncio.sleep(0.4)
            ended.append(name)
            return name

        return [await run.step(name, lambda name=name: effect(name)) for name in ("a", "b")]

    async with launched(database_url, grace_seconds=5.0, steps=steps) as durable:
        await durable.start("steps", "r", None)
        await asyncio.sleep(0.2)
    assert (begun, ended) == (["a"], ["a"])
    async with launched(database_url, steps=steps) as durable:
        assert (await durable.result("r", timeout_seconds=60)).result == ["a", "b"]
    assert begun == ["a", "b"]


async def test_a_workflow_may_start_others_from_its_steps(database_url: str) -> None:
    async def parent(run: DurableContext, payload: Json) -> Json:
        return await run.step("start", lambda: durable.start("double", "child", {"n": 2}))

    async with launched(database_url, parent=parent, double=double) as durable:
        await durable.start("parent", "p", None)
        assert (await durable.result("p", timeout_seconds=60)).result is True
        assert (await durable.result("child", timeout_seconds=60)).result["n"] == 4


async def test_who_awaits_a_run_that_goes_on_or_never_was_is_told_in_time(
    database_url: str,
) -> None:
    async def park(run: DurableContext, payload: Json) -> Json:
        await asyncio.Event().wait()

    async with launched(database_url, park=park) as durable:
        await durable.start("park", "parked", None)
        for run_id in ("parked", "nobody"):
            with pytest.raises(TimeoutError):
                await durable.result(run_id, timeout_seconds=0.2)


async def test_a_process_has_one_engine_at_a_time(database_url: str) -> None:
    async with launched(database_url, double=double) as durable:
        other = open_durable(
            name="other-app", url=database_url, executor_id="two", application_version="1"
        )
        with pytest.raises(RuntimeError, match="already"):
            await other.launch()
        await other.close(grace_seconds=0)
        with pytest.raises(RuntimeError, match="before launch"):
            durable.register("late", double)
        await durable.start("double", "r", {"n": 1})
        assert (await durable.result("r", timeout_seconds=60)).state is RunState.SUCCEEDED
    with pytest.raises(RuntimeError, match="not running"):
        await durable.start("double", "r-2", {"n": 1})
    assert await asyncio.to_thread(lambda: 1) == 1, "the loop has a working thread pool again"


async def test_the_engine_says_nothing_on_the_console(
    database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async def broken(run: DurableContext, payload: Json) -> Json:
        raise ValueError("secret 4711")

    async with launched(database_url, broken=broken) as durable:
        await durable.start("broken", "b", None)
        await durable.result("b", timeout_seconds=60)
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""
    assert not logging.getLogger("dbos").propagate


async def test_the_table_of_steps_stays_bounded_while_runs_come_and_go(database_url: str) -> None:
    def kept() -> int:
        engine = open_engine(database_url)
        with engine.connect() as connection:
            count = int(
                connection.execute(sa.text("SELECT count(*) FROM mandate_step")).scalar_one()
            )
        engine.dispose()
        return count

    async with launched(database_url, keep_steps_seconds=0.0, double=double) as durable:
        for number in range(30):
            await durable.start("double", f"r-{number}", {"n": number})
        for number in range(30):
            await durable.result(f"r-{number}", timeout_seconds=60)
        async with asyncio.timeout(20):
            while await asyncio.to_thread(kept):
                await asyncio.sleep(0.1)
        run = await durable.find("r-7")
        assert run is not None
        assert run.result["n"] == 14, "its result outlives its steps"
