"""The parts of the metadata API that clients ask before they touch rows."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from hybridmandate.twin.dataverse.errors import DataverseError, unsupported
from hybridmandate.twin.dataverse.exchange import ApiAnswer, ApiRequest
from hybridmandate.twin.dataverse.table import ColumnDefinition, TableDefinition

_BY_NAME = re.compile(r"(?i)\(?\s*(logicalname|entitysetname)\s+eq\s+'([^']*)'\s*\)?")
_KEY = re.compile(r"(?i)logicalname\s*=\s*'([^']*)'")
_PICKLISTS = "/Attributes/Microsoft.Dynamics.CRM.PicklistAttributeMetadata"

_ATTRIBUTE_TYPES = {
    "string": "String",
    "memo": "Memo",
    "integer": "Integer",
    "decimal": "Decimal",
    "money": "Money",
    "boolean": "Boolean",
    "datetime": "DateTime",
    "date": "DateTime",
    "guid": "Uniqueidentifier",
    "choice": "Picklist",
    "choices": "Virtual",
    "lookup": "Lookup",
    "file": "Virtual",
}
_METADATA_TYPES = {"choices": "MultiSelectPicklist", "file": "File"}
"""Types whose metadata has another name than their attribute type."""
_ATTRIBUTE_BY_NAME = re.compile(r"(?i)\s*logicalname\s+eq\s+'([^']*)'\s*")


def metadata_answer(
    request: ApiRequest,
    key: str | None,
    rest: str | None,
    tables: Mapping[str, TableDefinition],
) -> ApiAnswer:
    """EntityDefinitions: all, by filter, by key, and below a key their attributes and keys.

    :raises DataverseError: 404 for an unknown table, 501 for what is not supported.
    """
    if request.method != "GET" or not request.path.startswith("EntityDefinitions"):
        raise unsupported(f"{request.method} {request.path.partition('(')[0]}")
    if key is None:
        return ApiAnswer(200, {"value": [_entity(t) for t in _filtered(request, tables)]})
    table = _named(key, tables)
    if not rest:
        return ApiAnswer(200, _entity(table))
    if rest.startswith(_PICKLISTS):
        choices = [c for c in table.columns.values() if c.type == "choice"]
        return ApiAnswer(200, {"value": [_picklist(table, column) for column in choices]})
    if rest == "/Attributes":
        names = _filtered_names(request, table)
        return ApiAnswer(200, {"value": [_attribute(table, name) for name in names]})
    if rest == "/Keys":
        return ApiAnswer(200, {"value": [_entity_key(table, name) for name in table.keys]})
    raise unsupported(f"EntityDefinitions{rest}")


def _filtered(request: ApiRequest, tables: Mapping[str, TableDefinition]) -> list[TableDefinition]:
    text = request.query.get("$filter")
    if text is None or text.strip().lower() == "isprivate eq false":
        return list(tables.values())
    match = _BY_NAME.fullmatch(text.strip())
    if match is None:
        raise unsupported(f"the metadata filter '{text}'")
    attribute = "logical_name" if match[1].lower() == "logicalname" else "entity_set"
    return [t for t in tables.values() if getattr(t, attribute) == match[2]]


def _named(key: str, tables: Mapping[str, TableDefinition]) -> TableDefinition:
    match = _KEY.fullmatch(key.strip())
    for table in tables.values():
        if (match is not None and table.logical_name == match[1]) or _id(table) == key.lower():
            return table
    raise DataverseError(404, "0x80060888", f"Could not find an entity with the key {key}.")


def _entity(table: TableDefinition) -> dict[str, Any]:
    return {
        "MetadataId": _id(table),
        "LogicalName": table.logical_name,
        "SchemaName": table.schema_name,
        "EntitySetName": table.entity_set,
        "PrimaryIdAttribute": table.primary_id,
        "PrimaryNameAttribute": table.primary_name,
        "DisplayName": {"UserLocalizedLabel": {"Label": table.display_name}},
        "IsPrivate": False,
        "OwnershipType": "UserOwned",
    }


def _names(table: TableDefinition) -> list[str]:
    return [table.primary_id, *table.columns]


def _filtered_names(request: ApiRequest, table: TableDefinition) -> list[str]:
    text = request.query.get("$filter")
    if text is None:
        return _names(table)
    match = _ATTRIBUTE_BY_NAME.fullmatch(text)
    if match is None:
        raise unsupported(f"the metadata filter '{text}'")
    return [name for name in _names(table) if name == match[1]]


def _picklist(table: TableDefinition, column: ColumnDefinition) -> dict[str, Any]:
    options = [
        {"Value": value, "Label": {"LocalizedLabels": [{"Label": label, "LanguageCode": 1033}]}}
        for value, label in column.options.items()
    ]
    return {**_attribute(table, column.name), "OptionSet": {"Options": options}}


def _attribute(table: TableDefinition, name: str) -> dict[str, Any]:
    column = table.columns.get(name)
    kind = "Uniqueidentifier" if column is None else _ATTRIBUTE_TYPES[column.type]
    described = kind if column is None else _METADATA_TYPES.get(column.type, kind)
    return {
        "@odata.type": f"#Microsoft.Dynamics.CRM.{described}AttributeMetadata",
        "MetadataId": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{table.logical_name}/{name}")),
        "LogicalName": name,
        "SchemaName": name,
        "AttributeType": kind,
        "IsPrimaryId": name == table.primary_id,
        "IsPrimaryName": name == table.primary_name,
        "IsCustomAttribute": True,
    }


def _entity_key(table: TableDefinition, name: str) -> dict[str, Any]:
    return {
        "MetadataId": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{table.logical_name}/key/{name}")),
        "LogicalName": name,
        "SchemaName": name,
        "KeyAttributes": list(table.keys[name]),
        "EntityKeyIndexStatus": "Active",
    }


def _id(table: TableDefinition) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, table.logical_name))
