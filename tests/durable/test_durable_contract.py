"""What every user of the durable port may rely on, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hybridmandate.durable import (
    Durable,
    DurableContext,
    Json,
    PayloadConflict,
    RunState,
    StepFailed,
    UnknownRun,
    Workflow,
    open_durable,
)


@asynccontextmanager
async def launched(
    url: str, *, grace_seconds: float = 1.0, **workflows: Workflow
) -> AsyncIterator[Durable]:
    durable = open_durable(
        name="contract-test", url=url, executor_id="one", application_version="1"
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


async def inbox(run: DurableContext, payload: Json) -> Json:
    return [await run.receive("in", payload["seconds"]) for _ in range(payload["count"])]


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
    async with launched(database_url, double=double, inbox=inbox) as durable:
        await durable.start("double", "r", {"n": 1, "m": [1.5, None]})
        assert await durable.start("double", "r", {"m": [1.5, None], "n": 1}) is False
        with pytest.raises(PayloadConflict):
            await durable.start("double", "r", {"n": 2})
        with pytest.raises(PayloadConflict):
            await durable.start("inbox", "r", {"n": 1, "m": [1.5, None]})


async def test_a_message_sent_early_is_kept_and_a_key_delivers_once(database_url: str) -> None:
    gate = asyncio.Event()

    async def late(run: DurableContext, payload: Json) -> Json:
        await gate.wait()
        return [await run.receive("in", 0.3) for _ in range(3)]

    async with launched(database_url, late=late) as durable:
        await durable.start("late", "r", None)
        for message in ("a", "b"):
            await durable.send("r", "in", {"text": message}, key=message)
            await durable.send("r", "in", {"text": message}, key=message)
        await durable.send("r", "elsewhere", "not for this topic", key=None)
        gate.set()
        run = await durable.result("r", timeout_seconds=60)
        assert run.result == [{"text": "a"}, {"text": "b"}, None]


async def test_messages_of_a_topic_arrive_in_the_order_sent(database_url: str) -> None:
    async with launched(database_url, inbox=inbox) as durable:
        await durable.start("inbox", "r", {"seconds": 5, "count": 15})
        for n in range(15):
            await durable.send("r", "in", n, key=f"{99 - n}")
            await asyncio.sleep(0.002)
        run = await durable.result("r", timeout_seconds=60)
        assert run.result == list(range(15))


async def test_two_branches_on_one_topic_get_one_message_each(database_url: str) -> None:
    async def branches(run: DurableContext, payload: Json) -> Json:
        return await asyncio.gather(*(run.receive("in", 5.0) for _ in range(2)))

    async with launched(database_url, branches=branches) as durable:
        await durable.start("branches", "r", None)
        await durable.send("r", "in", "one", key=None)
        await asyncio.sleep(0.2)
        await durable.send("r", "in", "two", key=None)
        run = await durable.result("r", timeout_seconds=60)
        assert sorted(run.result) == ["one", "two"]


async def test_sending_to_a_run_that_never_was_says_so(database_url: str) -> None:
    async with launched(database_url, double=double) as durable:
        with pytest.raises(UnknownRun):
            await durable.send("nobody", "in", 1, key=None)
        with pytest.raises(UnknownRun):
            await durable.result("nobody", timeout_seconds=0.1)


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

    async with launched(database_url, long=long, inbox=inbox) as durable:
        await durable.start("long", "busy", None)
        await durable.start("inbox", "parked", {"seconds": 60, "count": 1})
        await asyncio.sleep(0.3)
        await durable.cancel("busy")
        await durable.cancel("parked")
        done = len(begun)
        for run_id in ("busy", "parked"):
            run = await durable.result(run_id, timeout_seconds=60)
            assert run.state is RunState.CANCELLED
        await asyncio.sleep(0.5)
        assert len(begun) == done


async def test_runs_are_listed_newest_first_and_by_state(database_url: str) -> None:
    async with launched(database_url, double=double, inbox=inbox) as durable:
        await durable.start("double", "d", {"n": 1})
        await durable.result("d", timeout_seconds=60)
        await asyncio.sleep(0.01)
        await durable.start("inbox", "i", {"seconds": 60, "count": 1})
        every = await durable.runs(workflow=None, states=None, limit=10)
        assert [run.id for run in every] == ["i", "d"]
        running = frozenset({RunState.RUNNING})
        assert [r.id for r in await durable.runs(workflow=None, states=running, limit=10)] == ["i"]
        named = await durable.runs(workflow="double", states=None, limit=10)
        assert [run.id for run in named] == ["d"]
        assert len(await durable.runs(workflow=None, states=None, limit=1)) == 1
        assert await durable.runs(workflow=None, states=frozenset(), limit=10) == []
        with pytest.raises(TimeoutError):
            await durable.result("i", timeout_seconds=0.1)


async def test_after_a_close_the_next_launch_goes_on_at_the_last_step(database_url: str) -> None:
    begun: list[str] = []

    async def two_steps(run: DurableContext, payload: Json) -> Json:
        async def effect(name: str) -> Json:
            begun.append(name)
            return name

        until = await run.now() + 1.0
        first = await run.step("first", lambda: effect("first"))
        await run.sleep_until(until)
        return [first, await run.step("second", lambda: effect("second")), until]

    before = time.time()
    async with launched(database_url, two_steps=two_steps) as durable:
        await durable.start("two_steps", "r", None)
        while not begun:
            await asyncio.sleep(0.01)
    assert begun == ["first"]
    async with launched(database_url, two_steps=two_steps) as durable:
        run = await durable.result("r", timeout_seconds=60)
        assert run.result[:2] == ["first", "second"]
        assert before + 1.0 <= run.result[2] <= before + 3.0
    assert begun == ["first", "second"]


async def test_a_message_taken_before_a_restart_is_not_waited_for_again(database_url: str) -> None:
    resumed = asyncio.Event()

    async def receiver(run: DurableContext, payload: Json) -> Json:
        received = [await run.receive("in", 60.0), await run.receive("in", 0.1)]
        await resumed.wait()
        return received

    async with launched(database_url, receiver=receiver) as durable:
        await durable.start("receiver", "r", None)
        await durable.send("r", "in", "hello", key=None)
        await asyncio.sleep(1.0)
    resumed.set()
    async with launched(database_url, receiver=receiver) as durable:
        run = await durable.result("r", timeout_seconds=20)
        assert run.result == ["hello", None]


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


async def test_a_workflow_may_start_and_message_others_from_its_steps(database_url: str) -> None:
    async def parent(run: DurableContext, payload: Json) -> Json:
        async def delegate() -> Json:
            started = await durable.start("inbox", "child", {"seconds": 5, "count": 1})
            await durable.send("child", "in", "from parent", key="k")
            return started

        return await run.step("delegate", delegate)

    async with launched(database_url, parent=parent, inbox=inbox) as durable:
        await durable.start("parent", "p", None)
        assert (await durable.result("p", timeout_seconds=60)).result is True
        assert (await durable.result("child", timeout_seconds=60)).result == ["from parent"]


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


async def test_many_parked_runs_wake_for_their_own_message(database_url: str) -> None:
    async with launched(database_url, inbox=inbox) as durable:
        ids = [f"p-{n}" for n in range(60)]
        await asyncio.gather(
            *(durable.start("inbox", id, {"seconds": 30, "count": 1}) for id in ids)
        )
        await asyncio.gather(*(durable.send(id, "in", id, key=None) for id in ids))
        results = [await durable.result(id, timeout_seconds=60) for id in ids]
        assert [run.result for run in results] == [[id] for id in ids]
