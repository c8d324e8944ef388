"""Files and folders of SharePoint's REST interface, by their server-relative paths.

The libraries of a site are the top folders of its drive. Source: learn.microsoft.com/sharepoint/
dev/sp-add-ins/working-with-folders-and-files-with-rest.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from starlette.responses import Response

from hybridmandate.twin.office.body import graph_time
from hybridmandate.twin.office.library import Library, NameTaken
from hybridmandate.twin.office.rest_address import Segment, names
from hybridmandate.twin.office.rest_errors import RestError
from hybridmandate.twin.office.rest_request import RestRequest
from hybridmandate.twin.office.tables import Row

FILE_BY = ("getfilebyserverrelativeurl", "getfilebyserverrelativepath", "getfilebyurl")
FOLDER_BY = ("getfolderbyserverrelativeurl", "getfolderbyserverrelativepath")


class RestFiles:
    """Answers everything below ``web/getfileby…``, ``web/getfolderby…`` and ``web/folders``."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def file(self, asked: RestRequest, segments: list[Segment]) -> Response:
        """One file. :raises RestError: for what is refused."""
        folder, _, name = _path(asked, segments[0]).rpartition("/")
        found = self._library.file_at(asked.site, folder, name)
        if found is None:
            raise RestError.no_file()
        rest = segments[1:]
        wanted = (asked.method, names(rest))
        if wanted == ("GET", "$value"):
            return Response(found["content"], media_type=found["content_type"])
        if wanted == ("PUT", "$value"):
            self._put(asked, folder, name, replace=True)
            return Response(status_code=204)
        if wanted == ("GET", ""):
            return asked.shape.one(_file(asked, found))
        if wanted == ("DELETE", ""):
            self._library.delete_file(asked.site, found["id"])
            return Response(status_code=200)
        if wanted == ("GET", "listitemallfields"):
            return asked.shape.one(_list_item(asked, found))
        if wanted in (("POST", "copyto"), ("POST", "moveto")):
            return self._to_another_place(asked, found, rest[0])
        raise RestError.not_simulated(f"{asked.method} of a file: {names(rest) or 'itself'}")

    def folder(self, asked: RestRequest, segments: list[Segment]) -> Response:
        """One folder. :raises RestError: for what is refused."""
        path, rest = _path(asked, segments[0]), segments[1:]
        if not self._library.has_folder(asked.site, path):
            raise RestError.no_file()
        wanted = (asked.method, names(rest))
        if wanted == ("GET", ""):
            return asked.shape.one(_folder(asked, path))
        if wanted == ("GET", "files"):
            files = self._library.files_in(asked.site, path)
            return asked.shape.many([_file(asked, each) for each in files])
        if wanted == ("GET", "folders"):
            inner = self._library.folders_in(asked.site, path)
            return asked.shape.many([_folder(asked, each) for each in inner])
        if wanted == ("POST", "files/add"):
            name = rest[1].argument("url") or ""
            overwrite = (rest[1].argument("overwrite") or "false").lower() == "true"
            stored = self._put(asked, path, name, replace=overwrite)
            return asked.shape.one(_file(asked, stored))
        if wanted == ("POST", "folders/add"):
            made = f"{path}/{rest[1].argument() or rest[1].argument('url') or ''}"
            return self._new_folder(asked, made)
        raise RestError.not_simulated(f"{asked.method} of a folder: {names(rest) or 'itself'}")

    def new_folder(self, asked: RestRequest) -> Response:
        """A folder whose path the body names."""
        path = asked.body().get("ServerRelativeUrl")
        if not isinstance(path, str):
            raise RestError.bad("ServerRelativeUrl is required.")
        return self._new_folder(asked, relative(asked, path))

    def _new_folder(self, asked: RestRequest, path: str) -> Response:
        if not path.strip("/") or path.endswith("/"):
            raise RestError.bad("The folder needs a name.")
        self._library.add_folder(asked.site, path)
        return asked.shape.one(_folder(asked, path.strip("/")), 201)

    def _put(self, asked: RestRequest, folder: str, name: str, *, replace: bool) -> Row:
        if not name or "/" in name:
            raise RestError.bad("The file needs a name.")
        try:
            return self._library.put_file(
                asked.site,
                folder,
                name,
                asked.raw,
                content_type=mimetypes.guess_type(name)[0] or "application/octet-stream",
                author=asked.caller.to_graph(),
                on_conflict="replace" if replace else "fail",
            )
        except NameTaken:
            message = f"A file with the name {name} already exists."
            code = "-2130575257, Microsoft.SharePoint.SPException"
            raise RestError(400, code, message) from None

    def _to_another_place(self, asked: RestRequest, found: Row, target: Segment) -> Response:
        wanted = target.argument("strnewurl") or target.argument("newurl") or target.argument()
        overwrite = target.argument("boverwrite") == "true" or target.argument("flags") == "1"
        folder, _, name = relative(asked, wanted or "").rpartition("/")
        if not self._library.has_folder(asked.site, folder):
            raise RestError.no_file()
        change: Callable[..., Row] = (
            self._library.copy_file if target.name == "copyto" else self._library.move_file
        )
        try:
            change(
                found,
                asked.site,
                folder,
                name,
                author=asked.caller.to_graph(),
                on_conflict="replace" if overwrite else "fail",
            )
        except NameTaken:
            code = "-2130575257, Microsoft.SharePoint.SPException"
            raise RestError(400, code, "The destination file already exists.") from None
        return Response(status_code=200)


def relative(asked: RestRequest, path: str) -> str:
    """A server-relative path below the site, as the library keeps it."""
    plain = unquote(path).strip("/")
    own = f"sites/{asked.site}"
    if plain.lower() == own.lower():
        return ""
    if plain.lower().startswith(f"{own.lower()}/"):
        return plain[len(own) + 1 :]
    return plain


def _path(asked: RestRequest, segment: Segment) -> str:
    given = segment.argument() or segment.argument("decodedurl") or segment.argument("url")
    if given is None:
        raise RestError.bad(f"{segment.written} needs a path.")
    return relative(asked, given)


def _server_relative(asked: RestRequest, path: str) -> str:
    return f"/sites/{asked.site}/{path}".rstrip("/")


def _file(asked: RestRequest, row: Row) -> dict[str, Any]:
    place = f"{row['folder']}/{row['name']}".strip("/")
    return {
        "Name": row["name"],
        "ServerRelativeUrl": _server_relative(asked, place),
        "Length": str(len(row["content"])),
        "UniqueId": row["id"],
        "Exists": True,
        "ETag": f'"{{{row["id"]}}},{row["version"]}"',
        "TimeCreated": graph_time(row["created"]),
        "TimeLastModified": graph_time(row["modified"]),
    }


def _list_item(asked: RestRequest, row: Row) -> dict[str, Any]:
    place = f"{row['folder']}/{row['name']}".strip("/")
    return {
        **json.loads(row["fields"] or "{}"),
        "Id": row["id"],
        "ID": row["id"],
        "FileLeafRef": row["name"],
        "FileRef": _server_relative(asked, place),
        "Created": graph_time(row["created"]),
        "Modified": graph_time(row["modified"]),
    }


def _folder(asked: RestRequest, path: str) -> dict[str, Any]:
    return {
        "Name": path.rpartition("/")[2],
        "ServerRelativeUrl": _server_relative(asked, path),
        "Exists": True,
    }
