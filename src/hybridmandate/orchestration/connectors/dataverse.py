"""Microsoft Dataverse (``shared_commondataserviceforapps``) over its Web API v9.2.

A row that a flow creates gets an id made of the action's idempotency key and is written with
``If-None-Match: *``: a repetition after a crash meets the first row and gives it back instead of
making a second one (Dataverse Web API, 'Perform conditional operations', 'Upsert').
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import quote

from hybridmandate.orchestration.connectors.connector import Connector, Handler
from hybridmandate.orchestration.connectors.request import OperationCall
from hybridmandate.orchestration.connectors.session import as_content, content_bytes, decoded
from hybridmandate.orchestration.engine import Answer
from hybridmandate.orchestration.limits import Profile, limit

API = "/api/data/v9.2"
_ODATA = {
    "accept": "application/json;odata.metadata=full",
    "odata-version": "4.0",
    "odata-maxversion": "4.0",
}
_ANNOTATIONS = 'odata.include-annotations="*"'
_QUERY = ("$select", "$filter", "$orderby", "$expand", "$top", "$skiptoken", "fetchXml")
_BYTES = {"content-type": "application/octet-stream"}
CHUNK_BYTES = 4 * 1024 * 1024
"""Files above this go up in chunks (Dataverse, 'Upload a file using Web API in chunks')."""
UNSUPPORTED = 501
MAX_PAGES = 1000
MAX_PAGED_ROWS = limit("page.items").of(Profile.MEDIUM)


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


class DataverseConnector(Connector):
    """Rows: create, update, get, list, delete, relate; files; bound and unbound actions."""

    api_name = "shared_commondataserviceforapps"
    triggers = frozenset({"SubscribeWebhookTrigger"})

    async def create(self, call: OperationCall) -> Answer:
        """CreateRecord: the new row comes back."""
        row_id = str(uuid.uuid5(uuid.NAMESPACE_OID, call.idempotency_key))
        headers = {"if-none-match": "*", "prefer": f"return=representation,{_ANNOTATIONS}"}
        address = _row(call.required("entityName"), row_id)
        answer = await self._send("PATCH", address, call, headers, call.nested("item"))
        if answer.status != 412:
            return answer
        first = await self._send("GET", address, call, {"prefer": _ANNOTATIONS})
        return first if first.status != 200 else Answer(201, first.headers, first.body)

    async def update(self, call: OperationCall) -> Answer:
        """UpdateRecord: changes a row, or creates it under that id (upsert)."""
        return await self._change(call, {})

    async def update_only(self, call: OperationCall) -> Answer:
        """UpdateOnlyRecord: changes a row that exists; 404 otherwise."""
        return await self._change(call, {"if-match": "*"})

    async def get(self, call: OperationCall) -> Answer:
        """GetItem: one row."""
        address = _row(call.required("entityName"), call.required("recordId"))
        query = {key: str(call.parameters[key]) for key in _QUERY if call.parameters.get(key)}
        return await self._send("GET", address, call, {"prefer": _ANNOTATIONS}, query=query)

    async def list_rows(self, call: OperationCall) -> Answer:
        """ListRecords: rows; follows next links up to the action's pagination threshold."""
        query = {
            key: str(call.parameters[key])
            for key in _QUERY
            if call.parameters.get(key) not in (None, "")
        }
        address = f"{API}/{quote(str(call.required('entityName')))}"
        answer = await self._send("GET", address, call, {"prefer": _ANNOTATIONS}, query=query)
        if call.pagination is None:
            return answer
        return await self._more_pages(call, answer, min(call.pagination, MAX_PAGED_ROWS))

    async def delete(self, call: OperationCall) -> Answer:
        """DeleteRecord: a repetition that finds the row gone has done its work."""
        address = _row(call.required("entityName"), call.required("recordId"))
        return await self._send("DELETE", address, call, {})

    async def relate(self, call: OperationCall) -> Answer:
        """AssociateEntities: a repetition adds the same reference again, which changes nothing."""
        row = _row(call.required("entityName"), call.required("recordId"))
        address = f"{row}/{quote(str(call.required('associationEntityRelationship')))}/$ref"
        other = call.nested("item").get("@odata.id") or call.required("item/@odata.id")
        return await self._send("POST", address, call, {}, {"@odata.id": self._absolute(other)})

    async def unrelate(self, call: OperationCall) -> Answer:
        """DisassociateEntities: removes a reference."""
        row = _row(call.required("entityName"), call.required("recordId"))
        address = f"{row}/{quote(str(call.required('associationEntityRelationship')))}/$ref"
        query = {"$id": self._absolute(call.required("$id"))}
        return await self._send("DELETE", address, call, {}, query=query)

    async def unbound_action(self, call: OperationCall) -> Answer:
        """PerformUnboundAction: a Web API action by its name."""
        address = f"{API}/{quote(str(call.required('actionName')))}"
        return await self._send("POST", address, call, {}, call.nested("item"))

    async def bound_action(self, call: OperationCall) -> Answer:
        """PerformBoundAction: an action of one row."""
        row = _row(call.required("entityName"), call.required("recordId"))
        name = str(call.required("actionName"))
        full = name if "." in name else f"Microsoft.Dynamics.CRM.{name}"
        return await self._send("POST", f"{row}/{quote(full)}", call, {}, call.nested("item"))

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

    def _absolute(self, reference: Any) -> str:
        """The address of a row that is named by address, or by ``set(id)``."""
        text = str(reference)
        base = f"{self.settings.base_address.rstrip('/')}{API}"
        return text if "://" in text else f"{base}/{text.lstrip('/')}"

    async def _change(self, call: OperationCall, headers: Mapping[str, str]) -> Answer:
        address = _row(call.required("entityName"), call.required("recordId"))
        sent = {**headers, "prefer": f"return=representation,{_ANNOTATIONS}"}
        return await self._send("PATCH", address, call, sent, call.nested("item"))

    async def _more_pages(self, call: OperationCall, answer: Answer, wanted: int) -> Answer:
        if answer.fault is not None or answer.status != 200:
            return answer
        rows, body = list(answer.body["value"]), answer.body
        for _ in range(MAX_PAGES):
            link = body.get("@odata.nextLink")
            if link is None or len(rows) >= wanted:
                break
            page = await self._send("GET", str(link), call, {"prefer": _ANNOTATIONS})
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
        return _refused_when_unsupported(answer)

    _own: ClassVar[Mapping[str, Handler]] = {
        "CreateRecord": create,
        "UpdateRecord": update,
        "UpdateOnlyRecord": update_only,
        "GetItem": get,
        "ListRecords": list_rows,
        "DeleteRecord": delete,
        "AssociateEntities": relate,
        "DisassociateEntities": unrelate,
        "PerformUnboundAction": unbound_action,
        "PerformBoundAction": bound_action,
        "GetEntityFileImageFieldContent": file_content,
        "UpdateEntityFileImageFieldContent": update_file,
    }
    operations: ClassVar[Mapping[str, Handler]] = {
        **_own,
        **{f"{name}WithOrganization": _selected(handler) for name, handler in _own.items()},
    }
    """Each operation, and its form for a selected environment (`ListRecordsWithOrganization`)."""


def _file(call: OperationCall) -> str:
    row = _row(call.required("entityName"), call.required("recordId"))
    return f"{row}/{quote(str(call.required('fileImageFieldName')))}"


def _file_body(body: bytes, content_type: str) -> Any:
    """A file as flows carry it; an error as the service says it."""
    if content_type.lower() == "application/json":
        return decoded(body, content_type)
    return as_content(body, content_type)


def _refused_when_unsupported(answer: Answer) -> Answer:
    """What the stand-in does not have fails at once: to try again would not help."""
    if answer.fault is not None or answer.status != UNSUPPORTED:
        return answer
    body = answer.body if isinstance(answer.body, Mapping) else {}
    error = body.get("error") if isinstance(body.get("error"), Mapping) else {}
    return Answer.refused(str((error or {}).get("message") or "Dataverse answered 501"))


def _row(entity_set: Any, row_id: Any) -> str:
    return f"{API}/{quote(str(entity_set))}({quote(str(row_id))})"
