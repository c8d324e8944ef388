"""Graph's document libraries: drive items by path and by id, contents, the delta feed."""

from __future__ import annotations

import json
import mimetypes
import re
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hybridmandate.twin.office.body import bounded_body, graph_time
from hybridmandate.twin.office.caller import Persona, require
from hybridmandate.twin.office.errors import GraphError, not_found, not_supported
from hybridmandate.twin.office.library import Library, NameTaken
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
_DRIVE_PATH = re.compile(r"(?P<path>.*?)(?::/(?P<action>children|content|delta))?:?", re.DOTALL)


class FilesSurface:
    """Endpoints of files; ``origin`` is where the stand-in is reached."""

    def __init__(self, origin: str, library: Library) -> None:
        self._origin = origin.rstrip("/")
        self._library = library

    async def item(self, request: Request, caller: Persona) -> Response:
        """One file; DELETE removes it."""
        if request.method == "DELETE":
            _allow(request, caller, FILES_WRITE, SITES_WRITE)
            found = await self._file(request)
            await run_in_threadpool(self._library.delete_file, found["site"], found["id"])
            return Response(status_code=204)
        _allow(request, caller, FILES_READ, SITES)
        return JSONResponse(self._drive_item(await self._file(request)))

    async def item_content(self, request: Request, caller: Persona) -> Response:
        """The bytes of a file; PUT replaces them."""
        if request.method == "PUT":
            _allow(request, caller, FILES_WRITE, SITES_WRITE)
            found = await self._file(request)
            path = f"{found['folder']}/{found['name']}".strip("/")
            return await self._put(request, caller, found["site"], path)
        _allow(request, caller, FILES_READ, SITES)
        return _content(await self._file(request))

    async def root(self, request: Request, caller: Persona) -> Response:
        """What is right under the root of a drive, or the root's feed."""
        _allow(request, caller, FILES_READ, SITES)
        delta = request.url.path.endswith("/delta")
        return await self._folder(request, _place(request), "", delta=delta)

    async def by_path(self, request: Request, caller: Persona) -> Response:
        match = _DRIVE_PATH.fullmatch(request.path_params["path"])
        path = (match["path"] if match else "").strip("/")
        action = match["action"] if match else None
        site = _place(request)
        if request.method == "PUT":
            _allow(request, caller, FILES_WRITE, SITES_WRITE)
            if action != "content":
                raise not_supported(f"PUT to {action or 'an item'}")
            return await self._put(request, caller, site, path)
        _allow(request, caller, FILES_READ, SITES)
        if action in ("children", "delta"):
            return await self._folder(request, site, path, delta=action == "delta")
        folder, _, name = path.rpartition("/")
        found = await run_in_threadpool(self._library.file_at, site, folder, name)
        if found is None:
            raise not_found(f"The file '{path}'")
        return _content(found) if action == "content" else JSONResponse(self._drive_item(found))

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
        files = await run_in_threadpool(self._library.files_in, site, path, after_change=after)
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


def _content(row: Row) -> Response:
    return Response(row["content"], media_type=row["content_type"])
