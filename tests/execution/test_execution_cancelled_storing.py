"""A call that is cancelled while files are kept: each is there whole and noted, or not at all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from execution_kit import Records

from hybridmandate.contracts import Caller
from hybridmandate.durable.database import open_engine
from hybridmandate.execution.files import (
    FileCatalogue,
    FileEntry,
    FileStore,
    GovernedFiles,
    LocalFileContent,
)
from hybridmandate.execution.files import content as content_module
from hybridmandate.execution.services.spreadsheets import ProfileLibrary, normalize, result_files
from hybridmandate.execution.uninterrupted import uninterrupted

EXAMPLE = Path(__file__).parents[2] / "examples" / "vendor-invoices"


class Gate:
    """Holds a thread where a test wants to cancel its caller."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()

    def pass_through(self) -> None:
        self.reached.set()
        assert self.open.wait(10)

    async def cancel_there(self, task: asyncio.Task[Any]) -> None:
        """Cancel a task while its thread is held, then let the thread go on."""
        assert await asyncio.to_thread(self.reached.wait, 10)
        task.cancel()
        await asyncio.sleep(0.05)
        self.open.set()
        with pytest.raises(asyncio.CancelledError):
            await task


class HeldCatalogue(FileCatalogue):
    """A catalogue that holds whoever adds an entry."""

    def __init__(self, folder: Path, gate: Gate) -> None:
        super().__init__(open_engine(f"sqlite:///{folder}/files.db"))
        self.open()
        self.gate = gate

    def add(self, entry: FileEntry) -> FileEntry:
        self.gate.pass_through()
        return super().add(entry)


class FailingCatalogue(FileCatalogue):
    """A catalogue whose database is away."""

    def add(self, entry: FileEntry) -> FileEntry:
        raise ConnectionError("away")


def store_over(folder: Path, catalogue: FileCatalogue) -> FileStore:
    return FileStore(
        content=LocalFileContent(folder / "files"),
        catalogue=catalogue,
        recorder=Records(),
        readers=frozenset(),
        limit_bytes=100,
        retention_seconds=60,
        handles=lambda: "f-" + "a" * 40,
    )


def one_call(store: FileStore) -> GovernedFiles:
    caller = Caller(object_id="oid", app_id="app", roles=frozenset())
    return store.for_call(caller=caller, correlation_id="c-1", call_key="call-1")


async def stream() -> AsyncIterator[bytes]:
    yield b"a,b\n1,2\n"


def kept(folder: Path) -> list[Path]:
    return [each for each in (folder / "files").rglob("*") if each.is_file()]


async def test_file_whose_call_ends_while_it_is_noted_is_there_whole(tmp_path: Path) -> None:
    gate = Gate()
    store = store_over(tmp_path, HeldCatalogue(tmp_path, gate))
    storing = one_call(store).store(stream(), content_type="text/csv", file_name=None)
    await gate.cancel_there(asyncio.create_task(storing))
    entry = store.catalogue.find("f-" + "a" * 40)
    assert entry is not None
    assert [each.read_bytes() for each in kept(tmp_path)] == [b"a,b\n1,2\n"]
    gate.reached.clear()
    again = await one_call(store).store(stream(), content_type="text/csv", file_name=None)
    assert again.handle == entry.handle


async def test_file_whose_call_ends_before_it_is_noted_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, publish = Gate(), content_module._publish

    def held(part: Path, target: Path) -> None:
        gate.pass_through()
        publish(part, target)

    monkeypatch.setattr(content_module, "_publish", held)
    catalogue = FileCatalogue(open_engine(f"sqlite:///{tmp_path}/files.db"))
    catalogue.open()
    store = store_over(tmp_path, catalogue)
    storing = one_call(store).store(stream(), content_type="text/csv", file_name=None)
    await gate.cancel_there(asyncio.create_task(storing))
    assert store.catalogue.find("f-" + "a" * 40) is None
    assert kept(tmp_path) == []


async def test_file_that_cannot_be_noted_leaves_nothing(tmp_path: Path) -> None:
    catalogue = FailingCatalogue(open_engine(f"sqlite:///{tmp_path}/files.db"))
    storing = one_call(store_over(tmp_path, catalogue)).store
    with pytest.raises(ConnectionError):
        await storing(stream(), content_type="text/csv", file_name=None)
    assert kept(tmp_path) == []


class Kept:
    """The part of a call that keeps results."""

    correlation_id = "c-1"

    def __init__(self, files: GovernedFiles) -> None:
        self.files = files


async def test_results_of_a_cancelled_call_are_whole_files_and_its_folder_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, write = Gate(), result_files.accepted_parquet

    def held(result: Any, target: Path) -> None:
        target.write_bytes(b"half")
        gate.pass_through()
        write(result, target)

    monkeypatch.setattr(result_files, "accepted_parquet", held)
    profile = ProfileLibrary.from_folder(EXAMPLE / "profiles").find("invoice")
    assert profile is not None
    result = normalize((EXAMPLE / "samples" / "01-clean.csv").read_bytes(), profile)
    catalogue = FileCatalogue(open_engine(f"sqlite:///{tmp_path}/files.db"))
    catalogue.open()
    store = FileStore(
        content=LocalFileContent(tmp_path / "files"),
        catalogue=catalogue,
        recorder=Records(),
        readers=frozenset(),
        limit_bytes=10_000,
        retention_seconds=60,
    )
    folder = tmp_path / "rows"
    folder.mkdir()
    call: Any = Kept(one_call(store))
    await gate.cancel_there(asyncio.create_task(result_files.store_result(call, result, folder)))
    assert list(folder.iterdir()) == []
    (whole,) = kept(tmp_path)
    assert len(whole.read_bytes().splitlines()) == 6
    assert catalogue.find(whole.name) is not None


async def test_cancelled_twice_work_still_ends_first() -> None:
    order: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0.05)
        order.append("worked")
        raise ValueError("nobody hears of it")

    task = asyncio.create_task(uninterrupted(work(), lambda: order.append("told")))
    for _ in range(2):
        await asyncio.sleep(0.01)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert order == ["told", "told", "worked"]
