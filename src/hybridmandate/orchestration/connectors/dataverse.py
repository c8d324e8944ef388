"""Microsoft Dataverse (``shared_commondataserviceforapps``) over its Web API v9.2.

A creation that is repeated after a crash meets the first row and gives it back instead of making a
second one (see :mod:`.dataverse_requests`). Operation ids and the address of the search are those
of the connector's public definition (Azure/Connectors-NET-SDK; learn.microsoft.com/connectors/
commondataserviceforapps).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from hybridmandate.orchestration.connectors import dataverse_requests
from hybridmandate.orchestration.connectors.connector import Connector, Handler
from hybridmandate.orchestration.connectors.dataverse_changeset import execute
from hybridmandate.orchestration.connectors.dataverse_requests import (
    ANNOTATIONS,
    API,
    ApiRequest,
    Build,
    row_address,
)
from hybridmandate.orchestration.connectors.request import MissingParameter, OperationCall
from hybridmandate.orchestration.connectors.session import as_content, content_bytes, decoded
from hybridmandate.orchestration.connectors.unsupported import refused_when_unsupported
from hybridmandate.orchestration.engine import Answer

_ODATA = {
    "accept": "application/json;odata.metadata=full",
    "odata-version": "4.0",
    "odata-maxversion": "4.0",
}
_QUERY = ("$select", "$filter", "$orderby", "$expand", "$top", "$skiptoken", "fetchXml")
_BYTES = {"content-type": "application/octet-stream"}
CHUNK_BYTES = 4 * 1024 * 1024
"""Files above this go up in chunks (Dataverse, 'Upload a file using Web API in chunks')."""
SEARCH = "/api/search/v1.0/query"
MAX_PAGES = 1000


def _selected(handler: Handler) -> Handler:
    """An operation on a selected environment: only the connection's own is simulated."""

    async def operation(connector: DataverseConnector, call: OperationCall) -> Answer:
        own = connector.settings.base_address.rstrip("/")
        given = str(call.parameters.get("organization") or "").rstrip("/")
        if given and given.lower() != own.lower():
            return Answer.refused(
                f"'{given}' is not the environment of this connection, {own}: "
                "no other one is simulated"
            )
        return await handler(connector, call)

    return operation


def _change(build: Build) -> Handler:
    """An operation that is one request and gives its answer as it comes."""

    async def operation(connector: DataverseConnector, call: OperationCall) -> Answer:
        return await connector.ask(build, call)

    return operation


