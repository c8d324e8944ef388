"""Graph's document libraries: drive items by path and by id, contents, the delta feed."""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hybridmandate.twin.office.body import bounded_body, graph_time, json_body, part
from hybridmandate.twin.office.caller import Persona, require
from hybridmandate.twin.office.errors import GraphError, not_found, not_supported
from hybridmandate.twin.office.library import Library, NameTaken
from hybridmandate.twin.office.library_items import READ_ONLY, library_fields
from hybridmandate.twin.office.query import change_after
from hybridmandate.twin.office.tables import Row

SITES = ("Sites.Selected", "Sites.Read.All", "Sites.ReadWrite.All")
SITES_WRITE = ("Sites.Selected", "Sites.ReadWrite.All")
FILES_READ = ("Files.Read.All", "Files.ReadWrite.All", "Sites.Read.All", "Sites.ReadWrite.All")
FILES_WRITE = ("Files.ReadWrite.All", "Sites.ReadWrite.All")
MAX_FILE_BYTES = 250 * 1024 * 1024
"""Largest simple upload of Graph: learn.microsoft.com/graph/api/driveitem-put-content."""

USER_DRIVE = "drive of "
"""Before a person's address: how the library names their drive."""
_DRIVE_PATH = re.compile(
    r"(?P<path>.*?)(?::/(?P<action>children|content|delta|copy|listItem/fields))?:?", re.DOTALL
)
_PARENT = re.compile(r"/drive/root:?/?(?P<folder>.*)", re.DOTALL)


