"""SharePoint (``shared_sharepointonline``) files and lists over Microsoft Graph v1.0.

``dataset`` is the site's address, as flows carry it; its last segment is the site in Graph, unless
the connection's option ``site`` names it. Triggers are read from delta feeds by
:mod:`hybridmandate.orchestration.triggers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from hybridmandate.orchestration.connectors.connector import Handler
from hybridmandate.orchestration.connectors.drive_connector import DriveConnector
from hybridmandate.orchestration.connectors.drive_items import file_properties, shaped
from hybridmandate.orchestration.connectors.item_changes import item_changes
from hybridmandate.orchestration.connectors.library_files import file_items, patched_file
from hybridmandate.orchestration.connectors.list_attachments import (
    add_attachment,
    attachment_content,
    attachments,
    delete_attachment,
)
from hybridmandate.orchestration.connectors.list_items import (
    created_item,
    deleted_item,
    item_by_id,
    items_page,
    patched_item,
)
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.sharepoint_http import send_request
from hybridmandate.orchestration.engine import Answer

_CONFLICTS = {"0": "fail", "1": "replace", "2": "rename"}
"""What ``nameConflictBehavior`` says of a name that is taken."""


class SharePointConnector(DriveConnector):
    """Files of a document library, and lists with their items."""

    api_name = "shared_sharepointonline"
    triggers = frozenset(
        {"GetOnNewFileItems", "GetOnUpdatedFileItems", "GetOnNewItems", "GetOnUpdatedItems"}
    )

    def site(self, dataset: Any) -> str:
        """The Graph path of a site. :raises ValueError: when nothing names one."""
        return f"/v1.0/sites/{quote(self.site_name(dataset), safe='')}"

    def site_name(self, dataset: Any) -> str:
        """The name of a site. :raises ValueError: when nothing names one."""
        site = (
            self.settings.options.get("site") or str(dataset or "").rstrip("/").rpartition("/")[2]
        )
        if not site:
            raise ValueError("the action names no site: its parameter is dataset")
        return site

    def drive(self, dataset: Any) -> str:
        """The Graph path of the drive of a site."""
        return f"{self.site(dataset)}/drive"

    def items(self, dataset: Any, table: Any) -> str:
        """The Graph path of the items of a list, by the list's name or id."""
        return f"{self.site(dataset)}/lists/{quote(str(table), safe='')}/items"

    async def get_items(self, call: OperationCall) -> Answer:
        """GetItems: items of a list; ``$filter`` and ``$orderby`` name columns as SharePoint."""
        return await items_page(self.session, self._items(call), call)

    async def get_item(self, call: OperationCall) -> Answer:
        """GetItem: one item by its number."""
        return await item_by_id(self.session, self._items(call), call)

    async def post_item(self, call: OperationCall) -> Answer:
        """PostItem: a new item; a repetition after a crash gives the first one back."""
        return await created_item(self.session, self._items(call), call)

    async def patch_item(self, call: OperationCall) -> Answer:
        """PatchItem: changes the columns that are given."""
        return await patched_item(self.session, self._items(call), call)

    async def delete_item(self, call: OperationCall) -> Answer:
        """DeleteItem: 404 when the item is gone already."""
        return await deleted_item(self.session, self._items(call), call)

    async def get_files(self, call: OperationCall) -> Answer:
        """GetFileItems: files of a library with their columns; below ``folderPath`` only."""
        return await file_items(self.session, self._items(call), call)

    async def patch_file(self, call: OperationCall) -> Answer:
        """PatchFileItem: changes columns of a file."""
        item = self.item_address(self.drive(call.required("dataset")), call.required("id"))
        return await patched_file(self.session, item, call)

    async def copy_file(self, call: OperationCall) -> Answer:
        """CopyFileAsync: into a folder, also of another site."""
        return await self._to_place(call, "copy")

    async def move_file(self, call: OperationCall) -> Answer:
        """MoveFileAsync: the same file in another place."""
        return await self._to_place(call, "move")

    async def new_folder(self, call: OperationCall) -> Answer:
        """CreateNewFolder: ``parameters/path`` in the library ``table``, with those above it."""
        library = str(call.required("table")).strip("/")
        path = str(call.nested("parameters").get("path") or "").strip("/")
        if not path:
            raise ValueError("CreateNewFolder needs parameters/path")
        drive, above, answer = self.drive(call.required("dataset")), library, Answer(200)
        for name in path.split("/"):
            body = {"name": name, "folder": {}, "@microsoft.graph.conflictBehavior": "replace"}
            address = f"{drive}/root:/{quote(above)}:/children"
            answer = await self.session.send("POST", address, call=call, json_body=body)
            if answer.fault is not None or answer.status >= 300:
                return answer
            above = f"{above}/{name}"
        return shaped(answer, file_properties)

    async def tables(self, call: OperationCall) -> Answer:
        """GetAllTables, GetTables: the lists of a site."""
        address = f"{self.site(call.required('dataset'))}/lists"
        return shaped(await self.session.send("GET", address, call=call), _tables)

    def copied_to(self, parameters: Mapping[str, Any]) -> str:
        """The drive of the site to which an action copies."""
        given = OperationCall("", parameters, "", "").nested("parameters")
        return self.drive(given.get("destinationDataset") or parameters.get("dataset"))

    async def _to_place(self, call: OperationCall, verb: str) -> Answer:
        given = call.nested("parameters")
        if not given.get("sourceFileId") or not given.get("destinationFolderPath"):
            raise ValueError(
                f"{call.operation_id} needs parameters/sourceFileId and destinationFolderPath"
            )
        item = self.item_address(self.drive(call.required("dataset")), given["sourceFileId"])
        folder = str(given["destinationFolderPath"]).strip("/")
        site = self.site_name(given.get("destinationDataset") or call.required("dataset"))
        place = {"parentReference": {"siteId": site, "path": f"/drive/root:/{folder}"}}
        conflict = _CONFLICTS.get(str(given.get("nameConflictBehavior") or 0))
        if conflict is None:
            raise ValueError("parameters/nameConflictBehavior is 0, 1 or 2")
        return await self.to_place(call, item, place, conflict, verb)

    async def http_request(self, call: OperationCall) -> Answer:
        """HttpRequest: a request to the site's own REST interface."""
        return await send_request(self.session, self._site_name(call), call)

    async def changes(self, call: OperationCall) -> Answer:
        """GetItemChanges: which columns of an item or a file changed in a window."""
        return await item_changes(self.session, self._items(call), call)

    async def attachments(self, call: OperationCall) -> Answer:
        """GetItemAttachments: the files that are attached to an item."""
        return await attachments(self.session, self._site_name(call), call)

    async def attachment_content(self, call: OperationCall) -> Answer:
        """GetAttachmentContent: the bytes of one."""
        return await attachment_content(self.session, self._site_name(call), call)

    async def add_attachment(self, call: OperationCall) -> Answer:
        """CreateAttachment: attaches a file to an item."""
        return await add_attachment(self.session, self._site_name(call), call)

    async def delete_attachment(self, call: OperationCall) -> Answer:
        """DeleteAttachment: removes one."""
        return await delete_attachment(self.session, self._site_name(call), call)

    def _site_name(self, call: OperationCall) -> str:
        return self.site_name(call.required("dataset"))

    def _items(self, call: OperationCall) -> str:
        return self.items(call.required("dataset"), call.required("table"))

    operations: ClassVar[Mapping[str, Handler]] = {
        **DriveConnector.file_operations,
        "GetFileItem": DriveConnector.properties,
        "HttpRequest": http_request,
        "GetFileItems": get_files,
        "PatchFileItem": patch_file,
        "CopyFileAsync": copy_file,
        "MoveFileAsync": move_file,
        "CreateNewFolder": new_folder,
        "GetItemChanges": changes,
        "GetItemAttachments": attachments,
        "GetAttachmentContent": attachment_content,
        "CreateAttachment": add_attachment,
        "DeleteAttachment": delete_attachment,
        "GetAllTables": tables,
        "GetTables": tables,
        "GetItems": get_items,
        "GetItem": get_item,
        "PostItem": post_item,
        "PatchItem": patch_item,
        "DeleteItem": delete_item,
    }


def _tables(body: Mapping[str, Any]) -> dict[str, Any]:
    shown = [{"Name": each["id"], "DisplayName": each["displayName"]} for each in body["value"]]
    return {"value": shown}
