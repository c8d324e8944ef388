"""How rows are shown: which columns, versions as ETags, preferences that were applied."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from hybridmandate.twin.dataverse.errors import bad_request, unsupported
from hybridmandate.twin.dataverse.exchange import ApiRequest
from hybridmandate.twin.dataverse.table import SYSTEM_COLUMNS, TableDefinition

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"
LOOKUP_NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"
_ANNOTATIONS = re.compile(r'odata\.include-annotations="?([^"]*)"?')
_PAGE_SIZE = re.compile(r"odata\.maxpagesize=[0-9]{1,9}")


def etag(row: Mapping[str, Any]) -> str:
    """The row's version."""
    return f'W/"{row["versionnumber"]}"'


def known_options(request: ApiRequest, known: tuple[str, ...]) -> None:
    """:raises DataverseError: 501 for a query option that is not known here."""
    for option in request.query:
        if option not in known and (option.startswith("$") or option in ("fetchXml", "sql")):
            raise unsupported(f"the query option {option}")


def select(query: Mapping[str, str], table: TableDefinition) -> tuple[str, ...]:
    """The properties of `$select`. :raises DataverseError: 400 for an unknown one."""
    every = (*table.property_names, *SYSTEM_COLUMNS)
    chosen = list_of(query.get("$select"))
    if not chosen:
        return tuple(dict.fromkeys(every))
    for name in chosen:
        if name not in every:
            raise bad_request(
                f"Could not find a property named '{name}' on type "
                f"'Microsoft.Dynamics.CRM.{table.logical_name}'."
            )
    files = [
        name
        for each in chosen
        if each in table.columns
        for name in table.columns[each].property_names
    ]
    return tuple(dict.fromkeys((*chosen, *files, table.primary_id)))


def list_of(text: str | None) -> list[str]:
    """The parts of a comma-separated option."""
    return [part.strip() for part in text.split(",") if part.strip()] if text else []


def preferences(request: ApiRequest) -> dict[str, str]:
    """The header that says which preferences were applied."""
    prefer = request.headers.get("prefer", "")
    found = [
        match[0] for pattern in (_PAGE_SIZE, _ANNOTATIONS) if (match := pattern.search(prefer))
    ]
    return {"preference-applied": ",".join(found)} if found else {}


def wanted_annotations(request: ApiRequest) -> tuple[str, ...]:
    """The patterns of `Prefer: odata.include-annotations="…"`; `*` stands for everything."""
    match = _ANNOTATIONS.search(request.headers.get("prefer", ""))
    return tuple(list_of(match[1])) if match else ()


def is_wanted(annotation: str, patterns: tuple[str, ...]) -> bool:
    """Whether an annotation is asked for: by its name, or by a prefix that ends with `*`."""
    return any(
        annotation.startswith(pattern[:-1]) if pattern.endswith("*") else annotation == pattern
        for pattern in patterns
    )
