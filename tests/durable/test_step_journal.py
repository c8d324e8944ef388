"""The journal of finished steps: many in one commit, and only while their owner owns the run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa

from hybridmandate.durable.database import open_engine
from hybridmandate.durable.journal import JournalBroken, OwnerLost, StepJournal
from hybridmandate.durable.step_retention import StepRetention
from hybridmandate.durable.step_table import FinishedStep, StepTable

NOW_MS = time.time() * 1000


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = open_engine(database_url)
    postgres = engine.dialect.name == "postgresql"
    table = "dbos.workflow_status" if postgres else "workflow_status"
    columns = "workflow_uuid TEXT PRIMARY KEY, owner_xid TEXT, status TEXT, updated_at BIGINT"
    with engine.begin() as connection:
        if postgres:
            connection.execute(sa.text("CREATE SCHEMA dbos"))
        connection.execute(sa.text(f"CREATE TABLE {table} ({columns})"))
        for run, owner in (("a", "'me'"), ("b", "'another'"), ("c", "NULL"), ("d", "'me'")):
            row = f"'{run}', {owner}, 'PENDING', {NOW_MS:.0f}"
            connection.execute(sa.text(f"INSERT INTO {table} VALUES ({row})"))
        StepTable(engine).prepare(connection)
    yield engine
    engine.dispose()


def step(run_id: str, name: str = "s#1", outcome: str = '{"value":1}') -> FinishedStep:
    return FinishedStep(run_id, "me", name, outcome)


def journal_on(
    engine: sa.Engine, said: list[str | None] | None = None, patience: float = 30.0
) -> StepJournal:
    heard = [] if said is None else said
    return StepJournal(StepTable(engine), patience_seconds=patience, told=heard.append)


def retention_on(
    engine: sa.Engine, said: list[str | None] | None = None, keep_seconds: float = 0.0
) -> StepRetention:
    heard = [] if said is None else said
    return StepRetention(engine, keep_seconds=keep_seconds, told=heard.append)


async def test_a_step_is_kept_only_for_the_owner_of_its_run(engine: sa.Engine) -> None:
    journal = journal_on(engine)
    writes = [journal.remember(step(run)) for run in ("a", "b", "c", "d", "gone")]
    results = await asyncio.gather(*writes, return_exceptions=True)
    lost = [isinstance(each, OwnerLost) for each in results]
    assert lost == [False, True, True, False, True]
    assert journal.read("a") == journal.read("d") == {"s#1": {"value": 1}}
    assert journal.read("b") == journal.read("c") == journal.read("gone") == {}


async def test_what_is_written_twice_keeps_its_first_outcome(engine: sa.Engine) -> None:
    journal = journal_on(engine)
    await journal.remember(step("a"))
    await journal.remember(step("a", outcome='{"value":2}'))
    assert journal.read("a") == {"s#1": {"value": 1}}


async def test_steps_that_come_together_share_a_transaction(engine: sa.Engine) -> None:
    writes: list[str] = []

    def seen(_c: object, _k: object, statement: str, *_: object) -> None:
        writes.extend([statement] if "INSERT INTO mandate_step" in statement else [])

    sa.event.listen(engine, "before_cursor_execute", seen)
    journal = journal_on(engine)
    await asyncio.gather(*(journal.remember(step("a", f"s#{n}")) for n in range(100)))
    assert len(journal.read("a")) == 100
    assert len(writes) <= 3


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
    said: list[str | None] = []
    journal = journal_on(engine, said)
    writes = [journal.remember(each) for each in (step("a"), bad, step("d"))]
    first, refused, last = await asyncio.gather(*writes, return_exceptions=True)
    assert (first, last) == (None, None)
    assert isinstance(refused, sa.exc.DBAPIError)
    assert said == [], "the database is well"


async def test_a_database_that_takes_no_steps_is_told_and_not_waited_for_without_end(
    engine: sa.Engine,
) -> None:
    said: list[str | None] = []
    journal = journal_on(engine, said, patience=0.2)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE mandate_step RENAME TO elsewhere"))
    writes = [journal.remember(step(run)) for run in ("a", "d")]
    async with asyncio.timeout(10):
        results = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(each) for each in results] == [JournalBroken, JournalBroken]
    assert str(said[0]).startswith("steps cannot be remembered")
    assert "after a restart" in str(said[-1])
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE elsewhere RENAME TO mandate_step"))
    await journal.remember(step("a", "later#1"))
    assert None not in said, "runs that were stopped wait for a restart: nothing is well before"


async def test_a_database_that_is_mended_in_time_stops_nothing(engine: sa.Engine) -> None:
    said: list[str | None] = []
    journal = journal_on(engine, said)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE mandate_step RENAME TO elsewhere"))
    write = asyncio.create_task(journal.remember(step("a")))
    while not said:
        await asyncio.sleep(0.01)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE elsewhere RENAME TO mandate_step"))
    async with asyncio.timeout(10):
        await write
    assert len(said) == 2
    assert said[1] is None
    assert list(journal.read("a")) == ["s#1"]


class Flaky:
    """A table of steps that raises what it is given before it takes any."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.kept: list[FinishedStep] = []

    def write(self, steps: list[FinishedStep]) -> set[FinishedStep]:
        if self._errors:
            raise self._errors.pop(0)
        self.kept.extend(steps)
        return set()


