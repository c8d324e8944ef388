"""Excel Online (Business) (``shared_excelonlinebusiness``) over Graph's workbook interface.

``source`` is the site, as its address or as ``sites/<site>``; its last segment is the site in
Graph, unless the option ``site`` names it; ``file`` is the workbook's identifier in the site's
drive. Values come as texts, moments as serial days, as the connector gives them by default.
A row is found by the value of a key column; its number is used at once.
Sources: learn.microsoft.com/connectors/excelonlinebusiness;
learn.microsoft.com/graph/api/resources/excel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote

from hybridmandate.orchestration.connectors.connector import Handler
from hybridmandate.orchestration.connectors.graph_connector import GraphConnector
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.row_query import ordered, row_filter, selected
from hybridmandate.orchestration.engine import Answer

DEFAULT_ROWS = 256
"""What the connector gives without ``$top`` and pagination."""
MAX_ROWS = 100_000
"""How many rows of a table are looked through for a key, a filter or an order."""
_SERIAL = frozenset({None, "", "Serial Number"})


@dataclass(frozen=True, slots=True)
class Read:
    """Columns and rows of a table, or the answer that says why there are none."""

    failure: Answer | None
    columns: Sequence[str] = ()
    rows: Sequence[dict[str, Any]] = ()


class ExcelConnector(GraphConnector):
    """Rows of a table in a workbook: list, get, add, change, remove; its tables and sheets."""

    api_name = "shared_excelonlinebusiness"

    async def rows(self, call: OperationCall) -> Answer:
        """GetItems: the rows below the headers of a table, as the query says."""
        given = call.parameters
        if given.get("dateTimeFormat") not in _SERIAL:
            raise ValueError("dateTimeFormat of GetItems is simulated as 'Serial Number' only")
        query = [given.get(name) for name in ("$filter", "$orderby")]
        skip, wanted = int(given.get("$skip") or 0), _wanted(call)
        read = await self._read(call, *((MAX_ROWS, 0) if any(query) else (wanted, skip)))
        if read.failure is not None:
            return read.failure
        rows = list(read.rows)
        if query[0]:
            test = row_filter(str(query[0]), read.columns)
            rows = [each for each in rows if test(each)]
        if query[1]:
            rows = ordered(rows, str(query[1]), read.columns)
        if any(query):
            rows = rows[skip : skip + wanted]
        if given.get("$select"):
            rows = [selected(each, str(given["$select"]), read.columns) for each in rows]
        return Answer(200, {}, {"value": rows})

    async def row(self, call: OperationCall) -> Answer:
        """GetItem: the first row whose ``idColumn`` is ``id``; 404 when there is none."""
        read, index = await self._keyed(call)
        if read.failure is not None:
            return read.failure
        return Answer(200, {}, read.rows[index])

    async def add(self, call: OperationCall) -> Answer:
        """AddRowV2: a row below the last one; a column that is not given stays empty."""
        read = await self._read(call, 1, 0)
        if read.failure is not None:
            return read.failure
        values = _values(call, read.columns)
        address = f"{self._table(call)}/rows"
        made = await self.session.send(
            "POST", address, call=call, json_body={"index": None, "values": [values]}
        )
        return _written(made, read.columns)

    async def change(self, call: OperationCall) -> Answer:
        """PatchItem: changes the columns that are given of the row with that key."""
        read, index = await self._keyed(call)
        if read.failure is not None:
            return read.failure
        values = _values(call, read.columns)
        changed = await self.session.send(
            "PATCH", self._numbered(call, index), call=call, json_body={"values": [values]}
        )
        return _written(changed, read.columns)

    async def remove(self, call: OperationCall) -> Answer:
        """DeleteItem: removes the row with that key."""
        read, index = await self._keyed(call)
        if read.failure is not None:
            return read.failure
        return await self.session.send("DELETE", self._numbered(call, index), call=call)

    async def tables(self, call: OperationCall) -> Answer:
        """GetTables: the tables of the workbook."""
        return await self.session.send("GET", f"{self._workbook(call)}/tables", call=call)

    async def worksheets(self, call: OperationCall) -> Answer:
        """GetAllWorksheets: the worksheets of the workbook."""
        return await self.session.send("GET", f"{self._workbook(call)}/worksheets", call=call)

    async def _keyed(self, call: OperationCall) -> tuple[Read, int]:
        column, key = str(call.required("idColumn")), str(call.required("id"))
        read = await self._read(call, MAX_ROWS, 0)
        if read.failure is not None:
            return read, 0
        name = next((each for each in read.columns if each.lower() == column.lower()), None)
        if name is None:
            raise ValueError(f"the table has no column '{column}'")
        for index, each in enumerate(read.rows):
            if each[name] == key:
                return read, index
        message = f"No row was found with Id '{key}'."
        return Read(Answer(404, {}, {"error": {"code": 404, "message": message}})), 0

    async def _read(self, call: OperationCall, top: int, skip: int) -> Read:
        table = self._table(call)
        columns = await self.session.send("GET", f"{table}/columns", call=call)
        if columns.fault is not None or columns.status != 200:
            return Read(columns)
        query = {"$top": str(top), "$skip": str(skip)}
        rows = await self.session.send("GET", f"{table}/rows", call=call, query=query)
        if rows.fault is not None or rows.status != 200:
            return Read(rows)
        names = [str(each["name"]) for each in columns.body["value"]]
        return Read(None, names, [_row(names, each) for each in rows.body["value"]])

    def _workbook(self, call: OperationCall) -> str:
        source = str(call.required("source")).rstrip("/").rpartition("/")[2]
        site = quote(self.settings.options.get("site") or source, safe="")
        file = quote(str(call.required("file")), safe="")
        return f"/v1.0/sites/{site}/drive/items/{file}/workbook"

    def _table(self, call: OperationCall) -> str:
        return f"{self._workbook(call)}/tables/{quote(str(call.required('table')), safe='')}"

    def _numbered(self, call: OperationCall, index: int) -> str:
        return f"{self._table(call)}/rows/itemAt(index={index})"

    operations: ClassVar[Mapping[str, Handler]] = {
        "GetItems": rows,
        "GetItem": row,
        "AddRowV2": add,
        "PatchItem": change,
        "DeleteItem": remove,
        "GetTables": tables,
        "GetAllWorksheets": worksheets,
    }


def _wanted(call: OperationCall) -> int:
    top = call.parameters.get("$top")
    if top not in (None, ""):
        return min(int(str(top)), call.pagination or MAX_ROWS)
    return call.pagination or DEFAULT_ROWS


def _values(call: OperationCall, columns: Sequence[str]) -> list[Any]:
    """The row's values; None for a column that is not given, which Graph leaves as it is.

    :raises ValueError: for a column that the table does not have.
    """
    given = {name.replace("_x0020_", " "): value for name, value in call.nested("item").items()}
    unknown = sorted(given.keys() - set(columns))
    if unknown:
        raise ValueError(f"the table has no column '{unknown[0]}'")
    return [given.get(name) for name in columns]


def _written(answer: Answer, columns: Sequence[str]) -> Answer:
    if answer.fault is not None or answer.status >= 300:
        return answer
    return Answer(200, answer.headers, _row(columns, answer.body))


def _row(names: Sequence[str], row: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: _text(each) for name, each in zip(names, row["values"][0], strict=True)}
    return {"@odata.etag": "", "ItemInternalId": str(row["index"]), **shown}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return "" if value is None else str(value)
