"""The blob service held to `azure-storage-blob`, unmodified, over TLS."""

from __future__ import annotations

import os
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobBlock, BlobPrefix, ContainerClient, ContentSettings
from storage_kit import Account

from hybridmandate.durable.database import open_engine
from hybridmandate.twin.storage import StorageStore, blobs
from hybridmandate.twin.storage.conditions import Conditions
from hybridmandate.twin.storage.tables import Row


@pytest.fixture(name="container")
def _container(account: Account, name: str) -> ContainerClient:
    return account.blobs().create_container(name)


def test_a_blob_comes_back_as_it_went(container: ContainerClient) -> None:
    blob = container.get_blob_client("Invoices/Inbox/ä b #1.csv")
    written = blob.upload_blob(
        b"x,y\n",
        metadata={"origin": "mail"},
        content_settings=ContentSettings(
            content_type="text/csv", content_disposition="attachment", cache_control="no-store"
        ),
    )
    assert blob.download_blob().readall() == b"x,y\n"
    properties = blob.get_blob_properties()
    assert properties.etag == written["etag"]
    assert properties.size == 4
    assert properties.metadata == {"origin": "mail"}
    assert properties.content_settings.content_type == "text/csv"
    assert properties.content_settings.content_disposition == "attachment"
    assert properties.blob_type == "BlockBlob"


def test_an_empty_blob_can_be_read(container: ContainerClient) -> None:
    blob = container.upload_blob("empty", b"")
    assert blob.download_blob().readall() == b""


def test_large_content_goes_in_blocks_and_comes_in_ranges(account: Account, name: str) -> None:
    service = account.blobs(
        max_single_put_size=256 * 1024,
        max_block_size=256 * 1024,
        max_single_get_size=256 * 1024,
        max_chunk_get_size=256 * 1024,
    )
    container = service.create_container(name)
    data = os.urandom(3 * 1024 * 1024 + 17)
    blob = container.upload_blob("large", data, max_concurrency=3)
    committed, uncommitted = blob.get_block_list("all")
    assert (len(committed), uncommitted) == (13, [])
    assert blob.download_blob(max_concurrency=3).readall() == data
    assert blob.download_blob(offset=1_000_000, length=99).readall() == data[1_000_000:1_000_099]


def test_a_range_behind_the_end_is_refused(container: ContainerClient) -> None:
    blob = container.upload_blob("short", b"0123456789")
    assert blob.download_blob(offset=8, length=50).readall() == b"89"
    with pytest.raises(HttpResponseError) as error:
        blob.download_blob(offset=10, length=5)
    assert (error.value.status_code, error.value.error_code) == (416, "InvalidRange")  # type: ignore[attr-defined]


def test_blocks_wait_until_a_list_commits_them(container: ContainerClient) -> None:
    blob = container.get_blob_client("blocks")
    for block, data in (("aa", b"one"), ("bb", b"two"), ("cc", b"three")):
        blob.stage_block(block, data)
    with pytest.raises(ResourceNotFoundError):
        blob.download_blob()
    blob.commit_block_list([BlobBlock("bb"), BlobBlock("aa")])
    assert blob.download_blob().readall() == b"twoone"
    assert [each.id for each in blob.get_block_list("all")[0]] == ["bb", "aa"]
    assert blob.get_block_list("all")[1] == []
    blob.stage_block("dd", b"!")
    blob.commit_block_list([BlobBlock("aa"), BlobBlock("dd"), BlobBlock("bb")])
    assert blob.download_blob().readall() == b"one!two"
    with pytest.raises(HttpResponseError) as missing:
        blob.commit_block_list([BlobBlock("zz")])
    assert missing.value.error_code == "InvalidBlockList"  # type: ignore[attr-defined]


