"""Graph's SharePoint lists: lists of a site, their items with ``fields``, the delta feed."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hybridmandate.twin.office.attachments import COLUMN
from hybridmandate.twin.office.body import graph_time, json_body
from hybridmandate.twin.office.caller import Persona, require
from hybridmandate.twin.office.errors import GraphError, not_found, not_supported
from hybridmandate.twin.office.files_surface import SITES, SITES_WRITE
from hybridmandate.twin.office.library import Library
from hybridmandate.twin.office.library_items import library_item
from hybridmandate.twin.office.list_query import QueryInvalid, order, parse_filter, property_of
from hybridmandate.twin.office.lists import Lists
from hybridmandate.twin.office.query import change_after, whole_number
from hybridmandate.twin.office.tables import Row

MAX_PAGE = 5000
DEFAULT_PAGE = 200
_READ_ONLY = frozenset({"id", "ID", "Created", "Modified", "_UIVersionString", COLUMN})
_QUERY = {"$expand", "$filter", "$orderby", "$top", "$skiptoken", "$select", "expand"}


class ListsSurface:
    """Endpoints of lists; ``origin`` is where the stand-in is reached."""

    def __init__(self, origin: str, lists: Lists, library: Library) -> None:
        self._origin = origin.rstrip("/")
        self._lists = lists
        self._library = library

    async def lists(self, request: Request, caller: Persona) -> Response:
        """The lists of a site; POST makes one."""
        site = request.path_params["site"]
        if request.method == "GET":
            require(caller, *SITES)
            rows = await run_in_threadpool(self._lists.of_site, site)
            return JSONResponse({"value": [_list(each) for each in rows]})
        require(caller, *SITES_WRITE)
        name = (await json_body(request)).get("displayName")
        if not isinstance(name, str) or not name:
            raise GraphError(400, "invalidRequest", "displayName is required.")
        if await run_in_threadpool(self._lists.find, site, name) is not None:
            raise GraphError(409, "nameAlreadyExists", f"The site has a list '{name}' already.")
        made = await run_in_threadpool(self._lists.add_list, site, name)
        return JSONResponse(_list(made), status_code=201)

    async def items(self, request: Request, caller: Persona) -> Response:
        """The items of a list, or the files of a library; POST makes an item."""
        if request.method == "GET":
            require(caller, *SITES)
            return await self._read(request)
        require(caller, *SITES_WRITE)
        found = await self._list_of(request)
        fields = _fields((await json_body(request)).get("fields"))
        added = await run_in_threadpool(
            self._lists.add,
            found["id"],
            fields,
            caller.to_graph(),
            request=request.headers.get("client-request-id"),
        )
        return JSONResponse(self._item(found, added), status_code=201)

    async def item(self, request: Request, caller: Persona) -> Response:
        """One item; DELETE removes it."""
        require(caller, *(SITES if request.method == "GET" else SITES_WRITE))
        found, number = await self._list_of(request), _number(request)
        if request.method == "DELETE":
            if not await run_in_threadpool(self._lists.delete, found["id"], number):
                raise not_found(f"The item '{number}'")
            return Response(status_code=204)
        row = await run_in_threadpool(self._lists.item, found["id"], number)
        if row is None:
            raise not_found(f"The item '{number}'")
        return JSONResponse(self._item(found, row))

    async def fields(self, request: Request, caller: Persona) -> Response:
        """The columns of an item; PATCH changes those that are given."""
        require(caller, *SITES_WRITE)
        found, number = await self._list_of(request), _number(request)
        given = _fields(await json_body(request))
        row = await run_in_threadpool(
            self._lists.change, found["id"], number, given, caller.to_graph()
        )
        if row is None:
            raise not_found(f"The item '{number}'")
        return JSONResponse(self._item(found, row)["fields"])

    async def versions(self, request: Request, caller: Persona) -> Response:
        """The versions of an item with their columns, newest first; of a file in a library, too."""
        require(caller, *SITES)
        site, name = request.path_params["site"], request.path_params["list"]
        if await run_in_threadpool(self._is_library, site, name):
            item = str(request.path_params["item"])
            found = await run_in_threadpool(self._library.versions, site, item)
        else:
            own = await self._list_of(request)
            item = str(_number(request))
            found = await run_in_threadpool(self._lists.versions, own["id"], int(item))
        if found is None:
            raise not_found(f"The item '{item}'")
        return JSONResponse({"value": found})

    async def delta(self, request: Request, caller: Persona) -> Response:
        """The items of a list, or the files of a library, that changed since a token."""
        require(caller, *SITES)
        site, name = request.path_params["site"], request.path_params["list"]
        if await run_in_threadpool(self._is_library, site, name):
            return await self._library_delta(request, site, name)
        found = await self._list_of(request)
        last = await run_in_threadpool(self._lists.last_change)
        after = change_after(request.query_params, last)
        rows = await run_in_threadpool(self._lists.items, found["id"], after_change=after)
        newest = max([after, *(each["change"] for each in rows)])
        link = f"{self._address(found)}/delta?token={newest}"
        shown = [self._item(found, each) for each in rows]
        return JSONResponse({"value": shown, "@odata.deltaLink": link})

    async def _library_delta(self, request: Request, site: str, name: str) -> Response:
        last = await run_in_threadpool(self._library.last_change)
        after = change_after(request.query_params, last)
        files = await run_in_threadpool(self._library.files_under, site, name, after_change=after)
        newest = max([after, *(each["change"] for each in files)])
        link = f"{self._items_address(site, name)}/delta?token={newest}"
        shown = [library_item(each) for each in files]
        return JSONResponse({"value": shown, "@odata.deltaLink": link})

    async def _read(self, request: Request) -> Response:
        site, name = request.path_params["site"], request.path_params["list"]
        if await run_in_threadpool(self._is_library, site, name):
            files = await run_in_threadpool(self._library.files_under, site, name)
            placed = sorted(files, key=lambda each: (each["folder"], each["name"]))
            items = [library_item(each) for each in placed]
            return await self._page(request, items, self._items_address(site, name))
        found = await self._list_of(request)
        rows = await run_in_threadpool(self._lists.items, found["id"])
        items = [self._item(found, each) for each in rows]
        return await self._page(request, items, self._address(found))

    def _is_library(self, site: str, name: str) -> bool:
        """Whether a name is that of a library: a list of that name comes first."""
        return self._lists.find(site, name) is None and self._library.has_folder(site, name)

    async def _page(self, request: Request, items: list[dict[str, Any]], link: str) -> Response:
        query = dict(request.query_params)
        unknown = sorted(query.keys() - _QUERY)
        if unknown:
            raise not_supported(f"query option {unknown[0]} on list items")
        top = whole_number(query, "$top", DEFAULT_PAGE, code="invalidRequest")
        start = whole_number(query, "$skiptoken", 0, code="invalidRequest")
        try:
            chosen = await run_in_threadpool(_chosen, items, query)
        except QueryInvalid as error:
            raise GraphError(400, "invalidRequest", f"Invalid query: {error}.") from None
        end = start + min(top, MAX_PAGE)
        body: dict[str, Any] = {"value": chosen[start:end]}
        if end < len(chosen):
            following = urlencode({**query, "$skiptoken": str(end)})
            body["@odata.nextLink"] = f"{link}?{following}"
        return JSONResponse(body)

    async def _list_of(self, request: Request) -> Row:
        site, name = request.path_params["site"], request.path_params["list"]
        found = await run_in_threadpool(self._lists.find, site, name)
        if found is None:
            raise not_found(f"The list '{name}' of site '{site}'")
        return found

    def _address(self, found: Row) -> str:
        return self._items_address(found["site"], found["id"])

    def _items_address(self, site: str, name: str) -> str:
        return f"{self._origin}/v1.0/sites/{quote(site)}/lists/{quote(name)}/items"

    def _item(self, found: Row, row: Row) -> dict[str, Any]:
        number = str(row["number"])
        stamps = {
            "createdDateTime": graph_time(row["created"]),
            "lastModifiedDateTime": graph_time(row["modified"]),
        }
        return {
            "id": number,
            "eTag": f'"{found["id"]},{row["version"]}"',
            **stamps,
            "createdBy": json.loads(row["created_by"]),
            "lastModifiedBy": json.loads(row["modified_by"]),
            "webUrl": f"{self._origin}/sites/{quote(found['site'])}/Lists/{quote(found['name'])}"
            f"/{number}_.000",
            "fields": {
                **json.loads(row["fields"]),
                "_UIVersionString": f"{row['version']}.0",
                "id": number,
                "ID": row["number"],
                "Created": stamps["createdDateTime"],
                "Modified": stamps["lastModifiedDateTime"],
            },
        }


def _chosen(items: list[dict[str, Any]], query: dict[str, str]) -> list[dict[str, Any]]:
    if "$filter" in query:
        test = parse_filter(query["$filter"])
        items = [each for each in items if test(each)]
    for path, descending in reversed(order(query["$orderby"]) if "$orderby" in query else []):
        items = sorted(items, key=lambda each: rank(property_of(each, path)), reverse=descending)
    return items


def rank(value: Any) -> tuple[int, float, str]:
    """Any two values in an order: nothing, then numbers, then texts."""
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, int | float):
        return (1, float(value), "")
    return (2, 0.0, str(value).lower())


def _fields(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        raise GraphError(400, "invalidRequest", "fields is required and must be an object.")
    read_only = sorted(value.keys() & _READ_ONLY)
    if read_only:
        raise GraphError(400, "invalidRequest", f"Field '{read_only[0]}' is read-only.")
    return value


def _number(request: Request) -> int:
    text = str(request.path_params["item"])
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise not_found(f"The item '{text}'")
    return int(text)


def _list(row: Row) -> dict[str, Any]:
    return {"id": row["id"], "name": row["name"], "displayName": row["name"]}
