"""The governed file store: through its operations, and underneath."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from execution_kit import CORRELATION, Records, Service, as_gateway, running
from sample_operations import Effects, registry, unavailable

from hybridmandate.execution.files import FileCatalogue, FileStore, FileTooLarge, LocalFileContent
from hybridmandate.execution.files.content import HANDLE
from hybridmandate.local.operations import shipped_operations

CSV = b"a,b\n1,2\n" * 1000
SENT: dict[str, str | None] = {
    "content-type": "text/csv",
    "x-file-name": "Rechnungen%20M%C3%A4rz.csv",
}


async def stored(service: Service, **headers: str) -> dict[str, Any]:
    answer = await service.call("files.store", content=CSV, headers={**SENT, **headers})
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()["data"]
    return data


async def read(service: Service, handle: str, **headers: str) -> httpx.Response:
    return await service.call("files.read", {"handle": handle}, headers=dict(headers))


async def test_stored_file_comes_back_as_it_was_sent(service: Service) -> None:
    data = await stored(service)
    assert data["digest"] == hashlib.sha256(CSV).hexdigest()
    assert data["size"] == len(CSV)
    assert data["contentType"] == "text/csv"
    assert data["fileName"] == "Rechnungen März.csv"
    answer = await read(service, data["handle"])
    assert answer.content == CSV
    assert answer.headers["content-type"] == "text/csv"
    assert answer.headers["content-length"] == str(len(CSV))
    assert answer.headers["x-file-digest"] == data["digest"]
    assert answer.headers["x-correlation-id"] == CORRELATION
    assert answer.headers["content-disposition"].endswith("Rechnungen%20M%C3%A4rz.csv")
    [finished] = [r for r in service.records.of("call.finished") if r.subject == "files.read/1"]
    assert finished.bytes_out == len(CSV)
    [evidence] = service.records.of("file.read")
    assert evidence.detail["fileCorrelationId"] == CORRELATION


async def test_replayed_upload_gives_the_same_handle_and_keeps_one_file(service: Service) -> None:
    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(CSV), 999):
            yield CSV[start : start + 999]

    first = await stored(service)
    again = await service.call("files.store", content=in_pieces(), headers=SENT)
    assert again.json()["replayed"] is True
    assert again.json()["data"]["handle"] == first["handle"]
    assert len(contents(service)) == 1
    other_name = await stored(service, **{"x-file-name": "other.csv"})
    assert other_name["handle"] != first["handle"]


async def test_handles_cannot_be_guessed(service: Service) -> None:
    handles = [
        (await stored(service, **{"x-correlation-id": f"transaction-{n}"}))["handle"]
        for n in range(10)
    ]
    assert all(HANDLE.fullmatch(each) for each in handles)
    # 160 random bits: the same content in ten transactions shares no beginning.
    assert len({each[:10] for each in handles}) == 10


async def test_only_owner_and_listed_readers_may_read(tmp_path: Path, effects: Effects) -> None:
    async with running(
        tmp_path, registry(effects), file_readers=frozenset({"app-reviewer"})
    ) as service:
        data = await stored(service)
        assert (await read(service, data["handle"])).status_code == 200
        reviewer = as_gateway(app="app-reviewer", correlation="a-later-look")
        assert (await read(service, data["handle"], **reviewer)).status_code == 200
        stranger = await read(service, data["handle"], **as_gateway(app="app-stranger"))
        assert stranger.status_code == 403
        assert stranger.json()["failure"]["reason"] == "file.not_a_reader"
        [refused] = service.records.of("file.refused")
        assert (refused.principal, refused.detail["reason"]) == (
            "oid-app-stranger",
            "file.not_a_reader",
        )


@pytest.mark.parametrize(
    "handle",
    ["f-" + "0" * 40, "../../etc/passwd", "f-../../x", "/etc/passwd", "", "f-\x00", "a" * 500],
)
async def test_unknown_and_crooked_handles_are_not_found(service: Service, handle: str) -> None:
    answer = await read(service, handle)
    assert answer.status_code == 404
    assert answer.json()["failure"]["reason"] == "file.unknown"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("report.csv", "report.csv"),
        ("..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("C%3A%5CUsers%5Cada%5Cbook.xlsx", "book.xlsx"),
    ],
)
async def test_file_name_is_a_label_without_its_path(
    service: Service, sent: str, kept: str
) -> None:
    assert (await stored(service, **{"x-file-name": sent}))["fileName"] == kept


@pytest.mark.parametrize("sent", ["%ff", "a%00b", "a%0d%0aSet-Cookie:x", "x" * 300])
async def test_unusable_file_name_is_refused(service: Service, sent: str) -> None:
    answer = await service.call("files.store", content=CSV, headers={**SENT, "x-file-name": sent})
    assert answer.status_code == 400
    assert answer.json()["failure"]["reason"] == "file_name.invalid"
    assert contents(service) == []


async def test_file_over_the_store_limit_leaves_nothing(tmp_path: Path, effects: Effects) -> None:
    async with running(tmp_path, registry(effects), file_bytes=100) as service:
        answer = await service.call("files.store", content=CSV, headers=SENT)
        assert answer.status_code == 413
        assert answer.json()["failure"]["reason"] == "file.limit"
        assert contents(service) == []


def test_solution_raises_the_limit_of_a_file_and_the_time_to_send_it() -> None:
    for max_size, seconds in (("32 MiB", 60), ("96 MiB", 96), ("1 GiB", 110)):
        found = {each.ref.operation: each for each in shipped_operations(None, max_size)}
        limits = found["files.store"].limits
        assert (limits.payload, limits.timeout_seconds) == (max_size, seconds)
        assert found["files.read"].limits.payload == "4 KiB"


async def test_upload_larger_than_memory_is_spooled_and_whole(service: Service) -> None:
    body = bytes(range(256)) * 16 * 1024
    answer = await service.call(
        "files.store", content=body, headers={"content-type": "application/octet-stream"}
    )
    handle = answer.json()["data"]["handle"]
    assert (await read(service, handle)).content == body
    assert list((service.folder / "spool").iterdir()) == []


async def test_call_that_runs_again_does_not_double_its_files(
    service: Service, effects: Effects
) -> None:
    effects.fail_with = [unavailable()]
    assert (await service.call("test.writes", {"text": "x"})).status_code == 503
    assert (await service.call("test.writes", {"text": "x"})).status_code == 200
    assert len(contents(service)) == 2
    assert [r.outcome for r in service.records.of("file.stored")] == [
        "succeeded",
        "succeeded",
        "replayed",
        "replayed",
    ]


async def test_file_past_its_retention_is_gone_and_cleaned_up(
    tmp_path: Path, effects: Effects
) -> None:
    async with running(tmp_path, registry(effects), file_retention_seconds=100.0) as service:
        data = await stored(service)
        service.clock.offset = 101
        assert (await read(service, data["handle"])).status_code == 404
        assert len(contents(service)) == 1
        store = FileStore(
            content=LocalFileContent(tmp_path / "files"),
            catalogue=FileCatalogue(service.engine),
            recorder=Records(),
            readers=frozenset(),
            limit_bytes=1,
            retention_seconds=1,
            clock=service.clock,
        )
        assert await store.clean_up() == 1
        assert await store.clean_up() == 0
        assert contents(service) == []


async def test_stream_that_breaks_leaves_no_readable_file(tmp_path: Path) -> None:
    content = LocalFileContent(tmp_path)
    handle = "f-" + "a" * 40

    async def breaks() -> AsyncIterator[bytes]:
        yield b"half of"
        raise ConnectionResetError

    async def long() -> AsyncIterator[bytes]:
        yield b"12345"
        yield b"67890"

    with pytest.raises(ConnectionResetError):
        await content.write(handle, breaks(), limit=100)
    with pytest.raises(FileTooLarge):
        await content.write(handle, long(), limit=9)
    with pytest.raises(FileNotFoundError):
        await content.local_path(handle)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


async def test_what_a_dead_process_left_half_written_is_swept(tmp_path: Path) -> None:
    content = LocalFileContent(tmp_path)
    (tmp_path / "incoming" / "f-left.123").write_bytes(b"half")
    assert await content.sweep(time.time()) == 0
    assert await content.sweep(time.time() + 7200) == 1
    assert list((tmp_path / "incoming").iterdir()) == []


@pytest.mark.parametrize("handle", ["../x", "f-" + "A" * 40, "f-" + "a" * 40 + "/../x", "incoming"])
async def test_content_never_follows_a_crooked_handle(tmp_path: Path, handle: str) -> None:
    (tmp_path / "x").write_text("secret")
    content = LocalFileContent(tmp_path / "store")
    with pytest.raises(FileNotFoundError):
        await content.local_path(handle)


def contents(service: Service) -> list[Path]:
    return [p for p in (service.folder / "files").rglob("*") if p.is_file()]
