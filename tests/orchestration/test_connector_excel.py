"""Rows of tables in real workbooks reach a flow."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import openpyxl
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


QUERIES: list[tuple[dict[str, Any], list[str]]] = [
    ({"$filter": "No eq '3'"}, ["3"]),
    ({"$filter": "No ge 7 and Even eq 'TRUE'"}, ["8"]),
    ({"$filter": "No eq 1 or startswith(Name,'Vendor 8')"}, ["1", "8"]),
    ({"$filter": "contains(Name,'dor 2') or endswith(Name,' 4')"}, ["2", "4"]),
    ({"$filter": "No lt 4", "$orderby": "No desc", "$top": 2, "$skip": 1}, ["2", "1"]),
    ({"$orderby": "Name desc", "$top": 1}, ["9"]),
    ({"$filter": "Name eq 'it''s'"}, []),
]
UNREADABLE = ["No", "No eq", "Nobody eq 1", "(No eq 1)", "No eq 1 and", "x" * 5_000]


async def test_rows_are_filtered_ordered_and_selected(office: tuple[str, OfficeStore]) -> None:
    address, store = office
    place = stored(store, workbook(10))
    excel = settings(EXCEL, address)
    for query, numbers in QUERIES:
        answer = await send(excel, "GetItems", {**place, **query})
        assert [each["No"] for each in answer.body["value"]] == numbers, query
    chosen = await send(excel, "GetItems", {**place, "$select": "Name", "$top": 1})
    assert chosen.body["value"] == [{"@odata.etag": "", "ItemInternalId": "0", "Name": "Vendor 0"}]
    for text in UNREADABLE:
        answer = await send(excel, "GetItems", {**place, "$filter": text})
        assert answer.fault == "refused", text
    dated = await send(excel, "GetItems", {**place, "dateTimeFormat": "ISO 8601"})
    assert "Serial Number" in str(dated.message)


async def test_rows_are_added_changed_and_removed_in_the_file(
    office: tuple[str, OfficeStore],
) -> None:
    address, store = office
    place = stored(store, workbook(3))
    excel = settings(EXCEL, address)
    new = {**place, "item/No": 7, "item/Name": "Ärger & <Co>", "item/Even": True}
    added = await send(excel, "AddRowV2", new)
    assert (added.body["Name"], added.body["Share"]) == ("Ärger & <Co>", "")
    key = {**place, "idColumn": "No", "id": "1"}
    changed = await send(excel, "PatchItem", {**key, "item/Name": "One", "item/Share": ""})
    assert (changed.body["Name"], changed.body["Share"], changed.body["No"]) == ("One", "", "1")
    assert (await send(excel, "GetItem", {**key, "id": "7"})).body["Even"] == "TRUE"
    assert (await send(excel, "DeleteItem", {**key, "id": "0"})).status == 204
    rows = (await send(excel, "GetItems", place)).body["value"]
    assert [(each["No"], each["Name"]) for each in rows] == [
        ("1", "One"),
        ("2", "Vendor 2"),
        ("7", "Ärger & <Co>"),
    ]
    file = store.library.file("ap", place["file"])
    assert file is not None
    sheet = openpyxl.load_workbook(io.BytesIO(file["content"]))["Data"]
    assert sheet.tables["Vendors"].ref == "B3:F6"
    assert [cell.value for cell in sheet["B"]][2:] == ["No", 1, 2, 7]
    for operation in ("GetItem", "PatchItem", "DeleteItem"):
        gone = {**key, "id": "0", "item/Name": "x"}
        assert (await send(excel, operation, gone)).status == 404


async def test_the_last_row_stays_as_an_empty_one(office: tuple[str, OfficeStore]) -> None:
    address, store = office
    place = {**stored(store, workbook(1)), "idColumn": "No", "id": "0"}
    excel = settings(EXCEL, address)
    assert (await send(excel, "DeleteItem", place)).status == 204
    (row,) = (await send(excel, "GetItems", place)).body["value"]
    assert {row[name] for name in ("No", "Name", "Since")} == {""}


async def test_rows_that_do_not_fit_are_refused(office: tuple[str, OfficeStore]) -> None:
    address, store = office
    data = io.BytesIO()
    book = xlsxwriter.Workbook(data)
    sheet = book.add_worksheet()
    sheet.add_table(0, 0, 1, 0, {"name": "Vendors", "columns": [{"header": "No"}]})
    sheet.write(2, 0, "below")
    book.close()
    place = stored(store, data.getvalue())
    excel = settings(EXCEL, address)
    assert (await send(excel, "AddRowV2", {**place, "item/No": 1})).status == 409
    unknown = await send(excel, "AddRowV2", {**place, "item/Other": 1})
    assert "no column 'Other'" in str(unknown.message)
    tables = await send(excel, "GetTables", place)
    sheets = await send(excel, "GetAllWorksheets", place)
    assert [each.body["value"][0]["name"] for each in (tables, sheets)] == ["Vendors", "Sheet1"]
