"""Files of a library as items of its list: the columns that SharePoint keeps for a file."""

from __future__ import annotations

import json
from typing import Any

from hybridmandate.twin.office.body import graph_time
from hybridmandate.twin.office.tables import Row

READ_ONLY = frozenset(
    {"id", "ID", "Created", "Modified", "FileLeafRef", "FileDirRef", "FSObjType"}
    | {"File_x0020_Type", "_UIVersionString"}
)


def library_fields(row: Row) -> dict[str, Any]:
    """The columns of a file: its own, and those that are made of it."""
    name = str(row["name"])
    return {
        **json.loads(row["fields"] or "{}"),
        "id": row["id"],
        "ID": row["id"],
        "_UIVersionString": f"{row['version']}.0",
        "FileLeafRef": name,
        "FileDirRef": row["folder"],
        "FSObjType": 0,
        "File_x0020_Type": name.rpartition(".")[2] if "." in name else "",
        "Created": graph_time(row["created"]),
        "Modified": graph_time(row["modified"]),
    }


def library_item(row: Row) -> dict[str, Any]:
    """A file as an item of its library's list, with its place in the drive."""
    return {
        "id": row["id"],
        "eTag": f'"{row["id"]},{row["version"]}"',
        "createdDateTime": graph_time(row["created"]),
        "lastModifiedDateTime": graph_time(row["modified"]),
        "createdBy": json.loads(row["created_by"]),
        "lastModifiedBy": json.loads(row["modified_by"]),
        "fields": library_fields(row),
        "driveItem": {
            "id": row["id"],
            "name": row["name"],
            "size": len(row["content"]),
            "file": {"mimeType": row["content_type"]},
            "parentReference": {"path": f"/drive/root:/{row['folder']}"},
        },
    }