class FilesSurface:
    """Endpoints of files; ``origin`` is where the stand-in is reached."""

    def __init__(self, origin: str, library: Library) -> None:
        self._origin = origin.rstrip("/")
        self._library = library

    async def item(self, request: Request, caller: Persona) -> Response:
        """One file; PATCH renames or moves it, DELETE removes it."""
        writes = request.method != "GET"
        _allow(request, caller, *((FILES_WRITE, SITES_WRITE) if writes else (FILES_READ, SITES)))
        return await self._item(request, caller, await self._file(request))

    async def copy(self, request: Request, caller: Persona) -> Response:
        """Copy a file; the location tells how far it is."""
        _allow(request, caller, FILES_WRITE, SITES_WRITE)
        return await self._copy(request, caller, await self._file(request))

    async def fields(self, request: Request, caller: Persona) -> Response:
        """The columns of a file in its library; PATCH changes those that are given."""
        writes = request.method != "GET"
        _allow(request, caller, *((FILES_WRITE, SITES_WRITE) if writes else (FILES_READ, SITES)))
        return await self._fields(request, caller, await self._file(request))

    async def monitor(self, request: Request, caller: Persona) -> Response:
        """How far a copy is: it is done when it is asked for."""
        require(caller, *FILES_READ, *SITES)
        done = {"status": "completed", "percentageComplete": 100}
        return JSONResponse({**done, "resourceId": request.path_params["item"]})

    async def item_content(self, request: Request, caller: Persona) -> Response:
        """The bytes of a file; PUT replaces them."""
        if request.method == "PUT":
            _allow(request, caller, FILES_WRITE, SITES_WRITE)
            found = await self._file(request)
            path = f"{found['folder']}/{found['name']}".strip("/")
            return await self._put(request, caller, found["site"], path)
        _allow(request, caller, FILES_READ, SITES)
        return _content(request, await self._file(request))

    async def root(self, request: Request, caller: Persona) -> Response:
        """What is right under the root of a drive, or the root's feed; POST makes a folder."""
        if request.method == "POST":
            _allow(request, caller, FILES_WRITE, SITES_WRITE)
            return await self._new_folder(request, _place(request), "")
        _allow(request, caller, FILES_READ, SITES)
        delta = request.url.path.endswith("/delta")
        return await self._folder(request, _place(request), "", delta=delta)

    async def by_path(self, request: Request, caller: Persona) -> Response:
        """A file or folder by its path, and what is done with it."""
        match = _DRIVE_PATH.fullmatch(request.path_params["path"])
        path = (match["path"] if match else "").strip("/")
        action = match["action"] if match else None
        writes = request.method != "GET"
        _allow(request, caller, *((FILES_WRITE, SITES_WRITE) if writes else (FILES_READ, SITES)))
        site = _place(request)
        wanted = (request.method, action)
        if wanted == ("PUT", "content"):
            return await self._put(request, caller, site, path)
        if wanted == ("POST", "children"):
            return await self._new_folder(request, site, path)
        if wanted in (("GET", "children"), ("GET", "delta")):
            return await self._folder(request, site, path, delta=action == "delta")
        folder, _, name = path.rpartition("/")
        found = await run_in_threadpool(self._library.file_at, site, folder, name)
        if found is None and wanted == ("GET", None):
            return await self._one_folder(site, path)
        if found is None:
            raise not_found(f"The file '{path}'")
        if wanted == ("GET", "content"):
            return _content(request, found)
        if wanted == ("POST", "copy"):
            return await self._copy(request, caller, found)
        if action == "listItem/fields" and request.method in ("GET", "PATCH"):
            return await self._fields(request, caller, found)
        if action is not None or request.method not in ("GET", "PATCH", "DELETE"):
            raise not_supported(f"{request.method} to {action or 'an item'}")
        return await self._item(request, caller, found)

    async def _item(self, request: Request, caller: Persona, found: Row) -> Response:
        if request.method == "GET":
            return JSONResponse(self._shown(request, found))
        if request.method == "DELETE":
            await run_in_threadpool(self._library.delete_file, found["site"], found["id"])
            return Response(status_code=204)
        moved = await self._to_place(request, caller, found, self._library.move_file)
        return JSONResponse(self._shown(request, moved))

    async def _copy(self, request: Request, caller: Persona, found: Row) -> Response:
        made = await self._to_place(request, caller, found, self._library.copy_file)
        location = f"{self._origin}/v1.0/monitor/{quote(made['id'], safe='')}"
        return Response(status_code=202, headers={"location": location})

    async def _to_place(
        self, request: Request, caller: Persona, found: Row, put: Callable[..., Row]
    ) -> Row:
        """Put a file, or a copy, where the body says."""
        given = await json_body(request)
        parent = part(given, "parentReference") if given.get("parentReference") else {}
        site = str(parent.get("siteId") or found["site"])
        match = _PARENT.fullmatch(str(parent.get("path") or f"/drive/root:/{found['folder']}"))
        if match is None:
            raise GraphError(400, "invalidRequest", "parentReference needs a path.")
        folder, name = match["folder"].strip("/"), str(given.get("name") or found["name"])
        if not name or "/" in name:
            raise GraphError(400, "invalidRequest", "The name of a file has no slash.")
        if not await run_in_threadpool(self._library.has_folder, site, folder):
            raise not_found(f"The folder '{folder}' of site '{site}'")
        behaviour = request.query_params.get("@microsoft.graph.conflictBehavior", "fail")
        try:
            return await run_in_threadpool(
                put, found, site, folder, name, author=caller.to_graph(), on_conflict=behaviour
            )
        except NameTaken:
            raise GraphError(
                409, "nameAlreadyExists", f"The folder holds a file '{name}' already."
            ) from None

    async def _fields(self, request: Request, caller: Persona, found: Row) -> Response:
        if request.method == "PATCH":
            given = await json_body(request)
            read_only = sorted(given.keys() & READ_ONLY)
            if read_only or not given:
                message = f"Field '{read_only[0]}' is read-only." if read_only else "Give a field."
                raise GraphError(400, "invalidRequest", message)
            found = await run_in_threadpool(
                self._library.set_fields, found["id"], given, caller.to_graph()
            )
        return JSONResponse(library_fields(found))

    async def _new_folder(self, request: Request, site: str, above: str) -> Response:
        given = await json_body(request)
        name = given.get("name")
        if not isinstance(name, str) or not name.strip("/") or "folder" not in given:
            raise GraphError(400, "invalidRequest", "A folder needs name and folder.")
        path = f"{above}/{name}".strip("/")
        if above and not await run_in_threadpool(self._library.has_folder, site, above):
            raise not_found(f"The folder '{above}' of site '{site}'")
        there = await run_in_threadpool(self._library.has_folder, site, path)
        if there and given.get("@microsoft.graph.conflictBehavior") != "replace":
            raise GraphError(409, "nameAlreadyExists", f"There is a folder '{name}' already.")
        await run_in_threadpool(self._library.add_folder, site, path)
        return JSONResponse(_folder_item(site, path), status_code=201)

    async def _one_folder(self, site: str, path: str) -> Response:
        if not await run_in_threadpool(self._library.has_folder, site, path):
            raise not_found(f"The item '{path}'")
        return JSONResponse(_folder_item(site, path))

    async def _put(self, request: Request, caller: Persona, site: str, path: str) -> Response:
        folder, _, name = path.rpartition("/")
        if not name:
            raise GraphError(400, "invalidRequest", "The path names no file.")
        if not await run_in_threadpool(self._library.has_folder, site, folder):
            raise not_found(f"The folder '{folder}' of site '{site}'")
        content = await bounded_body(
            request, MAX_FILE_BYTES, "maxFileSizeExceeded", "Use an upload session for this size."
        )
        given = request.headers.get("content-type", "application/octet-stream")
        guessed = mimetypes.guess_type(name)[0]
        behaviour = request.query_params.get("@microsoft.graph.conflictBehavior", "replace")
        try:
            stored = await run_in_threadpool(
                self._library.put_file,
                site,
                folder,
                name,
                content,
                content_type=guessed or given,
                author=caller.to_graph(),
                on_conflict=behaviour,
            )
        except NameTaken:
            raise GraphError(
                409, "nameAlreadyExists", f"The folder holds a file '{name}' already."
            ) from None
        return JSONResponse(
            self._drive_item(stored), status_code=201 if stored["version"] == 1 else 200
        )

    async def _folder(self, request: Request, site: str, path: str, *, delta: bool) -> Response:
        if not await run_in_threadpool(self._library.has_folder, site, path):
            raise not_found(f"The folder '{path}' of site '{site}'")
        if not delta:
            files = await run_in_threadpool(self._library.files_in, site, path)
            folders = await run_in_threadpool(self._library.folders_in, site, path)
            shown = [_folder_item(site, each) for each in folders]
            return JSONResponse({"value": [*shown, *(self._drive_item(each) for each in files)]})
        last = await run_in_threadpool(self._library.last_change)
        after = change_after(request.query_params, last)
        files = await run_in_threadpool(self._library.files_under, site, path, after_change=after)
        newest = max([after, *(each["change"] for each in files)])
        root = f":/{quote(path)}:" if path else ""
        link = f"{self._origin}/v1.0/{_drive_of(site)}/root{root}/delta"
        return JSONResponse(
            {
                "value": [self._drive_item(each) for each in files],
                "@odata.deltaLink": f"{link}?token={newest}",
            }
        )

    async def _file(self, request: Request) -> Row:
        item = request.path_params["item"]
        found = await run_in_threadpool(self._library.file, _place(request), item)
        if found is None:
            raise not_found(f"The item '{item}'")
        return found

    def _shown(self, request: Request, row: Row) -> dict[str, Any]:
        shown = self._drive_item(row)
        if "listItem" in request.query_params.get("$expand", ""):
            shown["listItem"] = {"id": row["id"], "fields": library_fields(row)}
        return shown

    def _drive_item(self, row: Row) -> dict[str, Any]:
        place = f"/drive/root:/{row['folder']}"
        web = f"{self._origin}/sites/{quote(row['site'])}/{quote(row['folder'])}"
        return {
            "id": row["id"],
            "name": row["name"],
            "size": len(row["content"]),
            "eTag": f'"{{{row["id"]}}},{row["version"]}"',
            "cTag": f'"c:{{{row["id"]}}},{row["version"]}"',
            "createdDateTime": graph_time(row["created"]),
            "lastModifiedDateTime": graph_time(row["modified"]),
            "createdBy": json.loads(row["created_by"]),
            "lastModifiedBy": json.loads(row["modified_by"]),
            "parentReference": {"siteId": row["site"], "path": place},
            "webUrl": f"{web}/{quote(row['name'])}",
            "file": {
                "mimeType": row["content_type"],
                "hashes": {"sha256Hash": row["digest"].upper()},
            },
        }


