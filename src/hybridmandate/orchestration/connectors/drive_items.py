"""Drive items of Microsoft Graph as the file connectors show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hybridmandate.orchestration.engine import Answer


def file_metadata(item: Mapping[str, Any]) -> dict[str, Any]:
    """A drive item as the connector's file metadata."""
    path = f"{_folder(item)}/{item['name']}"
    return {
        "ItemId": item["id"],
        "Id": item["id"],
        "Name": item["name"],
        "DisplayName": item["name"],
        "Path": path,
        "LastModified": item.get("lastModifiedDateTime"),
        "Size": item.get("size"),
        "MediaType": (item.get("file") or {}).get("mimeType"),
        "IsFolder": "folder" in item,
        "ETag": item.get("eTag"),
        "FileLocator": item["id"],
    }


def file_properties(item: Mapping[str, Any]) -> dict[str, Any]:
    """A drive item as the connector's 'properties only' item."""
    name = str(item["name"])
    folder = _folder(item)
    return {
        "ID": item["id"],
        "Created": item.get("createdDateTime"),
        "Author": _person(item.get("createdBy")),
        "Modified": item.get("lastModifiedDateTime"),
        "Editor": _person(item.get("lastModifiedBy")),
        "{Identifier}": item["id"],
        "{IsFolder}": "folder" in item,
        "{Link}": item.get("webUrl"),
        "{Name}": name.rpartition(".")[0] or name,
        "{FilenameWithExtension}": name,
        "{Path}": f"{folder}/".lstrip("/"),
        "{FullPath}": f"{folder}/{name}".lstrip("/"),
        "{ETag}": item.get("eTag"),
    }


def _folder(item: Mapping[str, Any]) -> str:
    path = str((item.get("parentReference") or {}).get("path") or "")
    return path.partition("root:")[2].rstrip("/")


def _person(identity: Any) -> dict[str, Any]:
    """Who did it: a person, or an application, which has no mail."""
    parts = identity if isinstance(identity, Mapping) else {}
    user = parts.get("user") or {}
    application = parts.get("application") or {}
    return {
        "DisplayName": user.get("displayName") or application.get("displayName"),
        "Email": user.get("email") or user.get("userPrincipalName"),
    }


def shaped(answer: Answer, shape: Callable[[Any], Any]) -> Answer:
    """An answer whose body is shown in another shape, when it succeeded."""
    if answer.fault is not None or answer.status >= 300:
        return answer
    return Answer(200, answer.headers, shape(answer.body))
