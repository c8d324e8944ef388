"""Excel Online (Business) (``shared_excelonlinebusiness``) over Graph's workbook interface.

``source`` is the site, as its address or as ``sites/<site>``; its last segment is the site in
Graph, unless the option ``site`` names it; ``file`` is the workbook's identifier in the site's
drive. Values come as texts, moments as serial days, as the connector gives them by default.
Sources: learn.microsoft.com/connectors/excelonlinebusiness;
learn.microsoft.com/graph/api/resources/excel.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from hybridmandate.orchestration.connectors.connector import Connector, Handler
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.engine import Answer
from hybridmandate.orchestration.limits import Profile, limit

DEFAULT_ROWS = 256
"""What the connector gives without ``$top`` and pagination."""
MAX_ROWS = limit("page.items").of(Profile.MEDIUM)
_REFUSED = ("$filter", "$orderby", "$select", "extractSensitivityLabel")


class ExcelConnector(Connector):
    """Rows of a table in a workbook: list."""

    api_name = "shared_excelonlinebusiness"

    async def rows(self, call: OperationCall) -> Answer:
        """GetItems: the rows below the headers of a table; ``$top`` and ``$skip`` cut them."""
        refused = [each for each in _REFUSED if call.parameters.get(each)]
        if refused:
            raise ValueError(f"'{refused[0]}' of GetItems is not simulated: filter in the flow")
        table = self._table(call)
        columns = await self.session.send("GET", f"{table}/columns", call=call)
        if columns.fault is not None or columns.status != 200:
            return columns
        query = {"$top": str(_wanted(call)), "$skip": str(int(call.parameters.get("$skip") or 0))}
        rows = await self.session.send("GET", f"{table}/rows", call=call, query=query)
        if rows.fault is not None or rows.status != 200:
            return rows
        names = [str(each["name"]) for each in columns.body["value"]]
        return Answer(
            200, rows.headers, {"value": [_row(names, each) for each in rows.body["value"]]}
        )

    def _table(self, call: OperationCall) -> str:
        source = str(call.required("source")).rstrip("/").rpartition("/")[2]
        site = quote(self.settings.options.get("site") or source, safe="")
        file = quote(str(call.required("file")), safe="")
        table = quote(str(call.required("table")), safe="")
        return f"/v1.0/sites/{site}/drive/items/{file}/workbook/tables/{table}"

    operations: ClassVar[Mapping[str, Handler]] = {"GetItems": rows}


def _wanted(call: OperationCall) -> int:
    top = call.parameters.get("$top")
    if top not in (None, ""):
        return min(int(str(top)), MAX_ROWS)
    return DEFAULT_ROWS if call.pagination is None else min(call.pagination, MAX_ROWS)


def _row(names: list[str], row: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: _text(each) for name, each in zip(names, row["values"][0], strict=True)}
    return {"@odata.etag": "", "ItemInternalId": str(row["index"]), **shown}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return "" if value is None else str(value)