def test_conditions_guard_writes_and_readings(container: ContainerClient) -> None:
    blob = container.get_blob_client("guarded")
    first = blob.upload_blob(b"1")["etag"]
    with pytest.raises(ResourceExistsError) as there:
        blob.upload_blob(b"2")
    assert there.value.error_code == "BlobAlreadyExists"  # type: ignore[attr-defined]
    matched: dict[str, Any] = {
        "etag": first,
        "match_condition": MatchConditions.IfNotModified,
    }
    second = blob.upload_blob(b"2", overwrite=True, **matched)["etag"]
    assert second != first
    for attempt in (
        lambda: blob.upload_blob(b"3", overwrite=True, **matched),
        lambda: blob.delete_blob(**matched),
        lambda: blob.set_blob_metadata({"a": "b"}, **matched),
        lambda: blob.download_blob(**matched),
    ):
        with pytest.raises(ResourceModifiedError) as stale:
            attempt()
        assert (stale.value.status_code, stale.value.error_code) == (412, "ConditionNotMet")  # type: ignore[attr-defined]
    with pytest.raises(HttpResponseError) as unchanged:
        blob.download_blob(etag=second, match_condition=MatchConditions.IfModified)
    assert unchanged.value.status_code == 304
    long_ago = datetime.now(UTC) - timedelta(days=365)
    with pytest.raises(HttpResponseError) as newer:
        blob.delete_blob(if_unmodified_since=long_ago)
    assert newer.value.status_code == 412
    assert blob.download_blob(if_modified_since=long_ago).readall() == b"2"


def test_headers_and_metadata_change_without_the_content(container: ContainerClient) -> None:
    blob = container.upload_blob("note.txt", b"text")
    blob.set_http_headers(ContentSettings(content_type="text/plain"))
    blob.set_blob_metadata({"state": "read"})
    properties = blob.get_blob_properties()
    assert properties.content_settings.content_type == "text/plain"
    assert properties.metadata == {"state": "read"}
    assert blob.download_blob().readall() == b"text"


def test_lists_are_paged_filtered_and_folded_at_the_delimiter(container: ContainerClient) -> None:
    for name in ("a.csv", "in/1.csv", "in/2.csv", "in/old/3.csv", "out/4.csv", "IN/5.csv"):
        container.upload_blob(name, b"x", metadata={"n": name[-5]})
    pages = container.list_blobs(results_per_page=2).by_page()
    assert [[each.name for each in page] for page in pages] == [
        ["IN/5.csv", "a.csv"],
        ["in/1.csv", "in/2.csv"],
        ["in/old/3.csv", "out/4.csv"],
    ]
    under = container.list_blobs(name_starts_with="in/", include=["metadata"])
    assert [(each.name, each.metadata) for each in under] == [
        ("in/1.csv", {"n": "1"}),
        ("in/2.csv", {"n": "2"}),
        ("in/old/3.csv", {"n": "3"}),
    ]
    walked = list(container.walk_blobs(name_starts_with="in/"))
    assert {each.name for each in walked} == {"in/1.csv", "in/2.csv", "in/old/"}
    assert [each.name for each in walked if isinstance(each, BlobPrefix)] == ["in/old/"]


def test_containers_are_made_listed_and_removed(account: Account, name: str) -> None:
    service = account.blobs()
    container = service.create_container(name, metadata={"kind": "inbox"})
    assert container.get_container_properties().metadata == {"kind": "inbox"}
    with pytest.raises(ResourceExistsError) as twice:
        service.create_container(name)
    assert twice.value.error_code == "ContainerAlreadyExists"  # type: ignore[attr-defined]
    assert [each.name for each in service.list_containers(name_starts_with=name)] == [name]
    container.upload_blob("x", b"x")
    service.delete_container(name)
    with pytest.raises(ResourceNotFoundError) as gone:
        container.upload_blob("x", b"x")
    assert gone.value.error_code == "ContainerNotFound"  # type: ignore[attr-defined]
    service.create_container(name)
    assert list(container.list_blobs()) == []


