"""Attachments of list items over SharePoint's own REST interface: Microsoft Graph has none.

As 'Send an HTTP request to SharePoint', with the real services these operations need a connection
whose address and resource are SharePoint's own. Sources: learn.microsoft.com/connectors/
sharepointonline; learn.microsoft.com/sharepoint/dev/sp-add-ins/
working-with-lists-and-list-items-with-rest; parameters as in public flows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from hybridmandate.orchestration.connectors.drive_items import shaped
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import (
    ServiceSession,
    as_content,
    content_bytes,
    file_answer,
)
from hybridmandate.orchestration.engine import Answer

_HEADERS = {"accept": "application/json;odata=nometadata"}
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


async def attachments(session: ServiceSession, site: str, call: OperationCall) -> Answer:
    """GetItemAttachments: the attachments of an item; a list of identifiers and names."""
    address = _of_item(site, call)
    answer = await session.send("GET", address, call=call, headers=_HEADERS)
    return shaped(answer, lambda body: [_shown(each) for each in body["value"]])


async def attachment_content(session: ServiceSession, site: str, call: OperationCall) -> Answer:
    """GetAttachmentContent: the bytes of an attachment, as ``$content``."""
    address = f"{_attachment(site, call)}/$value"
    answer = await session.send("GET", address, call=call, headers=_HEADERS, decode=as_content)
    return file_answer(answer)


async def add_attachment(session: ServiceSession, site: str, call: OperationCall) -> Answer:
    """CreateAttachment: the item keeps what it has; a name that is taken is refused by SharePoint.

    In the stand-in the request's id keeps a repetition from failing; SharePoint promises no such
    thing.
    """
    data, _ = content_bytes(call.required("body"))
    name = _quoted(call.required("displayName"))
    address = f"{_of_item(site, call)}/add(FileName={name})"
    headers = {**_HEADERS, "content-type": "application/octet-stream"}
    answer = await session.send("POST", address, call=call, headers=headers, data=data)
    return shaped(answer, _shown)


async def delete_attachment(session: ServiceSession, site: str, call: OperationCall) -> Answer:
    """DeleteAttachment: 404 when it is gone already."""
    return await session.send("DELETE", _attachment(site, call), call=call, headers=_HEADERS)


def _of_item(site: str, call: OperationCall) -> str:
    table, item = str(call.required("table")), str(call.required("itemId"))
    if not item.isascii() or not item.isdigit():
        raise ValueError(f"{call.operation_id}: itemId is the number of an item, not '{item[:40]}'")
    named = f"(guid'{table}')" if _GUID.fullmatch(table) else f"/getbytitle({_quoted(table)})"
    return f"/sites/{quote(site)}/_api/web/lists{named}/items({item})/AttachmentFiles"


def _attachment(site: str, call: OperationCall) -> str:
    """The address of an attachment; its identifier is its encoded path, or only its name."""
    name = unquote(unquote(str(call.required("attachmentId")))).rpartition("/")[2]
    return f"{_of_item(site, call)}({_quoted(name)})"


def _quoted(text: Any) -> str:
    """A text of an address: quotes are doubled, as OData has it."""
    return "'" + quote(str(text).replace("'", "''"), safe="'") + "'"


def _shown(attachment: Mapping[str, Any]) -> dict[str, Any]:
    place = str(attachment["ServerRelativeUrl"])
    return {
        "Id": quote(quote(place, safe=""), safe=""),
        "AbsoluteUri": place,
        "DisplayName": attachment["FileName"],
    }
