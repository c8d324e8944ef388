"""Workspaces: a service and the parts of its teams put into one configuration.

Policy scopes of an API of a workspace: all APIs of the service, all APIs of the workspace, product,
API, operation. What a workspace's documents refer to lies in the workspace itself
(learn.microsoft.com/azure/api-management/workspaces-overview). One gateway serves all of them here,
so ids of APIs, products, subscriptions, version sets and back ends are used once among all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hybridmandate.governance.gateway.configuration import Configuration, WorkspaceEntry
from hybridmandate.governance.gateway.errors import PolicyDocumentError

INFORMATION = "workspaceInformation.json"


def with_workspaces(
    service: Configuration, parts: Sequence[tuple[Path, Configuration]]
) -> Configuration:
    """The service with its workspaces, each a folder and what was read from it.

    :raises PolicyDocumentError: for an id that is used twice, a workspace in a workspace, or a
        description that cannot be read.
    """
    whole = service
    for folder, part in parts:
        if part.workspaces:
            raise _wrong(folder, "a workspace holds no workspaces")
        whole = _joined(whole, folder, part)
    return whole


def _joined(whole: Configuration, folder: Path, part: Configuration) -> Configuration:
    id, name = folder.name, _name_of(folder)
    _check_apart(folder, "API", _ids(whole.apis), _ids(part.apis))
    _check_apart(folder, "product", _ids(whole.products), _ids(part.products))
    _check_apart(folder, "subscription", _ids(whole.subscriptions), _ids(part.subscriptions))
    _check_apart(folder, "version set", _ids(whole.version_sets), _ids(part.version_sets))
    _check_apart(folder, "back end", whole.backends, part.backends)
    entry = WorkspaceEntry(
        id,
        name,
        policy=part.global_policy,
        fragments=part.fragments,
        named_values=part.named_values,
        schemas=part.schemas,
        loggers=part.loggers,
    )
    apis = (replace(each, workspace=id, workspace_name=name) for each in part.apis)
    return replace(
        whole,
        apis=(*whole.apis, *apis),
        products=(*whole.products, *(replace(each, workspace=id) for each in part.products)),
        subscriptions=(
            *whole.subscriptions,
            *(replace(each, workspace=id) for each in part.subscriptions),
        ),
        version_sets=(*whole.version_sets, *part.version_sets),
        backends={**whole.backends, **part.backends},
        workspaces=(*whole.workspaces, entry),
    )


def _ids(entries: Iterable[Any]) -> Iterable[str]:
    return (each.id for each in entries)


def _check_apart(folder: Path, kind: str, taken: Iterable[str], own: Iterable[str]) -> None:
    twice = set(taken) & set(own)
    if twice:
        raise _wrong(folder, f"{kind} '{min(twice)}' is there outside of this workspace, too")


def _name_of(folder: Path) -> str:
    """The display name; the folder's own where nothing describes it."""
    file = folder / INFORMATION
    if not file.is_file():
        return folder.name
    try:
        properties = json.loads(file.read_text("utf-8-sig"))["properties"]
        return str(properties.get("displayName", folder.name))
    except json.JSONDecodeError as error:
        raise PolicyDocumentError(str(file), error.lineno, error.colno, error.msg) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise PolicyDocumentError(
            str(file), 1, 1, "an object with 'properties' is expected"
        ) from error


def _wrong(folder: Path, reason: str) -> PolicyDocumentError:
    return PolicyDocumentError(str(folder), 1, 1, reason)
