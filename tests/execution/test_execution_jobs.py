"""Jobs in one process; what survives kill -9 is in test_execution_kills."""

from __future__ import annotations

import asyncio
from pathlib import Path

import sqlalchemy as sa
from execution_kit import MemoryDurable, Service, as_gateway, running
from sample_operations import Effects, registry, unavailable

from hybridmandate.execution.claims import CLAIMS

GOOD = {"text": "hello"}
ASYNC: dict[str, str | None] = {"prefer": "respond-async, wait=5"}


async def test_job_is_accepted_polled_with_progress_and_ends_with_its_outcome(
    service: Service, effects: Effects
) -> None:
    started = await service.call("test.job", GOOD, headers=ASYNC)
    assert started.status_code == 202
    assert started.json()["status"] == "accepted"
    location = started.headers["location"]
    assert location == f"/exec/jobs/{started.json()['data']['job']}"
    await effects.entered.wait()
    await asyncio.sleep(0.05)
    running_still = await service.client.get(location.removeprefix("/exec"), headers=as_gateway())
    assert running_still.status_code == 202
    assert running_still.headers["location"] == location
    assert int(running_still.headers["retry-after"]) > 0
    progress = {"done": 1, "total": 4, "unit": "rows"}
    assert running_still.json()["data"]["progress"] == progress
    [told] = service.records.of("job.progress")
    assert (told.subject, told.detail) == (started.json()["data"]["job"], progress)
    effects.gate.set()
    ended = await service.poll(location)
    assert ended.status_code == 200
    assert ended.json()["status"] == "partiallySucceeded"
    assert ended.json()["counts"] == {"accepted": 1}
    [finished] = service.records.of("call.finished")[1:]
    assert finished.detail["job"] == started.json()["data"]["job"]
    assert service.records.of("job.read")[-1].outcome == "partiallySucceeded"


async def test_same_call_is_the_same_job_and_later_its_outcome(
    service: Service, effects: Effects
) -> None:
    locations = {
        (await service.call("test.job", GOOD, headers=ASYNC)).headers["location"] for _ in range(5)
    }
    assert len(locations) == 1
    sync = await service.call("test.job", GOOD)
    assert sync.status_code == 202
    assert {sync.headers["location"]} == locations
    effects.gate.set()
    outcome = (await service.poll(locations.pop())).json()
    again = await service.call("test.job", GOOD, headers=ASYNC)
    assert again.json() == {**outcome, "replayed": True}
    assert effects.calls["job"] == 1


async def test_wish_for_a_job_is_only_a_wish(service: Service) -> None:
    answer = await service.call("test.echo", GOOD, headers=ASYNC)
    assert answer.status_code == 200


async def test_rejected_job_ends_with_its_own_status(service: Service, effects: Effects) -> None:
    effects.gate.set()
    started = await service.call("test.job", {"text": "reject"}, headers=ASYNC)
    ended = await service.poll(started.headers["location"])
    assert ended.status_code == 422
    assert ended.json()["status"] == "rejected"
    assert ended.json()["failure"]["type"] == "validation_error"
    assert ended.json()["errors"][0]["line"] == 3


async def test_job_of_another_client_is_not_found(service: Service, effects: Effects) -> None:
    started = await service.call("test.job", GOOD, headers=ASYNC)
    path = started.headers["location"].removeprefix("/exec")
    for method, where in (("GET", path), ("POST", f"{path}/cancel")):
        stranger = as_gateway(app="app-stranger")
        answer = await service.client.request(method, where, headers=stranger)
        assert answer.status_code == 404
        assert answer.json()["failure"]["reason"] == "job.of_another_client"
    assert (await service.client.get(path, headers=as_gateway())).status_code == 202


async def test_client_that_lost_the_role_may_not_poll(service: Service) -> None:
    started = await service.call("test.job", GOOD, headers=ASYNC)
    path = started.headers["location"].removeprefix("/exec")
    answer = await service.client.get(path, headers=as_gateway(roles="Test.Echo"))
    assert answer.status_code == 403


async def test_job_that_failed_curably_runs_again_under_the_same_location(
    service: Service, effects: Effects
) -> None:
    effects.gate.set()
    effects.fail_with = [unavailable()]
    first = await service.call("test.job", GOOD, headers=ASYNC)
    failed = await service.poll(first.headers["location"])
    assert failed.status_code == 503
    second = await service.call("test.job", GOOD, headers=ASYNC)
    assert second.headers["location"] == first.headers["location"]
    assert (await service.poll(second.headers["location"])).status_code == 200
    assert effects.calls["job"] == 2