def _place(request: Request) -> str:
    """Under which name the library keeps the drive: a site, or the drive of a person."""
    user = request.path_params.get("user")
    return str(request.path_params["site"]) if user is None else f"{USER_DRIVE}{user.lower()}"


def _allow(
    request: Request, caller: Persona, of_people: tuple[str, ...], of_sites: tuple[str, ...]
) -> None:
    """:raises GraphError: 403 without the permission, or when a person asks for another's drive."""
    user = request.path_params.get("user")
    if user is None:
        require(caller, *of_sites)
        return
    require(caller, *of_people)
    if caller.is_person and (caller.mail or "").lower() != user.lower():
        raise GraphError(403, "accessDenied", "Access is denied: not your drive.")


def _drive_of(place: str) -> str:
    if place.startswith(USER_DRIVE):
        return f"users/{quote(place.removeprefix(USER_DRIVE), safe='@')}/drive"
    return f"sites/{quote(place)}/drive"


def _folder_item(place: str, path: str) -> dict[str, Any]:
    above, _, name = path.rpartition("/")
    return {
        "id": f"folder!{place}!{path}",
        "name": name,
        "size": 0,
        "folder": {},
        "parentReference": {"siteId": place, "path": f"/drive/root:/{above}".rstrip("/")},
    }


def _content(request: Request, row: Row) -> Response:
    if "format" in request.query_params:
        raise not_supported(f"conversion of files to '{request.query_params['format'][:40]}'")
    return Response(row["content"], media_type=row["content_type"])
