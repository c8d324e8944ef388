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


class SharePointConnector(DriveConnector):
    """Files of a document library, and lists with their items."""

    api_name = "shared_sharepointonline"
    triggers = frozenset({"GetOnNewFileItems", "GetOnNewItems", "GetOnUpdatedItems"})

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

    async def http_request(self, call: OperationCall) -> Answer:
        """HttpRequest: a request to the site's own REST interface."""
        return await send_request(self.session, self.site_name(call.required("dataset")), call)

    def _items(self, call: OperationCall) -> str:
        return self.items(call.required("dataset"), call.required("table"))

    operations: ClassVar[Mapping[str, Handler]] = {
        **DriveConnector.file_operations,
        "GetFileItem": DriveConnector.properties,
        "HttpRequest": http_request,
        "GetItems": get_items,
        "GetItem": get_item,
        "PostItem": post_item,
        "PatchItem": patch_item,
        "DeleteItem": delete_item,
    }
