"""'Get changes for an item or a file (properties only)': which columns differ between two versions.

A window begins and ends at a version ('3.0', '3'), at a time, or at a window token of a trigger.
Versions come from Microsoft Graph v1.0. Sources: learn.microsoft.com/connectors/sharepointonline
('GetItemChanges'); learn.microsoft.com/graph/api/listitem-list-versions; the answer's
``ColumnHasChanged`` as public flows read it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from hybridmandate.orchestration.connectors.drive_items import shaped
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import ServiceSession
from hybridmandate.orchestration.engine import Answer

_LABEL = re.compile(r"(?P<major>[0-9]{1,9})(?:\.0)?")
_STAMPS = frozenset({"id", "ID", "Created", "Modified"})
Version = Mapping[str, Any]


async def item_changes(session: ServiceSession, items: str, call: OperationCall) -> Answer:
    """The columns that changed from ``since`` to ``until``, or to now.

    :raises ValueError: when a border is neither a version nor a time.
    """
    since = _border(call.required("since"), "since")
    given = call.parameters.get("until")
    until = None if given in (None, "") else _border(given, "until")
    address = f"{items}/{quote(str(call.required('id')), safe='')}/versions"
    answer = await session.send("GET", address, call=call, query={"$expand": "fields"})
    return shaped(answer, lambda body: _changes(body["value"], since, until))


Border = int | datetime
"""A version by its number, or a moment."""


def _border(given: Any, name: str) -> Border:
    text = str(given).strip()
    label = _LABEL.fullmatch(text)
    if label is not None:
        return int(label["major"])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{name} is '{text[:60]}': a version (3.0), a time or a window token is needed"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _changes(
    versions: Sequence[Version], since: Border, until: Border | None
) -> dict[str, dict[str, bool]]:
    """``versions`` are in the order of Graph: the newest first."""
    before = _columns(_at(versions, since, "since"))
    last = versions[0] if until is None else _at(versions, until, "until")
    after = _columns(last)
    names = sorted((before.keys() | after.keys()) - _STAMPS)
    changed = {name: before.get(name) != after.get(name) for name in names}
    return {"ColumnHasChanged": changed}


def _columns(version: Version | None) -> dict[str, Any]:
    return {} if version is None else dict(version.get("fields") or {})


def _at(versions: Sequence[Version], border: Border, name: str) -> Version | None:
    """The version at a border, None for a time before the first and for version 0.

    :raises ValueError: for a version that the item does not have.
    """
    if isinstance(border, datetime):
        before = (each for each in versions if _modified(each) <= border)
        return next(before, None)
    if border == 0:
        return None
    for each in versions:
        if _border(each["id"], "id") == border:
            return each
    raise ValueError(f"{name} is {border}.0: the item has no such version")


def _modified(version: Version) -> datetime:
    return datetime.fromisoformat(str(version["lastModifiedDateTime"]))
