"""The data gateway's process is killed at bad moments; the call is repeated; each row is one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from data_gateway_kit import ALL, EXAMPLE, ID, Kept, Tokens, invoice, statuses
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hybridmandate.durable.database import open_engine
from hybridmandate.twin import dataverse

WORKER = Path(__file__).with_name("data_gateway_worker.py")
pytestmark = [pytest.mark.kill, pytest.mark.slow]


class HoldsAnswers:
    """Holds back the answer to a batch that is done: the moment between change set and answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.batches = 0
        self.hold_at = 0
        """Which batch, counted from 1, is held until released; 0 holds none."""
        self.held = threading.Event()
        self.released = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["path"].endswith("/$batch"):
                self.batches += 1
                if self.batches == self.hold_at:
                    self.held.set()
                    while not self.released.is_set():
                        await asyncio.sleep(0.01)
            await send(message)

        await self._app(scope, receive, sent)


class Dataverse:
    """The stand-in on a port of this process; it outlives every data gateway."""

    def __init__(self, folder: Path) -> None:
        self.store = dataverse.DataverseStore(
            open_engine(f"sqlite:///{folder}/dataverse.db"), EXAMPLE / "tables", clock=time.time
        )
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{bound.getsockname()[1]}"
        privileges = {"hm_invoice": ALL, "hm_vendor": ALL, "hm_jobrecord": ALL}
        app = dataverse.create_app(
            dataverse.DataverseSettings(self.origin, "org", {"app-data": privileges}),
            self.store,
            Tokens(),
            Kept(),
        )
        self.answers = HoldsAnswers(app)
        self._server = uvicorn.Server(uvicorn.Config(self.answers, log_level="critical"))
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._server.serve(sockets=[bound]))
        )
        self._thread.start()
        wait_for(lambda: self._server.started)

    def close(self) -> None:
        self.answers.released.set()
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()

    def rows(self, table: str) -> list[dict[str, Any]]:
        definition = self.store.tables[table]
        with self.store.transaction() as rows:
            return [dict(row) for row in rows.query(definition, None, [], limit=9999, offset=0)]

    def records(self) -> set[str]:
        """The records in the ledger."""
        return {row["hm_record"] for row in self.rows("hm_jobrecords")}

    def assert_each_record_once(self, count: int) -> None:
        """All ``count`` records are there once; table and ledger agree to the letter."""
        assert self.records() == {f"V-10001|{n}" for n in range(count)}
        self.assert_agreed(count)

    def assert_agreed(self, count: int) -> None:
        """Table and ledger hold ``count`` rows each, and say the same."""
        rows = {row["hm_invoiceid"]: row for row in self.rows("hm_invoices")}
        ledger = self.rows("hm_jobrecords")
        assert len(rows) == len(ledger) == count
        assert {row["hm_rowid"] for row in ledger} == set(rows)
        for each in ledger:
            after = json.loads(each["hm_after"])
            row = rows[each["hm_rowid"]]
            assert {name: row[name] for name in after} == after


class Call(threading.Thread):
    """A call that goes on beside the test; ``answer`` stays None when it was broken off."""

    def __init__(self, send: Callable[[], httpx.Response]) -> None:
        super().__init__()
        self._send = send
        self.answer: httpx.Response | None = None

    def run(self) -> None:
        with contextlib.suppress(httpx.TransportError):
            self.answer = self._send()


class Process:
    """The data gateway as a process, started again after each kill."""

    def __init__(self, origin: str, batch: int) -> None:
        self._origin, self._batch = origin, batch
        self._running: subprocess.Popen[bytes] | None = None
        self._port = 0

    def start(self) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self._port = found.getsockname()[1]
        self._running = subprocess.Popen(
            [sys.executable, str(WORKER), str(self._port), self._origin, str(self._batch)]
        )
        wait_for(self._ready)

    def kill(self) -> None:
        if self._running is not None:
            self._running.kill()
            self._running.wait(timeout=10)

    def commit(self, count: int) -> httpx.Response:
        body = {"job": "job-kill", "records": [invoice(n) for n in range(count)]}
        headers = {
            "authorization": "Bearer gateway",
            "x-correlation-id": ID,
            "x-mandate-principal": "oid-flow",
            "x-mandate-app": "app-flow",
            "x-mandate-roles": "Data.Commit.Invoices",
        }
        url = f"http://127.0.0.1:{self._port}/commits/invoices/v1"
        return httpx.post(url, json=body, headers=headers, timeout=60)

    def commit_meanwhile(self, count: int) -> Call:
        """A call in a thread of its own, which a kill may break off."""
        call = Call(lambda: self.commit(count))
        call.start()
        return call

    def _ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self._port}/health/ready").status_code == 200
        except httpx.TransportError:
            return False


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture(name="dataverse_")
def _dataverse(tmp_path: Path) -> Iterator[Dataverse]:
    found = Dataverse(tmp_path)
    yield found
    found.close()


@pytest.fixture(name="process")
def _process(dataverse_: Dataverse) -> Iterator[Process]:
    found = Process(dataverse_.origin, batch=20)
    found.start()
    yield found
    found.kill()


@pytest.mark.parametrize("batch", [1, 3])
def test_killed_between_change_set_and_answer(
    dataverse_: Dataverse, process: Process, batch: int
) -> None:
    dataverse_.answers.hold_at = batch
    call = process.commit_meanwhile(60)
    assert dataverse_.answers.held.wait(20)
    # The change set is done, nobody has been told.
    dataverse_.assert_agreed(batch * 20)
    process.kill()
    call.join()
    assert call.answer is None
    dataverse_.answers.released.set()
    process.start()
    answer = process.commit(60)
    assert answer.status_code == 200
    found = statuses(answer)
    assert (found.count("alreadyProcessed"), found.count("created")) == (
        batch * 20,
        60 - batch * 20,
    )
    dataverse_.assert_each_record_once(60)


def test_killed_again_and_again_until_all_is_done(dataverse_: Dataverse, process: Process) -> None:
    # The moments differ from run to run on purpose; the seed is told when it fails.
    seed = random.SystemRandom().randrange(10**6)
    moments = random.Random(seed)
    broken_off = 0
    for _ in range(3):
        wanted = dataverse_.answers.batches + 1
        call = process.commit_meanwhile(300)
        while dataverse_.answers.batches < wanted and call.is_alive():
            time.sleep(0.005)
        time.sleep(moments.uniform(0, 0.1))
        process.kill()
        call.join()
        broken_off += call.answer is None
        process.start()
    assert broken_off, f"seed {seed}: no kill came in time"
    answer = process.commit(300)
    assert answer.status_code == 200, f"seed {seed}"
    assert set(statuses(answer)) <= {"alreadyProcessed", "created"}, f"seed {seed}"
    dataverse_.assert_each_record_once(300)
