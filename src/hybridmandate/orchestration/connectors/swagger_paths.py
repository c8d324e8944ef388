"""Actions that name a path of their connector instead of an operation (type ``ApiConnection``).

Flows that were made before operation ids came, and Azure Logic Apps, write ``method``, ``path``,
``queries`` and ``body``; values in the path are encoded once or twice. The paths are those of the
connectors' public definitions (Azure/Connectors-NET-SDK) and of public flows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote

_NAME = re.compile(r"\{(\w+)\}")
_EXPRESSION = re.compile(r"@\{(?:[^{}']|'(?:[^']|'')*')*\}")
_KEY = re.compile(r"\['([^']+)'\]\['connectionId'\]")


@dataclass(frozen=True)
class Route:
    """An operation's path; ``body`` names the parameter that takes the body."""

    method: str
    path: str
    operation: str
    body: str = "body"

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The path with a group for each of its values."""
        parts = _NAME.split(self.path)
        texts = [
            re.escape(each) if n % 2 == 0 else f"(?P<{each}>[^/]+)" for n, each in enumerate(parts)
        ]
        return re.compile("".join(texts), re.IGNORECASE)


_TABLE = "/datasets/{dataset}/tables/{table}/items"
_FILES = "/datasets/{dataset}/files"


def _rows() -> Iterator[Route]:
    for table in (f"/v2{_TABLE}", _TABLE):
        yield Route("get", table, "GetItems_V2")
        yield Route("post", table, "PostItem_V2", "item")
        yield Route("get", f"{table}/{{id}}", "GetItem_V2")
        yield Route("patch", f"{table}/{{id}}", "PatchItem_V2", "item")
        yield Route("delete", f"{table}/{{id}}", "DeleteItem")


def _files(folder: str) -> Iterator[Route]:
    yield Route("post", folder, "CreateFile")
    yield Route("get", f"{folder}/{{id}}", "GetFileMetadata")
    yield Route("put", f"{folder}/{{id}}", "UpdateFile")
    yield Route("delete", f"{folder}/{{id}}", "DeleteFile")
    yield Route("get", f"{folder}/{{id}}/content", "GetFileContent")
    above = folder.rpartition("/")[0]
    yield Route("get", f"{above}/GetFileByPath", "GetFileMetadataByPath")
    yield Route("get", f"{above}/GetFileContentByPath", "GetFileContentByPath")


ROUTES: Mapping[str, tuple[Route, ...]] = {
    "shared_approvals": (
        Route("post", "/types/{approvalType}", "CreateAnApproval", "ApprovalCreationInput"),
        Route(
            "",
            "/types/{approvalType}/subscriptions",
            "StartAndWaitForAnApproval",
            "WebhookApprovalCreationInput",
        ),
        Route("", "/approvals/{approvalName}/subscriptions", "WaitForAnApproval"),
    ),
    "shared_commondataservice": tuple(_rows()),
    "shared_conversionservice": (Route("post", "/html2text", "HtmlToText", "Content"),),
    "shared_office365": (
        Route("post", "/Mail", "SendEmail", "emailMessage"),
        Route("post", "/v2/Mail", "SendEmailV2", "emailMessage"),
        Route("post", "/v2/SharedMailbox/Mail", "SharedMailboxSendEmailV2", "emailMessage"),
        Route("delete", "/codeless/v1.0/me/messages/{messageId}", "DeleteEmail_V2"),
    ),
    "shared_azuread": (Route("get", "/v1.0/groups/{id}/members", "GetGroupMembers"),),
    "shared_office365groups": (
        Route("get", "/v1.0/groups", "ListGroups"),
        Route("get", "/v1.0/groups/{groupId}/members", "ListGroupMembers"),
        Route("post", "/v1.0/groups/{groupId}/members/$ref", "AddMemberToGroup"),
    ),
    "shared_office365users": (
        Route("get", "/codeless/v1.0/me", "MyProfile_V2"),
        Route("get", "/codeless/v1.0/users/{id}", "UserProfile_V2"),
        Route("get", "/codeless/v1.0/users/{id}/manager", "Manager_V2"),
        Route("get", "/codeless/v1.0/users/{id}/directReports", "DirectReports_V2"),
    ),
    "shared_onedriveforbusiness": tuple(_files("/datasets/default/files")),
    "shared_sharepointonline": (
        *_files(_FILES),
        Route("get", _TABLE, "GetItems"),
        Route("post", _TABLE, "PostItem", "item"),
        Route("get", f"{_TABLE}/{{id}}", "GetItem"),
        Route("patch", f"{_TABLE}/{{id}}", "PatchItem", "item"),
        Route("delete", f"{_TABLE}/{{id}}", "DeleteItem"),
        Route("post", f"{_TABLE}/{{id}}/changes", "GetItemChanges"),
        Route("get", f"{_TABLE}/{{itemId}}/attachments", "GetItemAttachments"),
        Route("post", f"{_TABLE}/{{itemId}}/attachments", "CreateAttachment"),
        Route("delete", f"{_TABLE}/{{itemId}}/attachments/{{attachmentId}}", "DeleteAttachment"),
        Route(
            "get",
            f"{_TABLE}/{{itemId}}/attachments/{{attachmentId}}/$value",
            "GetAttachmentContent",
        ),
        Route("get", f"{_TABLE}/{{id}}/getfileitem", "GetFileItem"),
        Route("patch", f"{_TABLE}/{{id}}/patchfileitem", "PatchFileItem", "item"),
        Route("post", "/datasets/{dataset}/httprequest", "HttpRequest", "parameters"),
    ),
    "shared_webcontents": (Route("post", "/codeless/InvokeHttp", "InvokeHttp", "request"),),
}
"""The paths that are known, by connector."""


_CHANGED_ROWS = "/datasets/{dataset}/tables/{table}"
TRIGGER_ROUTES: tuple[Route, ...] = (
    Route("get", f"{_CHANGED_ROWS}/onnewitems", "GetOnNewItems"),
    Route("get", f"{_CHANGED_ROWS}/onupdateditems", "GetOnUpdatedItems"),
    Route("get", f"{_CHANGED_ROWS}/onnewfileitems", "GetOnNewFileItems"),
    Route("get", f"{_CHANGED_ROWS}/onupdatedfileitems", "GetOnUpdatedFileItems"),
    Route("", f"{_CHANGED_ROWS}/onnewitemswebhook", "SubscribeOnNewItems"),
    Route("", f"{_CHANGED_ROWS}/onupdateditemswebhook", "SubscribeOnUpdatedItems"),
    Route("", f"{_CHANGED_ROWS}/ondeleteditemswebhook", "SubscribeOnDeletedItems"),
)
"""The paths of triggers that are known; the connector is that of the connection."""


@dataclass(frozen=True, slots=True)
class Routed:
    """The operation that a path stands for, with the action's values as its parameters."""

    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


def routed(api_name: str, request: Mapping[str, Any]) -> Routed | None:
    """The operation of a request, None for a path that is not known."""
    return _first(ROUTES.get(api_name, ()), request)


def routed_trigger(inputs: Mapping[str, Any]) -> Routed | None:
    """The operation of a trigger's inputs, None for a path that is not known."""
    return _first(TRIGGER_ROUTES, inputs)


def _first(routes: Iterable[Route], request: Mapping[str, Any]) -> Routed | None:
    method, path = str(request.get("method") or "").lower(), str(request.get("path") or "")
    for route in routes:
        match = route.pattern.fullmatch(path) if route.method == method else None
        if match is None:
            continue
        values = {name: unquote(unquote(text)) for name, text in match.groupdict().items()}
        queries = request.get("queries") or {}
        body = request.get("body")
        given = {} if body is None else {route.body: body}
        return Routed(route.operation, {**queries, **values, **given})
    return None


def without_values(path: str) -> str:
    """A path of a definition with a plain word for each of its expressions."""
    return _EXPRESSION.sub("value", path)


def connection_key(connection: Any) -> str | None:
    """The key of the connection that an expression of a definition names, None for none."""
    match = _KEY.search(str(connection))
    return None if match is None else match[1]