async def test_cancelled_job_stops_and_stays_cancelled(service: Service, effects: Effects) -> None:
    started = await service.call("test.job", GOOD, headers=ASYNC)
    path = started.headers["location"].removeprefix("/exec")
    await effects.entered.wait()
    cancelled = await service.client.post(f"{path}/cancel", headers=as_gateway())
    assert cancelled.status_code == 409
    assert cancelled.json()["failure"]["reason"] == "job.cancelled"
    assert (await service.poll(path)).json() == cancelled.json()
    await asyncio.sleep(0.05)
    assert effects.cancelled
    again = await service.client.post(f"{path}/cancel", headers=as_gateway())
    assert again.json() == cancelled.json()


async def test_cancelling_what_has_ended_gives_its_outcome(
    service: Service, effects: Effects
) -> None:
    effects.gate.set()
    started = await service.call("test.job", GOOD, headers=ASYNC)
    path = started.headers["location"].removeprefix("/exec")
    ended = await service.poll(path)
    late = await service.client.post(f"{path}/cancel", headers=as_gateway())
    assert late.json() == ended.json()


async def test_sync_call_cannot_be_cancelled(service: Service, effects: Effects) -> None:
    first = asyncio.create_task(service.call("test.held", GOOD))
    await effects.entered.wait()
    repeat = await service.call("test.held", GOOD)
    path = repeat.headers["location"].removeprefix("/exec")
    answer = await service.client.post(f"{path}/cancel", headers=as_gateway())
    assert answer.json()["failure"]["reason"] == "job.synchronous"
    effects.gate.set()
    await first


async def test_start_that_was_cut_off_is_healed_by_the_repeat(
    tmp_path: Path, effects: Effects
) -> None:
    durable = MemoryDurable()
    async with running(tmp_path, registry(effects), durable=durable) as service:
        effects.gate.set()
        started = await service.call("test.job", GOOD, headers=ASYNC)
        await service.poll(started.headers["location"])
        # As if the process had died between claim and start.
        durable.known.clear()
        with service.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE mandate_claim SET state='running', outcome=NULL")
        path = started.headers["location"]
        service.clock.offset = 60
        assert (await service.poll(path)).json()["failure"]["reason"] == "call.interrupted"
        service.clock.offset = 0
        assert (await service.call("test.job", GOOD, headers=ASYNC)).status_code == 202
        assert (await service.poll(path)).status_code == 200
    assert effects.calls["job"] == 2


async def test_call_too_long_for_itself_becomes_one_job_for_all_who_repeat_it(
    tmp_path: Path, effects: Effects
) -> None:
    async with running(tmp_path, registry(effects), wait_seconds=5.0) as service:
        first = asyncio.create_task(service.call("test.long", GOOD))
        await effects.entered.wait()
        repeats = [asyncio.create_task(service.call("test.long", GOOD)) for _ in range(3)]
        await asyncio.sleep(0.05)
        effects.gate.set()
        answers = await asyncio.wait_for(asyncio.gather(first, *repeats), 3)
        assert {answer.status_code for answer in answers} == {202}
        [location] = {answer.headers["location"] for answer in answers}
        polled = await service.client.get(location.removeprefix("/exec"), headers=as_gateway())
        assert polled.json()["status"] == "accepted"
        effects.job_gate.set()
        ended = await service.poll(location)
        assert ended.json()["status"] == "succeeded"
        assert effects.calls == {"long.sync": 1, "long.job": 1}
        assert len(service.records.of("call.became_job")) == 1
        replayed = (await service.call("test.long", GOOD)).json()
        assert replayed == {**ended.json(), "replayed": True}


async def test_call_whose_claim_was_taken_over_joins_the_job_of_the_other(
    service: Service, effects: Effects
) -> None:
    first = asyncio.create_task(service.call("test.long", GOOD))
    await effects.entered.wait()
    with service.engine.begin() as connection:
        connection.execute(sa.update(CLAIMS).values(attempt=2, mode="job"))
    effects.gate.set()
    answered = await first
    assert answered.status_code == 202
    assert service.records.of("call.became_job") == []
    effects.job_gate.set()
    ended = await service.poll(answered.headers["location"])
    assert ended.json()["status"] == "succeeded"
    assert effects.calls["long.job"] == 1
