"""Rows of tables in real workbooks reach a flow."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from test_flow_connectors import send
from trigger_kit import AnyToken, free_listener, numbered, serving, settings

from hybridmandate.durable.database import open_engine
from hybridmandate.twin.office import OfficeSettings, OfficeStore, create_app

EXCEL = "shared_excelonlinebusiness"
SOURCE = "https://contoso.sharepoint.com/sites/ap"


def workbook(rows: int) -> bytes:
    data = io.BytesIO()
    book = xlsxwriter.Workbook(data, {"default_date_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet("Data")
    cells: list[list[Any]] = [[n, f"Vendor {n}", n + 0.5, None, n % 2 == 0] for n in range(rows)]
    cells[0][3] = datetime(2026, 1, 31, 12)  # noqa: DTZ001 - a cell has no time zone
    sheet.add_table(
        2,
        1,
        rows + 2,
        5,
        {
            "name": "Vendors",
            "data": cells,
            "columns": [{"header": each} for each in ("No", "Name", "Share", "Since", "Even")],
        },
    )
    book.close()
    return data.getvalue()


@pytest.fixture(name="office")
def _office(tmp_path: Path) -> Iterator[tuple[str, OfficeStore]]:
    listener, address = free_listener()
    store = OfficeStore(
        open_engine(f"sqlite:///{tmp_path}/office.db"), clock=time.time, new_id=numbered()
    )
    app = create_app(
        OfficeSettings(address), store, AnyToken(), AnyToken(), new_request_id=lambda: "r"
    )
    with serving(app, listener):
        yield address, store


def stored(store: OfficeStore, content: bytes) -> dict[str, str]:
    store.library.add_folder("ap", "Books")
    row = store.library.put_file(
        "ap", "Books", "b.xlsx", content, content_type="x", author={}, on_conflict="replace"
    )
    return {"source": SOURCE, "drive": "b!1", "file": row["id"], "table": "vendors"}


async def test_rows_come_with_their_headers_as_texts(office: tuple[str, OfficeStore]) -> None:
    address, store = office
    answer = await send(settings(EXCEL, address), "GetItems", stored(store, workbook(3)))
    first, second, _ = answer.body["value"]
    assert first == {
        "@odata.etag": "",
        "ItemInternalId": "0",
        "No": "0",
        "Name": "Vendor 0",
        "Share": "0.5",
        "Since": "46053.5",
        "Even": "TRUE",
    }
    assert (second["Since"], second["Even"]) == ("", "FALSE")


@pytest.mark.parametrize(
    ("query", "pagination", "numbers"),
    [
        ({}, None, range(256)),
        ({}, 290, range(290)),
        ({}, 5000, range(300)),
        ({"$top": 2, "$skip": 10}, None, range(10, 12)),
        ({"$skip": 299}, None, range(299, 300)),
        ({"$skip": 400}, None, range(0)),
    ],
)
async def test_rows_are_cut_as_asked(
    office: tuple[str, OfficeStore],
    query: dict[str, int],
    pagination: int | None,
    numbers: range,
) -> None:
    address, store = office
    place = {**stored(store, workbook(300)), **query}
    answer = await send(settings(EXCEL, address), "GetItems", place, pagination=pagination)
    assert [int(each["No"]) for each in answer.body["value"]] == list(numbers)


@pytest.mark.parametrize(
    ("content", "change", "status"),
    [
        (b"", {}, 400),
        (b"PK\x03\x04 no workbook", {}, 400),
        (b"x" * (25 * 1024 * 1024 + 1), {}, 400),
        (workbook(1), {"table": "Other"}, 404),
        (workbook(1), {"file": "none"}, 404),
    ],
)
async def test_what_is_no_table_is_refused(
    office: tuple[str, OfficeStore], content: bytes, change: dict[str, str], status: int
) -> None:
    address, store = office
    place = {**stored(store, content), **change}
    assert (await send(settings(EXCEL, address), "GetItems", place)).status == status


async def test_a_filter_is_refused_rather_than_ignored(office: tuple[str, OfficeStore]) -> None:
    address, store = office
    place = {**stored(store, workbook(1)), "$filter": "No eq '0'"}
    answer = await send(settings(EXCEL, address), "GetItems", place)
    assert "not simulated" in str(answer.message)