class DataverseConnector(Connector):
    """Rows: create, update, get, list, delete, relate; files; bound and unbound actions."""

    api_name = "shared_commondataserviceforapps"
    triggers = frozenset({"SubscribeWebhookTrigger"})

    async def create(self, call: OperationCall) -> Answer:
        """CreateRecord: the new row comes back."""
        request = dataverse_requests.creation(call, self.settings.base_address)
        answer = await self._ask(request, call)
        if answer.status != 412:
            return answer
        first = await self._send("GET", request.address, call, {"prefer": ANNOTATIONS})
        if first.fault is None and first.status == 404:
            return answer  # another row has its key: it was never made
        return first if first.status != 200 else Answer(201, first.headers, first.body)

    async def update_only(self, call: OperationCall) -> Answer:
        """UpdateOnlyRecord: changes a row that exists; 404 otherwise."""
        return await self.ask(dataverse_requests.change, call)

    async def delete(self, call: OperationCall) -> Answer:
        """DeleteRecord: 404 when the row is gone already."""
        return await self.ask(dataverse_requests.deletion, call)

    async def changeset(self, call: OperationCall) -> Answer:
        """ExecuteChangeset: what the action holds, done as a whole or not at all."""

        async def send(request: ApiRequest) -> Answer:
            return await self._ask(request, call)

        return await execute(self.session, call, self.settings.base_address, send)

    async def search(self, call: OperationCall) -> Answer:
        """GetRelevantRows ('Search rows'): rows of all tables that hold the words."""
        asked = call.nested("searchRequest")
        if not asked.get("search"):
            raise MissingParameter(call.operation_id, "searchRequest/search")
        return await self._send("POST", SEARCH, call, {}, asked)

    async def get(self, call: OperationCall) -> Answer:
        """GetItem: one row."""
        address = row_address(call.required("entityName"), call.required("recordId"))
        query = {key: str(call.parameters[key]) for key in _QUERY if call.parameters.get(key)}
        return await self._send("GET", address, call, {"prefer": ANNOTATIONS}, query=query)

    async def list_rows(self, call: OperationCall) -> Answer:
        """ListRecords: rows; follows next links up to the action's pagination threshold.

        The engine has held the threshold to the environment's profile.
        """
        query = {
            key: str(call.parameters[key])
            for key in _QUERY
            if call.parameters.get(key) not in (None, "")
        }
        address = f"{API}/{quote(str(call.required('entityName')))}"
        answer = await self._send("GET", address, call, {"prefer": ANNOTATIONS}, query=query)
        if call.pagination is None:
            return answer
        return await self._more_pages(call, answer, call.pagination)

    async def file_content(self, call: OperationCall) -> Answer:
        """GetEntityFileImageFieldContent: the bytes of a file column."""
        address = f"{_file(call)}/$value"
        return await self.session.send("GET", address, call=call, decode=_file_body)

    async def update_file(self, call: OperationCall) -> Answer:
        """UpdateEntityFileImageFieldContent: a repetition uploads the same file again."""
        data, _ = content_bytes(call.required("item"))
        name = quote(str(call.required("x-ms-file-name")))
        if len(data) > CHUNK_BYTES:
            return await self._upload_in_chunks(call, data, name)
        headers = {**_BYTES, "x-ms-file-name": name}
        return await self.session.send("PATCH", _file(call), call=call, headers=headers, data=data)

    async def _upload_in_chunks(self, call: OperationCall, data: bytes, name: str) -> Answer:
        begin = {"x-ms-transfer-mode": "chunked", "x-ms-file-name": name}
        answer = await self.session.send("PATCH", _file(call), call=call, headers=begin, data=b"")
        if answer.status != 200:
            return answer
        location = answer.headers.get("location")
        if location is None:
            return Answer.refused(
                "Dataverse opened no upload in chunks: its answer has no location"
            )
        size = int(answer.headers.get("x-ms-chunk-size", CHUNK_BYTES))
        for start in range(0, len(data), size):
            part = data[start : start + size]
            reach = f"bytes {start}-{start + len(part) - 1}/{len(data)}"
            headers = {**_BYTES, "x-ms-file-name": name, "content-range": reach}
            answer = await self.session.send(
                "PATCH", location, call=call, headers=headers, data=part
            )
            if answer.status not in (204, 206):
                return answer
        return answer

    async def ask(self, build: Build, call: OperationCall) -> Answer:
        """Send the one request of an operation."""
        return await self._ask(build(call, self.settings.base_address), call)

    async def _ask(self, request: ApiRequest, call: OperationCall) -> Answer:
        return await self._send(
            request.method, request.address, call, request.headers, request.body
        )

    async def _more_pages(self, call: OperationCall, answer: Answer, wanted: int) -> Answer:
        if answer.fault is not None or answer.status != 200:
            return answer
        rows, body = list(answer.body["value"]), answer.body
        for _ in range(MAX_PAGES):
            link = body.get("@odata.nextLink")
            if link is None or len(rows) >= wanted:
                break
            page = await self._send("GET", str(link), call, {"prefer": ANNOTATIONS})
            if page.fault is not None or page.status != 200:
                return page
            body = page.body
            rows.extend(body["value"])
        whole = {key: value for key, value in body.items() if key != "value"}
        return Answer(200, answer.headers, {**whole, "value": rows})

    async def _send(
        self,
        method: str,
        address: str,
        call: OperationCall,
        headers: Mapping[str, str],
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        answer = await self.session.send(
            method, address, call=call, headers={**_ODATA, **headers}, query=query, json_body=body
        )
        return refused_when_unsupported(answer)

    _own: ClassVar[Mapping[str, Handler]] = {
        **{name: _change(build) for name, build in dataverse_requests.CHANGES.items()},
        "CreateRecord": create,
        "GetItem": get,
        "ListRecords": list_rows,
        "GetRelevantRows": search,
        "GetEntityFileImageFieldContent": file_content,
        "UpdateEntityFileImageFieldContent": update_file,
    }
    operations: ClassVar[Mapping[str, Handler]] = {
        **_own,
        **{f"{name}WithOrganization": _selected(handler) for name, handler in _own.items()},
        "ExecuteChangeset": changeset,
    }
    """Each operation, and its form for a selected environment (`ListRecordsWithOrganization`)."""


def _file(call: OperationCall) -> str:
    row = row_address(call.required("entityName"), call.required("recordId"))
    return f"{row}/{quote(str(call.required('fileImageFieldName')))}"


def _file_body(body: bytes, content_type: str) -> Any:
    """A file as flows carry it; an error as the service says it."""
    if content_type.lower() == "application/json":
        return decoded(body, content_type)
    return as_content(body, content_type)
