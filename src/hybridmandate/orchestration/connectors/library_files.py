"""Files of a SharePoint library with their columns, over Microsoft Graph v1.0.

Sources: learn.microsoft.com/graph/api/listitem-list, listitem-update; operation ids and parameters
as in the connector's public definition (Azure/Connectors-NET-SDK) and in public flows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridmandate.orchestration.connectors.drive_items import file_properties, shaped
from hybridmandate.orchestration.connectors.list_items import flat, read_items, written_columns
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import ServiceSession
from hybridmandate.orchestration.engine import Answer


async def file_items(session: ServiceSession, items: str, call: OperationCall) -> Answer:
    """The files of a library, all folders, or those below ``folderPath``."""
    answer = await read_items(session, items, call, "fields,driveItem")
    if answer.fault is not None or answer.status >= 300:
        return answer
    folder = str(call.parameters.get("folderPath") or "").strip("/").lower()
    shown = [listed_file(each) for each in answer.body["value"]]
    if folder:
        shown = [each for each in shown if f"{each['{Path}'].lower()}".startswith(f"{folder}/")]
    return Answer(200, answer.headers, {"value": shown})


async def patched_file(session: ServiceSession, item: str, call: OperationCall) -> Answer:
    """Change the columns of a file; the file comes back with all of them."""
    columns = written_columns(call)
    address = f"{item}/listItem/fields"
    answer = await session.send("PATCH", address, call=call, json_body=columns)
    if answer.fault is not None or answer.status >= 300:
        return answer
    query = {"$expand": "listItem($expand=fields)"}
    return shaped(await session.send("GET", item, call=call, query=query), _with_columns)


def listed_file(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item of a library's list as a file with its columns."""
    return {**flat(item), **file_properties({**item["driveItem"], **_stamps(item)})}


def _with_columns(item: Mapping[str, Any]) -> dict[str, Any]:
    columns = (item.get("listItem") or {}).get("fields") or {}
    return {**columns, **file_properties(item)}


def _stamps(item: Mapping[str, Any]) -> dict[str, Any]:
    names = ("createdDateTime", "createdBy", "lastModifiedDateTime", "lastModifiedBy", "webUrl")
    return {name: item[name] for name in names if name in item}
