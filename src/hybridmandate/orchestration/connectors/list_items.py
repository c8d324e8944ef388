"""Items of SharePoint lists over Microsoft Graph v1.0, shown as the SharePoint connector does.

Graph keeps an item's columns under ``fields``; the connector shows them flat. Expressions of
``$filter`` and ``$orderby`` name columns as SharePoint does and are put under ``fields/`` here.
Source: learn.microsoft.com/graph/api/listitem-list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from hybridmandate.orchestration.connectors.drive_items import shaped
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import ServiceSession
from hybridmandate.orchestration.engine import Answer

MAX_PAGE = 5_000
"""The most items of a page (learn.microsoft.com/connectors/sharepointonline); pagination asks for
more, as far as the environment's profile lets it, which the engine checks."""
DEFAULT_ITEMS = 100
"""What GetItems gives without ``$top`` and pagination."""
_TOKEN = re.compile(r"'(?:[^']|'')*'|[A-Za-z_][A-Za-z0-9_]*|.", re.DOTALL)
_WORDS = frozenset(
    {"and", "or", "not", "eq", "ne", "gt", "ge", "lt", "le", "null", "true", "false", "asc", "desc"}
    | {"startswith", "contains"}
)


async def items_page(session: ServiceSession, items: str, call: OperationCall) -> Answer:
    """The items of a list, as far as ``$top`` and the action's pagination say."""
    answer = await read_items(session, items, call, "fields")
    return shaped(answer, lambda body: {"value": [flat(each) for each in body["value"]]})


async def read_items(
    session: ServiceSession, items: str, call: OperationCall, expand: str
) -> Answer:
    """The items of a list as Graph gives them, over as many pages as are wanted."""
    wanted = _wanted(call)
    query = {"$expand": expand, "$top": str(min(wanted, MAX_PAGE))}
    for name in ("$filter", "$orderby"):
        if call.parameters.get(name):
            query[name] = under_fields(str(call.parameters[name]))
    answer = await session.send("GET", items, call=call, query=query)
    found: list[Any] = []
    while answer.fault is None and answer.status == 200:
        found.extend(answer.body["value"])
        following = answer.body.get("@odata.nextLink")
        if following is None or len(found) >= wanted:
            return Answer(200, answer.headers, {"value": found[:wanted]})
        answer = await session.send("GET", str(following), call=call)
    return answer


async def item_by_id(session: ServiceSession, items: str, call: OperationCall) -> Answer:
    """One item."""
    query = {"$expand": "fields"}
    answer = await session.send("GET", _item(items, call), call=call, query=query)
    return shaped(answer, flat)


async def created_item(session: ServiceSession, items: str, call: OperationCall) -> Answer:
    """A new item with the columns under ``item``."""
    body = {"fields": written_columns(call)}
    return shaped(await session.send("POST", items, call=call, json_body=body), flat)


async def patched_item(session: ServiceSession, items: str, call: OperationCall) -> Answer:
    """Change an item's columns; the whole item comes back."""
    address = f"{_item(items, call)}/fields"
    answer = await session.send("PATCH", address, call=call, json_body=written_columns(call))
    if answer.fault is not None or answer.status >= 300:
        return answer
    return await item_by_id(session, items, call)


async def deleted_item(session: ServiceSession, items: str, call: OperationCall) -> Answer:
    """Remove an item."""
    return await session.send("DELETE", _item(items, call), call=call)


def flat(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item of Graph as the connector shows it: columns beside the item's own properties."""
    number = str(item["id"])
    fields = item.get("fields", {})
    return {
        **fields,
        "ID": int(number) if number.isdigit() else number,
        "Created": item.get("createdDateTime"),
        "Modified": item.get("lastModifiedDateTime"),
        "Author": _person(item.get("createdBy")),
        "Editor": _person(item.get("lastModifiedBy")),
        "{Identifier}": number,
        "{Link}": item.get("webUrl"),
        "{VersionNumber}": fields.get("_UIVersionString"),
        "{HasAttachments}": bool(fields.get("Attachments")),
        "@odata.etag": item.get("eTag"),
    }


def under_fields(expression: str) -> str:
    """A filter or order whose column names stand under ``fields/``."""
    return "".join(_renamed(each) for each in _TOKEN.findall(expression))


def _renamed(part: str) -> str:
    name = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", part) is not None
    if not name or part.lower() in _WORDS:
        return part
    return f"fields/{part}"


def _wanted(call: OperationCall) -> int:
    top = call.parameters.get("$top")
    if top not in (None, ""):
        return min(int(str(top)), call.pagination or MAX_PAGE)
    return call.pagination or DEFAULT_ITEMS


def written_columns(call: OperationCall) -> dict[str, Any]:
    """The columns that an action writes. :raises ValueError: when it gives none."""
    columns = call.nested("item")
    if not columns:
        raise ValueError(f"operation '{call.operation_id}' needs columns under 'item'")
    # A choice is given as item/Status/Value, and kept as its text.
    return {
        name: value["Value"] if isinstance(value, Mapping) and set(value) == {"Value"} else value
        for name, value in columns.items()
    }


def _item(items: str, call: OperationCall) -> str:
    return f"{items}/{quote(str(call.required('id')), safe='')}"


def _person(identity: Any) -> dict[str, Any]:
    user = (identity or {}).get("user") or (identity or {}).get("application") or {}
    return {"DisplayName": user.get("displayName"), "Email": user.get("email")}
