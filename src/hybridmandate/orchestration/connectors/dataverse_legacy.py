"""Common Data Service, legacy (``shared_commondataservice``): rows under its older operation ids.

It is the same Web API; ``table`` is the entity set, rows come with ``ItemInternalId``. A lookup is
written as a pair of columns there (`_x_value`, `_x_type`), which is refused: the Web API needs the
navigation property, which the pair does not name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from hybridmandate.orchestration.connectors.connector import Connector, Handler
from hybridmandate.orchestration.connectors.dataverse import DataverseConnector
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.engine import Answer

LEGACY_TRIGGERS: Mapping[str, int] = {
    "GetOnNewItems": 1,
    "GetOnNewItems_V2": 1,
    "GetOnDeletedItems": 2,
    "GetOnDeletedItems_V2": 2,
    "GetOnUpdatedItems": 3,
    "GetOnUpdatedItems_V2": 3,
    "SubscribeOnNewItems": 1,
    "SubscribeOnDeletedItems": 2,
    "SubscribeOnUpdatedItems": 3,
}
"""The triggers with their message: added, deleted, modified."""
ROW_TRIGGERS = frozenset(each for each in LEGACY_TRIGGERS if each.startswith("Subscribe"))
"""Those that give one row as their body; the others give a list under ``value``."""
OWN_ROWS, ALL_ROWS = 1, 4
SCOPES: Mapping[str, int] = {
    "user": OWN_ROWS,
    "business unit": 2,
    "parent: child business unit": 3,
    "organization": ALL_ROWS,
}
"""The scopes of these triggers as the legacy connector names them."""


class LegacyDataverseConnector(Connector):
    """Get, list, create, update and delete rows."""

    api_name = "shared_commondataservice"
    triggers = frozenset(LEGACY_TRIGGERS)

    async def create(self, call: OperationCall) -> Answer:
        """PostItem_V2: the new row comes back."""
        return _item(await self._rows.create(self._modern(call)))

    async def update(self, call: OperationCall) -> Answer:
        """PatchItem_V2: changes a row that exists."""
        return _item(await self._rows.update_only(self._modern(call)))

    async def get(self, call: OperationCall) -> Answer:
        """GetItem_V2: one row."""
        return _item(await self._rows.get(self._modern(call)))

    async def list_rows(self, call: OperationCall) -> Answer:
        """GetItems_V2: rows."""
        answer = await self._rows.list_rows(self._modern(call))
        if answer.fault is not None or answer.status != 200:
            return answer
        shown = [_with_id(row) for row in answer.body["value"]]
        return Answer(200, answer.headers, {**answer.body, "value": shown})

    async def delete(self, call: OperationCall) -> Answer:
        """DeleteItem: removes a row."""
        return await self._rows.delete(self._modern(call))

    @property
    def _rows(self) -> DataverseConnector:
        return DataverseConnector(self.settings, self.session)

    def _modern(self, call: OperationCall) -> OperationCall:
        """The call in the parameters of the present connector."""
        parameters = {**call.parameters, "entityName": call.required("table")}
        if "id" in parameters:
            parameters["recordId"] = parameters.pop("id")
        for name in call.nested("item"):
            if name.startswith("_") and name.endswith(("_value", "_type")):
                raise ValueError(
                    f"'item/{name}': lookups of the legacy connector are not simulated"
                )
        return replace(call, parameters=parameters)

    operations: ClassVar[Mapping[str, Handler]] = {
        "PostItem_V2": create,
        "PatchItem_V2": update,
        "GetItem_V2": get,
        "GetItems_V2": list_rows,
        "DeleteItem": delete,
    }


def _item(answer: Answer) -> Answer:
    if answer.fault is not None or answer.status >= 300 or not isinstance(answer.body, Mapping):
        return answer
    return Answer(answer.status, answer.headers, _with_id(answer.body))


def _with_id(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its id under the name that every table has, taken from its address."""
    row_id = str(row.get("@odata.id") or "").rpartition("(")[2].rstrip(")")
    return {**row, "ItemInternalId": row_id or None}
