"""Addresses of rows: `set(id)`, `set(column='value',…)`, and what follows them.

Source: learn.microsoft.com/power-apps/developer/data-platform/webapi/retrieve-entity-using-web-api
('Retrieve using an alternate key').
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hybridmandate.twin.dataverse.errors import bad_request, no_resource, no_row
from hybridmandate.twin.dataverse.exchange import ApiRequest
from hybridmandate.twin.dataverse.table import TableDefinition, guid

if TYPE_CHECKING:
    from hybridmandate.twin.dataverse.store import Transaction

_RESOURCE = re.compile(
    r"(?P<set>[A-Za-z_]\w*)(?:\((?P<key>(?:'[^']*'|[^'()])*)\))?(?P<rest>/.*)?", re.DOTALL
)
_KEY_PART = re.compile(r"\s*([a-z_]\w*)\s*=\s*('(?:[^']|'')*'\s*|[^,'\s][^,']*)(?:,|$)")


@dataclass(frozen=True, slots=True)
class Resource:
    """A path in parts: `set(key)/rest`; ``rest`` keeps its slash, and is empty without one."""

    name: str
    key: str | None
    rest: str

    @classmethod
    def of(cls, path: str) -> Resource:
        """:raises DataverseError: 404 when the path has another form."""
        match = _RESOURCE.fullmatch(path)
        if match is None:
            raise no_resource(path)
        return cls(match["set"], match["key"], match["rest"] or "")


def find_row(
    table: TableDefinition, key: str, rows: Transaction
) -> tuple[str | None, Mapping[str, Any]]:
    """The row's id (None when an alternate key names no row), and the alternate key's values.

    :raises DataverseError: 400 when the key cannot be read or is none of the table's.
    """
    try:
        return guid(key), {}
    except ValueError:
        named = _alternate(key)
    if table.primary_id in named and len(named) == 1:
        try:
            return guid(named[table.primary_id]), {}
        except ValueError:
            raise bad_request(f"The key '{key}' is not a GUID.") from None
    if table.key_of(frozenset(named)) is None:
        raise bad_request(f"The table has no alternate key of {', '.join(sorted(named))}.")
    values = {name: table.convert(name, value) for name, value in named.items()}
    row = rows.find_by_key(table, values)
    return (None if row is None else str(row[table.primary_id])), values


def referenced(address: Any, target: TableDefinition, rows: Transaction) -> str:
    """The id of the row that an address in a body or query names.

    :raises DataverseError: 400 for an address of another table, 404 when there is no such row.
    """
    if not isinstance(address, str):
        raise bad_request("A reference to a row must be an address.")
    resource = Resource.of(ApiRequest.of("GET", address, {}, b"").path)
    if resource.name != target.entity_set or resource.key is None or resource.rest:
        raise bad_request(f"'{address}' is not the address of a row of {target.entity_set}.")
    row_id, _ = find_row(target, resource.key, rows)
    if row_id is None or rows.find(target, row_id) is None:
        raise no_row(target.logical_name, resource.key)
    return row_id


def _alternate(key: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    position = 0
    while position < len(key):
        match = _KEY_PART.match(key, position)
        if match is None:
            raise bad_request(f"The key '{key}' cannot be read.")
        found[match[1]] = _key_value(match[2])
        position = match.end()
    return found


def _key_value(text: str) -> Any:
    text = text.strip()
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    return text
