"""What an item of a list, or a file, was before it was changed: SharePoint's major versions.

The current version stands with the item itself, those before it here. Numbers go 1, 2, 3 and are
labelled '1.0', '2.0', '3.0'; there are no drafts. Source: learn.microsoft.com/graph/api/
listitem-list-versions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from hybridmandate.twin.office.body import graph_time
from hybridmandate.twin.office.tables import ITEM_VERSIONS, Row

FILES_KEPT = "files"
"""Where versions of files are kept; those of items are kept under the id of their list."""


def keep_version(
    db: Connection, kept_in: str, item: str, before: Row, fields: Mapping[str, Any]
) -> None:
    """Keep an item as it is ``before`` a change; ``fields`` are its columns."""
    db.execute(
        insert(ITEM_VERSIONS).values(
            kept_in=kept_in,
            item=item,
            version=before["version"],
            fields=json.dumps(dict(fields)),
            modified=before["modified"],
            modified_by=before["modified_by"],
        )
    )


def forget_versions(db: Connection, kept_in: str, item: str) -> None:
    """Remove the versions of an item that is removed."""
    own = (ITEM_VERSIONS.c.kept_in == kept_in, ITEM_VERSIONS.c.item == item)
    db.execute(delete(ITEM_VERSIONS).where(*own))


def versions(
    db: Connection, kept_in: str, item: str, current: Row, fields: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """All versions of an item as Graph shows them, the current one first."""
    own = (ITEM_VERSIONS.c.kept_in == kept_in, ITEM_VERSIONS.c.item == item)
    before = select(ITEM_VERSIONS).where(*own).order_by(ITEM_VERSIONS.c.version.desc())
    kept = [_shown(each, json.loads(each["fields"])) for each in db.execute(before).mappings()]
    return [_shown(current, fields), *kept]


def _shown(row: Row, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": f"{row['version']}.0",
        "lastModifiedDateTime": graph_time(row["modified"]),
        "lastModifiedBy": json.loads(row["modified_by"]),
        "fields": dict(fields),
    }
