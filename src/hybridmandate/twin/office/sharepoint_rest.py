"""SharePoint's own REST interface, below ``/sites/{site}/_api``: what 'Send an HTTP request' calls.

Chosen by the addresses that real flows use (docs/flows/connectors.md); everything else is 501.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from hybridmandate.twin.office.attachments import Attachments
from hybridmandate.twin.office.body import bounded_body
from hybridmandate.twin.office.caller import Persona, require
from hybridmandate.twin.office.errors import GraphError
from hybridmandate.twin.office.files_surface import MAX_FILE_BYTES, SITES, SITES_WRITE
from hybridmandate.twin.office.library import Library
from hybridmandate.twin.office.lists import Lists
from hybridmandate.twin.office.rest_address import Segment, names, parse_address
from hybridmandate.twin.office.rest_errors import RestError
from hybridmandate.twin.office.rest_exchange import Shape
from hybridmandate.twin.office.rest_files import FILE_BY, FOLDER_BY, RestFiles
from hybridmandate.twin.office.rest_lists import RestLists
from hybridmandate.twin.office.rest_request import RestRequest

DIGEST_SECONDS = 1_800
_TUNNELLED = ("MERGE", "PATCH", "PUT", "DELETE")


class SharePointRest:
    """The endpoint of a site's REST interface; ``origin`` is where the stand-in is reached."""

    def __init__(
        self,
        origin: str,
        library: Library,
        lists: Lists,
        attachments: Attachments,
        new_id: Callable[[], str],
    ) -> None:
        self._origin = origin.rstrip("/")
        self._lists = RestLists(lists, attachments)
        self._files = RestFiles(library)
        self._new_id = new_id

    async def serve(self, request: Request, caller: Persona) -> Response:
        """One request. :raises GraphError: 403 without the permission."""
        site = str(request.path_params["site"])
        shape = Shape(request.headers.get("accept", ""), f"{self._origin}/sites/{site}/_api")
        try:
            asked = await self._request(request, caller, site, shape)
            segments = parse_address(str(request.path_params["rest"]))
            return await run_in_threadpool(self._answer, asked, segments)
        except RestError as error:
            return shape.error(error)

    async def _request(
        self, request: Request, caller: Persona, site: str, shape: Shape
    ) -> RestRequest:
        method = request.method
        tunnelled = request.headers.get("x-http-method", "").upper()
        if tunnelled:
            if method != "POST" or tunnelled not in _TUNNELLED:
                raise RestError.bad(f"X-HTTP-Method {tunnelled} cannot go with {method}.")
            method = tunnelled
        require(caller, *(SITES if method == "GET" else SITES_WRITE))
        try:
            message = "The request is too large."
            raw = await bounded_body(request, MAX_FILE_BYTES, "tooLarge", message)
        except GraphError as error:
            raise RestError(413, "-1, System.ArgumentException", error.message) from None
        return RestRequest(
            method=method,
            site=site,
            api=f"{self._origin}/sites/{site}/_api",
            query=dict(request.query_params),
            caller=caller,
            shape=shape,
            raw=raw,
            content_type=request.headers.get("content-type", ""),
            if_match=request.headers.get("if-match"),
            request_id=request.headers.get("client-request-id"),
        )

    def _answer(self, asked: RestRequest, segments: list[Segment]) -> Response:
        name = segments[0].name if segments else ""
        if name == "contextinfo" and len(segments) == 1 and asked.method == "POST":
            return self._context(asked)
        if name == "lists":
            return self._lists.answer(asked, segments)
        if name != "web":
            raise RestError.not_simulated(f"{asked.method} {names(segments) or 'nothing'}")
        if len(segments) == 1 and asked.method == "GET":
            return asked.shape.one(self._web(asked))
        return self._below_web(asked, segments[1:])

    def _below_web(self, asked: RestRequest, segments: list[Segment]) -> Response:
        name = segments[0].name if segments else ""
        if name == "lists":
            return self._lists.answer(asked, segments)
        if name in FILE_BY:
            return self._files.file(asked, segments)
        if name in FOLDER_BY:
            return self._files.folder(asked, segments)
        if name == "folders" and len(segments) == 1 and asked.method == "POST":
            return self._files.new_folder(asked)
        if len(segments) == 1 and asked.method == "GET":
            for known, value in self._web(asked).items():
                if known.lower() == name:
                    return asked.shape.single(known, value)
        raise RestError.not_simulated(f"{asked.method} web/{names(segments)}")

    def _web(self, asked: RestRequest) -> dict[str, str]:
        return {
            "Title": asked.site,
            "Url": f"{self._origin}/sites/{asked.site}",
            "ServerRelativeUrl": f"/sites/{asked.site}",
        }

    def _context(self, asked: RestRequest) -> Response:
        told = {
            "FormDigestTimeoutSeconds": DIGEST_SECONDS,
            "FormDigestValue": self._new_id(),
            "WebFullUrl": f"{self._origin}/sites/{asked.site}",
        }
        return asked.shape.one({"GetContextWebInformation": told} if asked.shape.verbose else told)
