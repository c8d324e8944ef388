"""One call sent twice is one call: across repeats, processes and restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from execution_kit import Service, running
from sample_operations import Effects, registry, unavailable

from hybridmandate.contracts import FailureType, Refused
from hybridmandate.execution.claims import CLAIMS, Claims

GOOD = {"text": "hello", "items": [{"amount": 1, "currency": "EUR"}]}


async def test_replay_returns_first_outcome(service: Service, effects: Effects) -> None:
    first = (await service.call("test.echo", GOOD)).json()
    again = (await service.call("test.echo", GOOD)).json()
    assert first["status"] == "succeeded"
    assert first["data"] == {"text": "hello", "length": 5}
    assert first["versions"] == {
        "service": "1.2.3",
        "build": "build-7",
        "profile": None,
        "prompt": None,
    }
    assert again == {**first, "replayed": True}
    assert effects.calls["echo"] == 1
    assert [r.outcome for r in service.records.of("call.finished")] == ["succeeded", "replayed"]


async def test_order_of_keys_and_spacing_do_not_make_another_call(
    service: Service, effects: Effects
) -> None:
    sent = {"content-type": "application/json; charset=utf-8"}
    await service.call("test.echo", content=b'{"text":"a","items":[]}', headers=sent)
    again = await service.call("test.echo", content=b'{ "items": [], "text": "a" }', headers=sent)
    assert again.json()["replayed"] is True
    assert effects.calls["echo"] == 1


@pytest.mark.parametrize(
    "other",
    [
        {"x-correlation-id": "another-transaction"},
        {"x-mandate-app": "app-other-flow"},
        {"idempotency-key": "explicit"},
    ],
)
async def test_other_transaction_caller_or_key_is_another_call(
    service: Service, effects: Effects, other: dict[str, str | None]
) -> None:
    await service.call("test.echo", GOOD)
    answer = await service.call("test.echo", GOOD, headers=other)
    assert answer.json()["replayed"] is False
    assert effects.calls["echo"] == 2


async def test_other_payload_is_another_call(service: Service, effects: Effects) -> None:
    await service.call("test.echo", GOOD)
    assert (await service.call("test.echo", {"text": "x"})).json()["replayed"] is False
    assert effects.calls["echo"] == 2


async def test_explicit_key_replays_in_another_transaction(
    service: Service, effects: Effects
) -> None:
    key: dict[str, str | None] = {"idempotency-key": "invoice-4711"}
    await service.call("test.echo", GOOD, headers=key)
    other = {**key, "x-correlation-id": "another-transaction"}
    again = await service.call("test.echo", GOOD, headers=other)
    assert again.json()["replayed"] is True
    assert again.headers["x-correlation-id"] == "another-transaction"
    assert effects.calls["echo"] == 1


async def test_explicit_key_with_another_payload_is_a_conflict(
    service: Service, effects: Effects
) -> None:
    key: dict[str, str | None] = {"idempotency-key": "invoice-4711"}
    await service.call("test.echo", GOOD, headers=key)
    answer = await service.call("test.echo", {"text": "other"}, headers=key)
    assert answer.status_code == 409
    assert answer.json()["failure"]["type"] == "conflict"
    assert answer.json()["failure"]["reason"] == "idempotency_key.other_payload"
    assert effects.calls["echo"] == 1


@pytest.mark.parametrize(
    ("failure", "runs", "second"),
    [
        (Refused(FailureType.THROTTLED, "slow down", retry_after_seconds=7), 2, 200),
        (unavailable(), 2, 200),
        (Refused(FailureType.TIMEOUT, "too long"), 2, 200),
        (Refused(FailureType.QUOTA_EXCEEDED, "used up"), 2, 200),
        (ZeroDivisionError("secret 4711"), 2, 200),
        (Refused(FailureType.NOT_FOUND, "no such row"), 1, 404),
        (Refused(FailureType.CONFLICT, "stale"), 1, 409),
        (Refused(FailureType.VALIDATION_ERROR, "wrong"), 1, 422),
    ],
)
async def test_only_failures_that_a_retry_cannot_cure_stand(
    service: Service, effects: Effects, failure: Exception, runs: int, second: int
) -> None:
    effects.fail_with = [failure]
    first = await service.call("test.echo", GOOD)
    again = await service.call("test.echo", GOOD)
    assert first.json()["failure"] is not None
    assert again.status_code == second
    assert again.json()["replayed"] is (runs == 1)
    assert effects.calls["echo"] == runs
    if isinstance(failure, Refused) and failure.retry_after_seconds is not None:
        assert first.headers["retry-after"] == "7"


async def test_crash_leaks_nothing_and_evidence_has_the_place(
    service: Service, effects: Effects
) -> None:
    effects.fail_with = [ZeroDivisionError("secret 4711")]
    answer = await service.call("test.echo", GOOD)
    assert answer.status_code == 500
    assert answer.json()["failure"]["type"] == "internal_error"
    assert "4711" not in answer.text
    assert "ZeroDivision" not in answer.text
    [crash] = service.records.of("call.crashed")
    assert crash.detail["error"] == "ZeroDivisionError"
    assert "sample_operations.py" in crash.detail["trace"]
    assert "4711" not in str(crash.detail)


@pytest.mark.parametrize("text", ["type", "constraint"])
async def test_result_that_breaks_the_contract_is_our_defect(service: Service, text: str) -> None:
    answer = await service.call("test.broken", {"text": text})
    assert answer.status_code == 500
    assert answer.json()["failure"]["reason"] == "operation.crashed"
    assert answer.json()["data"] is None


async def test_deadline_cancels_the_operation_and_is_not_kept(
    service: Service, effects: Effects
) -> None:
    answer = await service.call("test.slow", GOOD)
    assert answer.status_code == 504
    assert answer.json()["failure"]["type"] == "timeout"
    assert effects.cancelled
    effects.gate.set()
    assert (await service.call("test.slow", GOOD)).json()["status"] == "succeeded"


async def test_simultaneous_repeats_run_once(service: Service, effects: Effects) -> None:
    first = asyncio.create_task(service.call("test.held", GOOD))
    await effects.entered.wait()
    repeats = [asyncio.create_task(service.call("test.held", GOOD)) for _ in range(20)]
    await asyncio.sleep(0.05)
    effects.gate.set()
    answers = [(await each).json() for each in (first, *repeats)]
    assert effects.calls["held"] == 1
    assert [a["replayed"] for a in answers] == [False] + [True] * 20
    assert {a["status"] for a in answers} == {"succeeded"}


async def test_repeat_of_a_call_in_flight_is_accepted_and_its_location_gives_the_outcome(
    service: Service, effects: Effects
) -> None:
    first = asyncio.create_task(service.call("test.held", GOOD))
    await effects.entered.wait()
    repeat = await service.call("test.held", GOOD)
    assert repeat.status_code == 202
    assert repeat.json()["status"] == "accepted"
    assert int(repeat.headers["retry-after"]) > 0
    location = repeat.headers["location"]
    assert location.startswith("/exec/jobs/")
    effects.gate.set()
    assert (await service.poll(location)).json() == (await first).json()


async def test_first_outcome_survives_a_restart(tmp_path: Path, effects: Effects) -> None:
    async with running(tmp_path, registry(effects)) as before:
        first = (await before.call("test.echo", GOOD)).json()
    async with running(tmp_path, registry(effects), process_id="process-2") as after:
        again = (await after.call("test.echo", GOOD)).json()
    assert again == {**first, "replayed": True}
    assert effects.calls["echo"] == 1


async def test_two_processes_share_one_claim(tmp_path: Path, effects: Effects) -> None:
    async with (
        running(tmp_path, registry(effects)) as one,
        running(tmp_path, registry(effects), process_id="process-2") as two,
    ):
        first = asyncio.create_task(one.call("test.held", GOOD))
        await effects.entered.wait()
        second = asyncio.create_task(two.call("test.held", GOOD))
        await asyncio.sleep(0.05)
        effects.gate.set()
        assert (await first).json()["replayed"] is False
        assert (await second).json()["replayed"] is True
    assert effects.calls["held"] == 1


async def test_claim_of_a_dead_process_is_taken_over_after_its_lease(
    tmp_path: Path, effects: Effects
) -> None:
    async with running(tmp_path, registry(effects), wait_seconds=0.05) as service:
        await service.call("test.echo", GOOD)
        _leave_as_if_killed(service.engine, lease_until=service.clock() + 5)
        blocked = await service.call("test.echo", GOOD)
        assert blocked.status_code == 202
        service.clock.offset = 6
        interrupted = await service.poll(blocked.headers["location"])
        assert interrupted.status_code == 500
        assert interrupted.json()["failure"]["reason"] == "call.interrupted"
        again = await service.call("test.echo", GOOD)
        assert again.json()["status"] == "succeeded"
        assert again.json()["replayed"] is False
        assert [r.attempt for r in service.records.of("call.finished")][-1] == 2
        assert [r.attempt for r in service.records.of("claim.taken_over")] == [2]
    assert effects.calls["echo"] == 2


async def test_living_process_keeps_its_claim_past_the_lease(
    tmp_path: Path, effects: Effects
) -> None:
    async with (
        running(tmp_path, registry(effects), lease_seconds=0.3) as one,
        running(tmp_path, registry(effects), process_id="process-2", wait_seconds=0.05) as two,
    ):
        first = asyncio.create_task(one.call("test.held", GOOD))
        await effects.entered.wait()
        await asyncio.sleep(1.0)
        assert (await two.call("test.held", GOOD)).status_code == 202
        effects.gate.set()
        assert (await first).json()["status"] == "succeeded"
    assert effects.calls["held"] == 1


async def test_outcome_expires_as_the_contract_says(service: Service, effects: Effects) -> None:
    await service.call("test.echo", GOOD)
    service.clock.offset = 3599
    assert (await service.call("test.echo", GOOD)).json()["replayed"] is True
    service.clock.offset = 3601
    assert (await service.call("test.echo", GOOD)).json()["replayed"] is False
    assert effects.calls["echo"] == 2


async def test_database_that_is_away_is_a_retryable_failure(service: Service) -> None:
    with service.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE mandate_claim RENAME TO hidden"))
    answer = await service.call("test.echo", GOOD)
    assert answer.status_code == 503
    assert answer.json()["failure"]["type"] == "downstream_unavailable"
    with service.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE hidden RENAME TO mandate_claim"))
    assert (await service.call("test.echo", GOOD)).status_code == 200


async def test_evidence_of_a_call_names_who_what_and_how_it_ended(service: Service) -> None:
    await service.call("test.echo", GOOD)
    [received] = service.records.of("call.received")
    [finished] = service.records.of("call.finished")
    [note] = service.records.of("branch.taken")
    for record in (received, finished, note):
        assert record.principal == "oid-app-flow"
        assert record.correlation_id is not None
    assert received.subject == finished.subject == "test.echo/1"
    assert finished.bytes_in > 0
    assert finished.bytes_out > 0
    assert finished.duration_ms > 0
    assert note.detail == {"contract": "test.echo/1", "length": 5}


async def test_call_that_is_cut_off_by_a_stop_may_be_repeated_at_once(
    service: Service, effects: Effects
) -> None:
    first = asyncio.create_task(service.call("test.held", GOOD))
    await effects.entered.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    effects.gate.set()
    again = await service.call("test.held", GOOD)
    assert again.json()["status"] == "succeeded"
    assert again.json()["replayed"] is False


async def test_body_that_does_not_arrive_in_time_is_a_timeout(
    service: Service, effects: Effects
) -> None:
    async def dripping() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)

    answer = await service.call(
        "test.slow", content=dripping(), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 504
    assert answer.json()["failure"]["reason"] == "body.slow"
    assert effects.calls["slow"] == 0


async def test_expired_claims_are_removed_and_running_ones_are_not(
    service: Service, effects: Effects
) -> None:
    claims = Claims(service.engine, process_id="sweeper", lease_seconds=1, clock=service.clock)
    await service.call("test.echo", GOOD)
    first = asyncio.create_task(service.call("test.held", GOOD))
    await effects.entered.wait()
    assert claims.forget_expired() == 0
    service.clock.offset = 8 * 86400
    assert claims.forget_expired() == 1
    effects.gate.set()
    assert (await first).status_code == 200


async def test_stop_lets_a_call_in_flight_end_and_takes_no_new_one(
    tmp_path: Path, effects: Effects
) -> None:
    process = running(tmp_path, registry(effects))
    service = await process.__aenter__()
    first = asyncio.create_task(service.call("test.held", GOOD))
    await effects.entered.wait()
    stopping = asyncio.create_task(process.__aexit__(None, None, None))
    await asyncio.sleep(0.05)
    late = await service.call("test.echo", GOOD)
    assert late.status_code == 503
    assert late.json()["failure"]["reason"] == "service.stopping"
    assert (await service.client.get("/health/ready")).status_code == 503
    assert (await service.client.get("/health/live")).status_code == 200
    assert not stopping.done()
    effects.gate.set()
    assert (await first).json()["status"] == "succeeded"
    await stopping


def _leave_as_if_killed(engine: sa.Engine, *, lease_until: float) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.update(CLAIMS).values(
                state="running", outcome=None, process_id="dead", lease_until=lease_until
            )
        )