def test_a_deleted_blob_is_gone(container: ContainerClient) -> None:
    blob = container.upload_blob("x", b"x")
    blob.delete_blob()
    assert not blob.exists()
    with pytest.raises(ResourceNotFoundError) as gone:
        blob.delete_blob()
    assert gone.value.error_code == "BlobNotFound"  # type: ignore[attr-defined]


def test_a_reader_reads_and_writes_nothing(account: Account, container: ContainerClient) -> None:
    container.upload_blob("x", b"x")
    own = account.blobs("reader").get_container_client(container.container_name)
    assert own.download_blob("x").readall() == b"x"
    for attempt in (
        lambda: own.upload_blob("y", b"y"),
        lambda: own.delete_blob("x"),
        own.delete_container,
    ):
        with pytest.raises(HttpResponseError) as refused:
            attempt()
        assert refused.value.error_code == "AuthorizationPermissionMismatch"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("x", {}, 400, "MissingRequiredHeader"),
        ("x", {"x-ms-blob-type": "PageBlob"}, 501, "NotImplemented"),
        ("x", {"x-ms-blob-type": "BlockBlob", "x-ms-copy-source": "u"}, 501, "NotImplemented"),
        (
            "x",
            {"x-ms-blob-type": "BlockBlob", "content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="},
            400,
            "Md5Mismatch",
        ),
        ("x", {"x-ms-blob-type": "BlockBlob", "content-md5": "short"}, 400, "InvalidHeaderValue"),
        ("x", {"x-ms-blob-type": "BlockBlob", "x-ms-meta-1": "a"}, 400, "InvalidMetadata"),
        (
            "x",
            {"x-ms-blob-type": "BlockBlob", "x-ms-meta-a": "b" * 8200},
            400,
            "MetadataTooLarge",
        ),
        (
            "x",
            {"x-ms-blob-type": "BlockBlob", "if-modified-since": "tomorrow"},
            400,
            "InvalidHeaderValue",
        ),
        ("x?comp=block&blockid=*", {}, 400, "InvalidQueryParameterValue"),
        ("x?comp=blocklist", {}, 400, "InvalidXmlDocument"),
        ("y" * 1025, {"x-ms-blob-type": "BlockBlob"}, 400, "InvalidUri"),
    ],
)
def test_bad_writes_are_refused_and_nothing_is_kept(
    account: Account,
    container: ContainerClient,
    path: str,
    headers: dict[str, str],
    status: int,
    code: str,
) -> None:
    place = f"/blob/{container.container_name}/{path}"
    answer = account.raw("PUT", place, headers=headers, content=b"content")
    assert (answer.status_code, answer.headers.get("x-ms-error-code")) == (status, code)
    assert list(container.list_blobs()) == []


def test_committed_blocks_are_bounded(
    container: ContainerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "MAX_BLOB_BYTES", 10)
    blob = container.get_blob_client("large")
    blob.stage_block("a", b"1234")
    with pytest.raises(HttpResponseError) as refused:
        blob.commit_block_list(["a"] * 3)
    assert (refused.value.status_code, refused.value.error_code) == (413, "RequestBodyTooLarge")
    assert not blob.exists()
    blob.commit_block_list(["a"] * 2)
    assert blob.download_blob().readall() == b"12341234"


def test_reading_sees_one_version_of_a_blob(tmp_path: Path) -> None:
    store = StorageStore(
        open_engine(f"sqlite:///{tmp_path}/storage.db"),
        clock=time.time,
        new_id=lambda: str(uuid.uuid4()),
    ).blobs
    store.create_container("inbox", {})

    def put(data: bytes) -> None:
        store.put("inbox", "a", blobs.Content(data, {}, {}), Conditions())

    put(b"first")
    writer = threading.Thread(target=put, args=(b"2nd",))

    def choose(row: Row) -> tuple[int, int]:
        writer.start()
        writer.join(0.2)
        return 0, row["size"]

    row, data = store.read("inbox", "a", choose)
    writer.join()
    assert (row["size"], data) == (5, b"first")
    assert store.properties("inbox", "a")["size"] == 3
