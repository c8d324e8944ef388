"""File columns: upload whole or in chunks, download whole or in part, delete.

Source: learn.microsoft.com/power-apps/developer/data-platform/file-column-data ('Use Web API').
"""

from __future__ import annotations

import base64
import re
from urllib.parse import quote

from hybridmandate.twin.dataverse.caller import Caller
from hybridmandate.twin.dataverse.errors import (
    DataverseError,
    bad_request,
    duplicate_key,
    no_resource,
)
from hybridmandate.twin.dataverse.exchange import ROOT, ApiAnswer, ApiRequest
from hybridmandate.twin.dataverse.file_contents import StoredFile, Upload
from hybridmandate.twin.dataverse.row_shape import etag
from hybridmandate.twin.dataverse.store import DataverseStore, Row, Transaction
from hybridmandate.twin.dataverse.table import ColumnDefinition, TableDefinition

CHUNK_BYTES = 4 * 1024 * 1024
MAX_NAME = 255
_RANGE = re.compile(r"bytes=([0-9]{1,12})-([0-9]{1,12})?")
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,12})-([0-9]{1,12})/([0-9]{1,12})")


class FileColumn:
    """Answers requests for `set(id)/column`; ``origin`` is the organisation's address."""

    def __init__(self, store: DataverseStore, origin: str) -> None:
        self._store = store
        self._origin = origin

    def answer(
        self,
        request: ApiRequest,
        table: TableDefinition,
        column: ColumnDefinition,
        row: Row,
        rest: str,
        caller: Caller,
        rows: Transaction,
    ) -> ApiAnswer:
        """:raises DataverseError: for everything that the Web API refuses."""
        if request.method == "GET":
            caller.require("read", table)
            return self._download(request, table, column, row, rest, rows)
        if rest:
            raise no_resource(rest)
        caller.require("update", table)
        if request.method == "DELETE":
            return self._delete(table, column, row, caller, rows)
        if request.method not in ("PATCH", "PUT"):
            raise bad_request(f"{request.method} is not allowed on a file.")
        self._check_version(request, column, row)
        if "sessiontoken" in request.query:
            return self._chunk(request, table, column, row, caller, rows)
        if request.headers.get("x-ms-transfer-mode", "").lower() == "chunked":
            return self._begin(request, table, column, row, rows)
        file = StoredFile(_name(request), request.body)
        self._keep(table, column, row, file, caller, rows)
        return ApiAnswer(204)

    def _download(
        self,
        request: ApiRequest,
        table: TableDefinition,
        column: ColumnDefinition,
        row: Row,
        rest: str,
        rows: Transaction,
    ) -> ApiAnswer:
        file = self._store.files.find(rows.connection, str(row[table.primary_id]), column.name)
        if rest not in ("", "$value"):
            raise no_resource(rest)
        if file is None:
            return ApiAnswer(204)
        if not rest:
            plain = base64.b64encode(file.data).decode()
            return ApiAnswer(200, {"@odata.context": self._context(table, row), "value": plain})
        headers = {
            "x-ms-file-name": quote(file.name),
            "x-ms-file-size": str(len(file.data)),
            "content-disposition": f"attachment; filename*=UTF-8''{quote(file.name, safe='')}",
            "accept-ranges": "bytes",
        }
        wanted = _RANGE.fullmatch(request.headers.get("range", ""))
        if wanted is None:
            return ApiAnswer(200, headers=headers, data=file.data)
        return _part(file, int(wanted[1]), wanted[2], headers)

    def _delete(
        self,
        table: TableDefinition,
        column: ColumnDefinition,
        row: Row,
        caller: Caller,
        rows: Transaction,
    ) -> ApiAnswer:
        row_id = str(row[table.primary_id])
        if self._store.files.remove(rows.connection, row_id, column.name):
            names = dict.fromkeys(column.property_names)
            rows.set_columns(table, row_id, names, caller.actor)
        return ApiAnswer(204)

    def _check_version(self, request: ApiRequest, column: ColumnDefinition, row: Row) -> None:
        # The official client sends `null` for 'only when the column is empty'.
        if request.headers.get("if-none-match") in ("null", "*") and row[column.name] is not None:
            raise duplicate_key(column.name)
        match = request.headers.get("if-match")
        if match not in (None, "*", etag(row)):
            raise DataverseError(
                412,
                "0x80060882",
                "The version of the existing record doesn't match the RowVersion property "
                "provided.",
            )

    def _begin(
        self,
        request: ApiRequest,
        table: TableDefinition,
        column: ColumnDefinition,
        row: Row,
        rows: Transaction,
    ) -> ApiAnswer:
        row_id, name = str(row[table.primary_id]), _name(request)
        token = self._store.files.begin(rows.connection, row_id, column.name, name)
        address = f"{self._origin}{ROOT}{table.entity_set}({row_id})/{column.name}"
        headers = {
            "location": f"{address}?sessiontoken={token}",
            "x-ms-chunk-size": str(CHUNK_BYTES),
            "accept-ranges": "bytes",
        }
        return ApiAnswer(200, headers=headers)

    def _chunk(
        self,
        request: ApiRequest,
        table: TableDefinition,
        column: ColumnDefinition,
        row: Row,
        caller: Caller,
        rows: Transaction,
    ) -> ApiAnswer:
        upload = self._store.files.upload(rows.connection, request.query["sessiontoken"])
        row_id = str(row[table.primary_id])
        if upload is None or (upload.row_id, upload.column) != (row_id, column.name):
            raise bad_request("The session token of the upload is not valid.")
        total = _check_range(request, upload, column)
        self._store.files.add_chunk(rows.connection, upload, request.body)
        if upload.received + len(request.body) < total:
            return ApiAnswer(206)
        data = self._store.files.finish(rows.connection, upload)
        self._keep(table, column, row, StoredFile(upload.name, data), caller, rows)
        return ApiAnswer(204)

    def _keep(
        self,
        table: TableDefinition,
        column: ColumnDefinition,
        row: Row,
        file: StoredFile,
        caller: Caller,
        rows: Transaction,
    ) -> None:
        _check_size(len(file.data), column)
        row_id = str(row[table.primary_id])
        file_id = self._store.files.keep(rows.connection, row_id, column.name, file)
        values = dict(zip(column.property_names, (file_id, file.name), strict=True))
        rows.set_columns(table, row_id, values, caller.actor)

    def _context(self, table: TableDefinition, row: Row) -> str:
        return f"{self._origin}{ROOT}$metadata#{table.entity_set}({row[table.primary_id]})"


