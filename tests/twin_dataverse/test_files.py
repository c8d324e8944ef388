"""File columns in raw HTTP: whole, in chunks, in part."""

from pathlib import Path
from typing import Any

import pytest
from dataverse_wire import API, ID, ORDERS, ORIGIN, Organisation, row_id

CHUNK = 4 * 1024 * 1024


@pytest.fixture(name="org")
def _org(tmp_path: Path) -> Organisation:
    return Organisation(tmp_path, tables=ORDERS)


async def _file(org: Organisation) -> str:
    order = await row_id(org, "hm_orders", {"hm_number": "1"})
    return f"hm_orders({order})/hm_document"


async def test_file_is_uploaded_read_and_deleted(org: Organisation) -> None:
    path = await _file(org)
    assert (await org.send("GET", f"{path}/$value")).status_code == 204
    put = await org.send("PATCH", path, b"\x00abc", x_ms_file_name="a b.txt")
    assert put.status_code == 204
    whole = await org.send("GET", f"{path}/$value")
    assert (whole.status_code, whole.content) == (200, b"\x00abc")
    assert whole.headers["x-ms-file-name"] == "a%20b.txt"
    assert (await org.send("GET", path)).json()["value"] == "AGFiYw=="
    part = await org.send("GET", f"{path}/$value", range="bytes=1-2")
    assert (part.status_code, part.content) == (206, b"ab")
    assert part.headers["content-range"] == "bytes 1-2/4"
    row = (await org.send("GET", "hm_orders?$select=hm_document")).json()["value"][0]
    assert row["hm_document_name"] == "a b.txt"
    assert (await org.send("DELETE", path)).status_code == 204
    assert (await org.send("GET", f"{path}/$value")).status_code == 204
    row = (await org.send("GET", "hm_orders")).json()["value"][0]
    assert (row["hm_document"], row["hm_document_name"]) == (None, None)


async def test_chunks_make_the_file_when_the_last_has_come(org: Organisation) -> None:
    path = await _file(org)
    begun = await org.send(
        "PATCH", f"{path}?x-ms-file-name=big.bin", b"", x_ms_transfer_mode="chunked"
    )
    assert (begun.status_code, begun.headers["x-ms-chunk-size"]) == (200, str(CHUNK))
    place = begun.headers["location"].removeprefix(ORIGIN + API)
    data = bytes(range(256)) * (CHUNK // 256) + b"tail"
    first = await org.send(
        "PATCH", place, data[:CHUNK], content_range=f"bytes 0-{CHUNK - 1}/{len(data)}"
    )
    assert first.status_code == 206
    assert (await org.send("GET", f"{path}/$value")).status_code == 204
    last = await org.send(
        "PATCH", place, data[CHUNK:], content_range=f"bytes {CHUNK}-{CHUNK + 3}/{len(data)}"
    )
    assert last.status_code == 204
    assert (await org.send("GET", f"{path}/$value")).content == data
    again = await org.send(
        "PATCH", place, data[CHUNK:], content_range=f"bytes {CHUNK}-{CHUNK + 3}/{len(data)}"
    )
    assert again.status_code == 400


@pytest.mark.parametrize(
    ("content_range", "data"),
    [
        ("", b"abcd"),
        ("bytes 1-4/8", b"abcd"),
        ("bytes 0-4/8", b"abcd"),
        ("bytes 0-3/3", b"abcd"),
        ("bytes 0-3/*", b"abcd"),
        ("bytes 3-0/8", b"abcd"),
    ],
)
async def test_chunk_that_does_not_follow_is_refused(
    org: Organisation, content_range: str, data: bytes
) -> None:
    path = await _file(org)
    begun = await org.send("PATCH", path, b"", x_ms_transfer_mode="chunked", x_ms_file_name="a")
    place = begun.headers["location"].removeprefix(ORIGIN + API)
    answer = await org.send("PATCH", place, data, content_range=content_range)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "0x80060888")


@pytest.mark.parametrize(
    ("headers", "data", "status"),
    [
        ({}, b"a", 400),
        ({"x_ms_file_name": "n" * 256}, b"a", 400),
        ({"x_ms_file_name": "a"}, b"a" * (9_000 * 1024 + 1), 413),
        ({"x_ms_file_name": "a", "if_match": 'W/"999"'}, b"a", 412),
        ({"x_ms_file_name": "a", "authorization": "Bearer nothing"}, b"a", 403),
    ],
)
async def test_wrong_upload_is_refused(
    org: Organisation, headers: dict[str, Any], data: bytes, status: int
) -> None:
    path = await _file(org)
    assert (await org.send("PATCH", path, data, **headers)).status_code == status
    assert (await org.send("GET", f"{path}/$value")).status_code == 204


async def test_upload_for_an_empty_column_keeps_a_file_that_is_there(org: Organisation) -> None:
    path = await _file(org)
    await org.send("PATCH", path, b"first", x_ms_file_name="a")
    second = await org.send("PATCH", path, b"second", x_ms_file_name="b", if_none_match="null")
    assert second.status_code == 412
    assert (await org.send("GET", f"{path}/$value")).content == b"first"


async def test_file_of_a_row_that_is_gone_is_gone(org: Organisation) -> None:
    path = await _file(org)
    await org.send("PATCH", path, b"first", x_ms_file_name="a")
    await org.send("DELETE", path.partition("/")[0])
    assert (await org.send("GET", f"{path}/$value")).status_code == 404
    assert (await org.send("PATCH", f"hm_orders({ID})/hm_document", b"a")).status_code == 404
    with org.store.reading() as rows:
        row = path.partition("(")[2].partition(")")[0]
        assert org.store.files.find(rows.connection, row, "hm_document") is None
