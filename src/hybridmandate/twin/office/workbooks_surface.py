"""Graph's workbooks: the columns and rows of a table in a stored xlsx file."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hybridmandate.twin.office.caller import Persona, require
from hybridmandate.twin.office.errors import GraphError, not_found
from hybridmandate.twin.office.files_surface import SITES
from hybridmandate.twin.office.library import Library
from hybridmandate.twin.office.query import whole_number
from hybridmandate.twin.office.workbook_tables import (
    NoSuchTable,
    NoWorkbook,
    WorkbookTable,
    read_table,
)


class WorkbooksSurface:
    """Endpoints of workbook tables."""

    def __init__(self, library: Library) -> None:
        self._library = library

    async def columns(self, request: Request, caller: Persona) -> Response:
        """The columns of a table."""
        table = await self._table(request, caller)
        named = [{"index": n, "name": name} for n, name in enumerate(table.columns)]
        return JSONResponse({"value": named})

    async def rows(self, request: Request, caller: Persona) -> Response:
        """The rows of a table, cut by ``$top`` and ``$skip``."""
        table = await self._table(request, caller)
        query = request.query_params
        start = whole_number(query, "$skip", 0, code="InvalidArgument")
        end = start + whole_number(query, "$top", len(table.rows), code="InvalidArgument")
        shown = [
            {"index": start + n, "values": [list(row)]}
            for n, row in enumerate(table.rows[start:end])
        ]
        return JSONResponse({"value": shown})

    async def _table(self, request: Request, caller: Persona) -> WorkbookTable:
        require(caller, *SITES)
        place = request.path_params
        file = await run_in_threadpool(self._library.file, place["site"], place["item"])
        if file is None:
            raise not_found(f"The item '{place['item']}'")
        try:
            return await run_in_threadpool(read_table, bytes(file["content"]), place["table"])
        except NoSuchTable:
            raise not_found(f"The table '{place['table']}'") from None
        except NoWorkbook as error:
            raise GraphError(
                400, "InvalidArgument", f"The file cannot be opened: {error}"
            ) from None
