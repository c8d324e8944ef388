"""The journal of finished steps: many in one commit, and only while their owner owns the run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from hybridmandate.durable.database import open_engine
from hybridmandate.durable.journal import FinishedStep, OwnerLost, StepJournal


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = open_engine(database_url)
    postgres = engine.dialect.name == "postgresql"
    table = "dbos.workflow_status" if postgres else "workflow_status"
    with engine.begin() as connection:
        if postgres:
            connection.execute(sa.text("CREATE SCHEMA dbos"))
        connection.execute(
            sa.text(f"CREATE TABLE {table} (workflow_uuid TEXT PRIMARY KEY, owner_xid TEXT)")
        )
        for run, owner in (("a", "'me'"), ("b", "'another'"), ("c", "NULL"), ("d", "'me'")):
            connection.execute(sa.text(f"INSERT INTO {table} VALUES ('{run}', {owner})"))
        StepJournal(engine).prepare(connection)
    yield engine
    engine.dispose()


def step(run_id: str, name: str = "s#1", outcome: str = '{"value":1}') -> FinishedStep:
    return FinishedStep(run_id, "me", name, outcome)


async def test_a_step_is_kept_only_for_the_owner_of_its_run(engine: sa.Engine) -> None:
    journal = StepJournal(engine)
    writes = [journal.remember(step(run)) for run in ("a", "b", "c", "d", "gone")]
    results = await asyncio.gather(*writes, return_exceptions=True)
    lost = [isinstance(each, OwnerLost) for each in results]
    assert lost == [False, True, True, False, True]
    assert journal.read("a") == journal.read("d") == {"s#1": {"value": 1}}
    assert journal.read("b") == journal.read("c") == journal.read("gone") == {}


async def test_what_is_written_twice_keeps_its_first_outcome(engine: sa.Engine) -> None:
    journal = StepJournal(engine)
    await journal.remember(step("a"))
    await journal.remember(step("a", outcome='{"value":2}'))
    assert journal.read("a") == {"s#1": {"value": 1}}


async def test_steps_that_come_together_share_a_transaction(engine: sa.Engine) -> None:
    commits = []
    sa.event.listen(engine, "commit", commits.append)
    journal = StepJournal(engine)
    await asyncio.gather(*(journal.remember(step("a", f"s#{n}")) for n in range(100)))
    assert len(journal.read("a")) == 100
    assert len(commits) <= 3


async def test_a_step_that_the_database_refuses_fails_alone(engine: sa.Engine) -> None:
    if engine.dialect.name == "sqlite":
        with engine.begin() as connection:
            connection.execute(
                sa.text(
                    "CREATE TRIGGER refuse BEFORE INSERT ON mandate_step WHEN NEW.name = 'bad' "
                    "BEGIN SELECT RAISE(ABORT, 'refused'); END"
                )
            )
        bad = step("a", "bad")
    else:
        bad = step("a", "bad\x00")
    journal = StepJournal(engine)
    writes = [journal.remember(each) for each in (step("a"), bad, step("d"))]
    first, refused, last = await asyncio.gather(*writes, return_exceptions=True)
    assert (first, last) == (None, None)
    assert isinstance(refused, sa.exc.DBAPIError)
    assert set(journal.read("a")) == {"s#1"}
    assert set(journal.read("d")) == {"s#1"}


async def test_a_step_that_no_database_can_hold_fails_alone(engine: sa.Engine) -> None:
    journal = StepJournal(engine)
    writes = [journal.remember(each) for each in (step("a"), step("a", "\ud800"), step("d"))]
    async with asyncio.timeout(10):
        first, refused, last = await asyncio.gather(*writes, return_exceptions=True)
    assert (first, last) == (None, None)
    assert isinstance(refused, UnicodeEncodeError)
    assert set(journal.read("a")) == set(journal.read("d")) == {"s#1"}


async def test_a_database_that_is_locked_is_waited_for(engine: sa.Engine) -> None:
    journal = StepJournal(engine)
    answers = [sa.exc.OperationalError("INSERT", {}, Exception("away")), sa.exc.TimeoutError()]
    write = journal._write

    def sometimes(steps: list[FinishedStep]) -> set[FinishedStep]:
        if answers:
            raise answers.pop()
        return write(steps)

    journal._write = sometimes  # type: ignore[method-assign, assignment]
    await journal.remember(step("a"))
    assert set(journal.read("a")) == {"s#1"}
    assert not answers