def _of_postgres(kind: type[psycopg.Error], wrapped: type[sa.exc.DBAPIError]) -> Exception:
    return wrapped("INSERT", {}, kind("x"))


@pytest.mark.parametrize(
    "error",
    [
        sa.exc.TimeoutError(),
        _of_postgres(psycopg.OperationalError, sa.exc.OperationalError),
        _of_postgres(psycopg.errors.AdminShutdown, sa.exc.OperationalError),
        _of_postgres(psycopg.errors.DiskFull, sa.exc.OperationalError),
        _of_postgres(psycopg.errors.DeadlockDetected, sa.exc.OperationalError),
        _of_postgres(psycopg.errors.ReadOnlySqlTransaction, sa.exc.InternalError),
    ],
    ids=lambda each: type(getattr(each, "orig", None) or each).__name__,
)
async def test_what_heals_by_itself_is_waited_for_beyond_all_patience(error: Exception) -> None:
    table, said = Flaky(error, error), list[str | None]()
    journal = StepJournal(table, patience_seconds=0.0, told=said.append)  # type: ignore[arg-type]
    await journal.remember(step("a"))
    assert table.kept == [step("a")]
    assert (len(said), said[-1]) == (2, None)


async def test_steps_of_runs_that_ended_are_removed_after_the_time_that_they_are_kept(
    engine: sa.Engine,
) -> None:
    journal = journal_on(engine)
    for run in ("a", "d"):
        await asyncio.gather(*(journal.remember(step(run, f"s#{n}")) for n in range(5)))
    postgres = engine.dialect.name == "postgresql"
    table = "dbos.workflow_status" if postgres else "workflow_status"
    with engine.begin() as connection:
        ended = f"UPDATE {table} SET status = 'SUCCESS', owner_xid = NULL WHERE workflow_uuid = 'a'"
        connection.execute(sa.text(ended))
    assert retention_on(engine, keep_seconds=3600).sweep() == 0
    assert retention_on(engine).sweep() == 1
    assert journal.read("a") == {}
    assert len(journal.read("d")) == 5, "it goes on"
    assert retention_on(engine).sweep() == 0


async def test_steps_that_cannot_be_removed_are_told_once_and_when_they_can_again(
    engine: sa.Engine,
) -> None:
    said: list[str | None] = []
    retention = retention_on(engine, said)
    await retention.sweep_all()
    for given, taken in (("mandate_step", "elsewhere"), ("elsewhere", "mandate_step")):
        with engine.begin() as connection:
            connection.execute(sa.text(f"ALTER TABLE {given} RENAME TO {taken}"))
        await retention.sweep_all()
        await retention.sweep_all()
    assert [each is None for each in said] == [False, True]
    assert str(said[0]).startswith("steps of ended runs stay: ")
    assert "mandate_step" in str(said[0])
