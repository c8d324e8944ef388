"""Attachments of list items in SharePoint's REST interface: ``items(3)/AttachmentFiles``.

Microsoft Graph has no attachments of list items. Source: learn.microsoft.com/sharepoint/dev/
sp-add-ins/working-with-lists-and-list-items-with-rest, 'Working with list item attachments'.
"""

from __future__ import annotations

import mimetypes
import re
from typing import Any

from starlette.responses import Response

from hybridmandate.twin.office.attachments import Attachments, AttachmentTaken
from hybridmandate.twin.office.rest_address import Segment, names
from hybridmandate.twin.office.rest_errors import RestError
from hybridmandate.twin.office.rest_request import RestRequest
from hybridmandate.twin.office.tables import Row

SEGMENT = "attachmentfiles"
_REFUSED = re.compile(r'["*:<>?/\\|]')
"""Characters that a file of SharePoint may not have in its name (support.microsoft.com,
'Restrictions and limitations in OneDrive and SharePoint')."""
_BY_NAME = ("getbyfilename", "getbyfilenameaspath")


class RestAttachments:
    """Answers everything below ``AttachmentFiles`` of one item."""

    def __init__(self, attachments: Attachments) -> None:
        self._attachments = attachments

    def answer(
        self, asked: RestRequest, found: Row, number: int, segments: list[Segment]
    ) -> Response:
        """``segments`` begin with ``AttachmentFiles``. :raises RestError: for what is refused."""
        first, rest = segments[0], segments[1:]
        name = first.argument()
        if name is not None:
            return self._one(asked, found, number, name, rest)
        if rest and rest[0].name in _BY_NAME:
            wanted = rest[0].argument() or rest[0].argument("decodedurl") or ""
            return self._one(asked, found, number, wanted, rest[1:])
        if names(rest) == "add" and asked.method == "POST":
            return self._add(asked, found, number, rest[0])
        if not rest and asked.method == "GET":
            rows = self._attachments.of(found["id"], number)
            return asked.shape.many([_shown(asked, found, each) for each in rows])
        raise RestError.not_simulated(f"{asked.method} {names(segments)}")

    def _add(self, asked: RestRequest, found: Row, number: int, segment: Segment) -> Response:
        name = segment.argument("filename") or segment.argument() or ""
        if not name.strip() or _REFUSED.search(name) or len(name) > 255:
            raise RestError.bad(f"'{name[:100]}' is no name of a file.")
        try:
            made = self._attachments.add(
                found["id"],
                number,
                name,
                asked.raw,
                asked.caller.to_graph(),
                request=asked.request_id,
            )
        except AttachmentTaken:
            code = "-2130575257, Microsoft.SharePoint.SPException"
            message = "The specified name is already in use."
            raise RestError(400, code, message) from None
        except LookupError:
            raise RestError.missing("Item does not exist. It may have been deleted.") from None
        return asked.shape.one(_shown(asked, found, made))

    def _one(
        self, asked: RestRequest, found: Row, number: int, name: str, rest: list[Segment]
    ) -> Response:
        attachment = self._attachments.find(found["id"], number, name)
        if attachment is None:
            raise RestError.no_file()
        wanted = (asked.method, names(rest))
        if wanted == ("GET", "$value"):
            kind = mimetypes.guess_type(attachment["name"])[0] or "application/octet-stream"
            return Response(attachment["content"], media_type=kind)
        if wanted == ("GET", ""):
            return asked.shape.one(_shown(asked, found, attachment))
        if wanted == ("DELETE", ""):
            self._attachments.delete(found["id"], number, name, asked.caller.to_graph())
            return Response(status_code=200)
        raise RestError.not_simulated(f"{asked.method} of an attachment: {names(rest)}")


def _shown(asked: RestRequest, found: Row, row: Row) -> dict[str, Any]:
    place = f"/sites/{asked.site}/Lists/{found['name']}/Attachments/{row['number']}/{row['name']}"
    return {"FileName": row["name"], "ServerRelativeUrl": place}
