"""How rows are shown: which columns, versions as ETags, preferences that were applied."""

from __future__ import annotations

import re
from typing import Any

from hybridmandate.twin.dataverse.errors import bad_request, unsupported
from hybridmandate.twin.dataverse.exchange import ApiRequest
from hybridmandate.twin.dataverse.store import Row
from hybridmandate.twin.dataverse.table import SYSTEM_COLUMNS, TableDefinition


def shown_row(row: Row, columns: tuple[str, ...]) -> dict[str, Any]:
    """A row as JSON with its ETag."""
    return {"@odata.etag": etag(row), **{name: row[name] for name in columns}}


def etag(row: Row) -> str:
    """The row's version."""
    return f'W/"{row["versionnumber"]}"'


def known_options(request: ApiRequest, known: tuple[str, ...]) -> None:
    """:raises DataverseError: 501 for a query option that is not known here."""
    for option in request.query:
        if option not in known and (option.startswith("$") or option in ("fetchXml", "sql")):
            raise unsupported(f"the query option {option}")


def select(request: ApiRequest, table: TableDefinition) -> tuple[str, ...]:
    """The columns of `$select`. :raises DataverseError: 400 for an unknown one."""
    every = (table.primary_id, *table.columns, *SYSTEM_COLUMNS)
    chosen = list_of(request.query.get("$select"))
    if not chosen:
        return tuple(dict.fromkeys(every))
    for name in chosen:
        if name not in every:
            raise bad_request(
                f"Could not find a property named '{name}' on type "
                f"'Microsoft.Dynamics.CRM.{table.logical_name}'."
            )
    return tuple(dict.fromkeys((*chosen, table.primary_id)))


def list_of(text: str | None) -> list[str]:
    """The parts of a comma-separated option."""
    return [part.strip() for part in text.split(",") if part.strip()] if text else []


def preferences(request: ApiRequest) -> dict[str, str]:
    """The header that says which preference was applied."""
    match = re.search(r"odata\.maxpagesize=[0-9]{1,9}", request.headers.get("prefer", ""))
    return {"preference-applied": match[0]} if match else {}