def _name(request: ApiRequest) -> str:
    name = request.headers.get("x-ms-file-name") or request.query.get("x-ms-file-name", "")
    if not name or len(name) > MAX_NAME:
        raise bad_request(f"x-ms-file-name must name the file, in at most {MAX_NAME} letters.")
    return name


def _check_size(size: int, column: ColumnDefinition) -> None:
    if size > column.max_bytes:
        raise DataverseError(
            413,
            "0x80044a02",
            f"The file is too large: '{column.name}' takes {column.max_bytes} bytes.",
        )


def _check_range(request: ApiRequest, upload: Upload, column: ColumnDefinition) -> int:
    """The size of the whole file. :raises DataverseError: 400 unless the next bytes come."""
    match = _CONTENT_RANGE.fullmatch(request.headers.get("content-range", ""))
    if match is None:
        raise bad_request("A chunk needs a Content-Range.")
    first, last, total = (int(part) for part in match.groups())
    _check_size(total, column)
    fits = first == upload.received and last - first + 1 == len(request.body) and last < total
    if not fits or len(request.body) > CHUNK_BYTES:
        raise bad_request(f"The chunk {match[0]} does not follow byte {upload.received}.")
    return total


def _part(file: StoredFile, first: int, last: str | None, headers: dict[str, str]) -> ApiAnswer:
    size = len(file.data)
    if first >= size:
        raise DataverseError(416, "0x80060888", "The range is not within the file.")
    end = min(int(last) if last else size - 1, size - 1)
    if end < first:
        raise DataverseError(416, "0x80060888", "The range is not within the file.")
    headers["content-range"] = f"bytes {first}-{end}/{size}"
    return ApiAnswer(206, headers=headers, data=file.data[first : end + 1])
