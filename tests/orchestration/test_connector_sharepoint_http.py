"""'Send an HTTP request to SharePoint' and SharePoint's REST interface of the office stand-in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from office_kit import SITE, Office
from office_kit import office as served

from hybridmandate.orchestration.engine import Answer

PLAIN = "application/json;odata=nometadata"
VERBOSE = "application/json;odata=verbose"
LIST = "_api/web/lists/getbytitle('Vendors')"


@pytest.fixture(name="office")
def _office(tmp_path: Path) -> Iterator[Office]:
    with served(tmp_path) as started:
        started.store.library.add_folder("ap", "Shared Documents/Inbox")
        yield started


async def http(
    office: Office, method: str, uri: str, body: Any = None, accept: str = PLAIN, **headers: str
) -> Answer:
    given = {"Accept": accept, **{k.replace("_", "-"): v for k, v in headers.items()}}
    parameters = {
        "dataset": SITE,
        "parameters/method": method,
        "parameters/uri": uri,
        "parameters/headers": given,
    }
    if body is not None:
        parameters["parameters/body"] = body if isinstance(body, str) else json.dumps(body)
    return await office.call("shared_sharepointonline", "HttpRequest", parameters)


async def vendors(office: Office) -> None:
    await http(office, "POST", "_api/web/lists", {"__metadata": {}, "Title": "Vendors"})
    for number in (1, 2, 3):
        item = {"Title": f"V-{number}", "Amount": number * 10}
        made = await http(office, "POST", f"{LIST}/items", item)
        assert made.status == 201, made.body


async def test_a_list_is_made_with_fields_and_items(office: Office) -> None:
    made = await http(office, "POST", "_api/web/lists", {"Title": "Vendors"}, VERBOSE)
    assert made.body["d"]["Title"] == "Vendors"
    field = {"__metadata": {"type": "SP.Field"}, "Title": "Amount", "FieldTypeKind": 9}
    assert (await http(office, "POST", f"{LIST}/fields", field)).status == 201
    assert (await http(office, "POST", f"{LIST}/fields", field)).status == 500
    fields = await http(office, "GET", f"{LIST}/fields?$filter=ReadOnlyField eq false")
    assert "Amount" in [each["Title"] for each in fields.body["value"]]
    item = {"Title": "V-1", "Amount": 10}
    for _ in range(2):
        made = await http(office, "POST", f"{LIST}/items", item)
        assert (made.status, made.body["Id"], made.body["Amount"]) == (201, 1, 10)
    again = await http(office, "POST", "_api/web/lists", {"Title": "vendors"})
    assert again.status == 400


READS: list[tuple[str, Any]] = [
    (f"{LIST}/items?$select=Title&$filter=Amount gt 10", [{"Title": "V-2"}, {"Title": "V-3"}]),
    (f"{LIST}/items?$filter=substringof('v-3',Title)&$select=Id", [{"Id": 3}]),
    (f"{LIST}/items?$orderby=Amount desc&$top=1&$select=Title", [{"Title": "V-3"}]),
    (f"{LIST}/items?$filter=Created gt datetime'2999-01-01T00:00:00Z'", []),
    (f"{LIST}/items?$select=Title,Author/EMail&$expand=Author&$top=1",
     [{"Title": "V-1", "Author": {"EMail": None}}]),
]  # fmt: skip


async def test_items_are_read_as_the_query_says(office: Office) -> None:
    await vendors(office)
    for uri, expected in READS:
        assert (await http(office, "GET", uri)).body["value"] == expected, uri
    one = await http(office, "GET", f"/{LIST}/items(2)", accept=VERBOSE)
    assert one.body["d"]["Title"] == "V-2"
    assert one.body["d"]["__metadata"]["etag"]
    title = await http(office, "GET", "_api/Web/Lists/GetByTitle('Vendors')/Items(2)/Title")
    assert title.body == {"value": "V-2"}
    first = await http(office, "GET", f"{LIST}/items?$top=2")
    link = first.body["odata.nextLink"]
    rest = await http(office, "GET", link[link.index("_api") :])
    assert [each["Id"] for each in rest.body["value"]] == [3]


async def test_an_item_is_merged_and_deleted_under_its_version(office: Office) -> None:
    await vendors(office)
    uri = f"{LIST}/items(1)"
    etag = (await http(office, "GET", uri)).body["odata.etag"]
    merge = {"X_HTTP_Method": "MERGE"}
    assert (await http(office, "POST", uri, {"Amount": 1}, **merge)).status == 412
    loose = "{'Amount': 7, 'Note': 'it\\'s'}"
    assert (await http(office, "POST", uri, loose, IF_MATCH=etag, **merge)).status == 204
    assert (await http(office, "POST", uri, {"Amount": 1}, IF_MATCH=etag, **merge)).status == 412
    shown = (await http(office, "GET", uri)).body
    assert (shown["Title"], shown["Amount"], shown["Note"]) == ("V-1", 7, "it's")
    assert (await http(office, "PATCH", uri, {"Amount": 8}, If_Match="*")).status == 204
    gone = await http(office, "POST", uri, X_HTTP_Method="DELETE", IF_MATCH="*")
    assert gone.status == 200
    assert (await http(office, "GET", uri)).status == 404


async def test_form_values_are_written_and_told_back(office: Office) -> None:
    await vendors(office)
    values = {"formValues": [{"FieldName": "Title", "FieldValue": "new"}]}
    told = await http(office, "POST", f"{LIST}/items(1)/validateUpdateListItem", values)
    assert told.body["value"][0]["HasException"] is False
    assert (await http(office, "GET", f"{LIST}/items(1)/Title")).body["value"] == "new"


async def test_files_and_folders_go_by_their_paths(office: Office) -> None:
    folder = "_api/web/GetFolderByServerRelativeUrl('/sites/ap/Shared Documents/Inbox')"
    add = f"{folder}/Files/add(url='a b.txt',overwrite=false)"
    assert (await http(office, "POST", add, "hello")).body["Length"] == "5"
    assert (await http(office, "POST", add, "hello")).status == 400
    files = await http(office, "GET", f"{folder}/Files")
    path = files.body["value"][0]["ServerRelativeUrl"]
    assert path == "/sites/ap/Shared Documents/Inbox/a b.txt"
    file = f"_api/web/GetFileByServerRelativeUrl('{path}')"
    assert (await http(office, "GET", f"{file}/$value")).body == "hello"
    item = await http(office, "GET", f"{file}/ListItemAllFields")
    assert item.body["FileLeafRef"] == "a b.txt"
    done = {"ServerRelativeUrl": "/sites/ap/Shared Documents/Done"}
    assert (await http(office, "POST", "_api/web/folders", done)).status == 201
    there = "/sites/ap/Shared%20Documents/Done/b.txt"
    assert (await http(office, "POST", f"{file}/moveto(newurl='{there}',flags=1)")).status == 200
    assert (await http(office, "GET", file)).status == 404
    moved = f"_api/web/GetFileByServerRelativePath(decodedurl='{there}')"
    copy = f"{moved}/copyto(strnewurl='/sites/ap/Shared Documents/Inbox/c.txt',boverwrite=true)"
    assert (await http(office, "POST", copy)).status == 200
    assert (await http(office, "DELETE", moved)).status == 200
    folders = await http(office, "GET", folder.replace("/Inbox", "") + "/Folders")
    assert {each["Name"] for each in folders.body["value"]} == {"Done", "Inbox"}


async def test_answers_have_the_form_that_accept_asks_for(office: Office) -> None:
    await vendors(office)
    default = await office.call(
        "shared_sharepointonline",
        "HttpRequest",
        {"dataset": SITE, "parameters/method": "GET", "parameters/uri": "_api/web/title"},
    )
    assert default.body == {"d": {"Title": "ap"}}
    minimal = await http(office, "GET", f"{LIST}/items", accept="application/json")
    assert minimal.body["odata.metadata"].endswith("/_api/$metadata")
    missing = await http(office, "GET", "_api/web/lists/getbytitle('None')", accept=VERBOSE)
    assert missing.status == 404
    assert "does not exist" in missing.body["error"]["message"]["value"]
    digest = await http(office, "POST", "_api/contextinfo")
    assert digest.body["FormDigestValue"]


@pytest.mark.parametrize(
    "uri",
    [
        "_api/search/query?querytext='x'",
        "_api/web/sitegroups",
        "_api/web/lists/getbytitle('Vendors')/Views",
        "_api/web/lists/getbytitle('Vendors')/items?$apply=x",
    ],
)
async def test_what_is_not_simulated_fails_at_once_and_says_so(office: Office, uri: str) -> None:
    office.store.lists.add_list("ap", "Vendors")
    answer = await http(office, "GET", uri)
    assert (answer.fault, "not simulated" in (answer.message or "")) == ("refused", True)


@pytest.mark.parametrize(
    ("method", "uri", "headers", "message"),
    [
        ("GET", "https://elsewhere.example/_api/web", {}, "below the site"),
        ("GET", "_api/../../other/_api/web", {}, "below the site"),
        ("TRACE", "_api/web", {}, "one of GET"),
        ("GET", "_api/web", {"Authorization": "Bearer x"}, "an action may not"),
    ],
)
async def test_requests_that_may_not_be_sent_are_refused(
    office: Office, method: str, uri: str, headers: dict[str, str], message: str
) -> None:
    answer = await http(office, method, uri, **headers)
    assert (answer.fault, message in (answer.message or "")) == ("refused", True)


UNREADABLE = [
    ("GET", "_api/web/lists(", None, {}),
    ("GET", "_api/" + "web/" * 13, None, {}),
    ("GET", f"{LIST}/items?$filter=Amount", None, {}),
    ("GET", f"{LIST}/items?$top=x", None, {}),
    ("GET", f"{LIST}/items('x')", None, {}),
    ("POST", f"{LIST}/items", "no json", {}),
    ("POST", f"{LIST}/items", {"ID": 4}, {}),
    ("GET", f"{LIST}/items", None, {"X_HTTP_Method": "DELETE"}),
]


async def test_what_cannot_be_read_is_400(office: Office) -> None:
    office.store.lists.add_list("ap", "Vendors")
    for method, uri, body, headers in UNREADABLE:
        assert (await http(office, method, uri, body, **headers)).status == 400, uri
