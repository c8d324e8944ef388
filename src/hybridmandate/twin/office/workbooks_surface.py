"""Graph's workbooks: the columns and rows of a table in a stored xlsx file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from hybridmandate.twin.office.body import json_body
from hybridmandate.twin.office.caller import Persona, require
from hybridmandate.twin.office.errors import GraphError, not_found, not_supported
from hybridmandate.twin.office.files_surface import SITES, SITES_WRITE
from hybridmandate.twin.office.library import Library
from hybridmandate.twin.office.query import whole_number
from hybridmandate.twin.office.tables import Row
from hybridmandate.twin.office.workbook_file import NoRoom, NoSuchRow, WorkbookFile
from hybridmandate.twin.office.workbook_tables import (
    NoSuchTable,
    NoWorkbook,
    WorkbookTable,
    read_table,
    sheet_names,
    table_names,
)


class WorkbooksSurface:
    """Endpoints of workbook tables."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._writing = asyncio.Lock()

    async def columns(self, request: Request, caller: Persona) -> Response:
        """The columns of a table."""
        table = await self._table(request, caller)
        named = [{"index": n, "name": name} for n, name in enumerate(table.columns)]
        return JSONResponse({"value": named})

    async def tables(self, request: Request, caller: Persona) -> Response:
        """The tables of a workbook."""
        require(caller, *SITES)
        file = await self._file(request)
        names = await _opened(table_names, bytes(file["content"]))
        return JSONResponse({"value": [{"id": each, "name": each} for each in names]})

    async def worksheets(self, request: Request, caller: Persona) -> Response:
        """The worksheets of a workbook."""
        require(caller, *SITES)
        file = await self._file(request)
        names = await _opened(sheet_names, bytes(file["content"]))
        shown = [
            {"id": name, "name": name, "position": n, "visibility": "Visible"}
            for n, name in enumerate(names)
        ]
        return JSONResponse({"value": shown})

    async def rows(self, request: Request, caller: Persona) -> Response:
        """The rows of a table, cut by ``$top`` and ``$skip``; POST adds one."""
        if request.method == "POST":
            return await self._add(request, caller)
        table = await self._table(request, caller)
        query = request.query_params
        start = whole_number(query, "$skip", 0, code="InvalidArgument")
        end = start + whole_number(query, "$top", len(table.rows), code="InvalidArgument")
        shown = [
            {"index": start + n, "values": [list(row)]}
            for n, row in enumerate(table.rows[start:end])
        ]
        return JSONResponse({"value": shown})

    async def row(self, request: Request, caller: Persona) -> Response:
        """One row by its number: PATCH changes it, DELETE removes it."""
        number = int(request.path_params["index"])
        if request.method == "DELETE":
            await self._changed(request, caller, lambda book: book.remove(number))
            return Response(status_code=204)
        values = _values(await json_body(request))
        await self._changed(request, caller, lambda book: book.change(number, values))
        return await self._shown(request, caller, number, 200)

    async def _add(self, request: Request, caller: Persona) -> Response:
        given = await json_body(request)
        if given.get("index") is not None:
            raise not_supported("adding a row between others")
        values = _values(given)
        index = await self._changed(request, caller, lambda book: book.add(values))
        return await self._shown(request, caller, index, 201)

    async def _shown(self, request: Request, caller: Persona, index: int, status: int) -> Response:
        table = await self._table(request, caller)
        row = {"index": index, "values": [list(table.rows[index])]}
        return JSONResponse(row, status_code=status)

    async def _changed(
        self, request: Request, caller: Persona, change: Callable[[WorkbookFile], Any]
    ) -> Any:
        require(caller, *SITES_WRITE)
        table = request.path_params["table"]

        def work(file: Row) -> Any:
            book = WorkbookFile(bytes(file["content"]), table)
            done = change(book)
            self._library.put_file(
                file["site"],
                file["folder"],
                file["name"],
                book.to_bytes(),
                content_type=file["content_type"],
                author=caller.to_graph(),
                on_conflict="replace",
            )
            return done

        async with self._writing:
            return await _opened(work, await self._file(request))

    async def _table(self, request: Request, caller: Persona) -> WorkbookTable:
        require(caller, *SITES)
        file = await self._file(request)
        found: WorkbookTable = await _opened(
            read_table, bytes(file["content"]), request.path_params["table"]
        )
        return found

    async def _file(self, request: Request) -> Row:
        place = request.path_params
        file = await run_in_threadpool(self._library.file, place["site"], place["item"])
        if file is None:
            raise not_found(f"The item '{place['item']}'")
        return file


async def _opened(work: Callable[..., Any], *arguments: Any) -> Any:
    """Work on a workbook. :raises GraphError: when it cannot be opened or changed so."""
    try:
        return await run_in_threadpool(work, *arguments)
    except NoSuchTable as error:
        raise not_found(f"The table '{error}'") from None
    except NoSuchRow as error:
        raise not_found(f"The row {error}") from None
    except NoRoom as error:
        raise GraphError(409, "InsertDeleteConflict", f"The row does not fit: {error}.") from None
    except NoWorkbook as error:
        raise GraphError(400, "InvalidArgument", f"The file cannot be opened: {error}") from None
    except ValueError as error:
        raise GraphError(400, "InvalidArgument", f"The values do not fit: {error}.") from None


def _values(given: dict[str, Any]) -> list[Any]:
    values = given.get("values")
    if not isinstance(values, list) or len(values) != 1 or not isinstance(values[0], list):
        raise GraphError(400, "InvalidArgument", "values must be a list with one row.")
    if not all(each is None or isinstance(each, str | int | float) for each in values[0]):
        raise GraphError(400, "InvalidArgument", "A value is a text, a number, or true or false.")
    row: list[Any] = values[0]
    return row
