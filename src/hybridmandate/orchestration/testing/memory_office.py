"""The services of flow tests in memory: mail, Teams, files, approvals, rows.

They answer the operations that the connectors know, in the connectors' own shapes, and remember
what was done. Whatever they do not know must be mocked by the test.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hybridmandate.orchestration.connectors.drive_items import file_metadata, file_properties
from hybridmandate.orchestration.connectors.request import MissingParameter, OperationCall
from hybridmandate.orchestration.connectors.session import as_content, content_bytes
from hybridmandate.orchestration.engine import Answer, Call, Watch

APPROVALS = "memory:/approvals/"


@dataclass(slots=True)
class Approval:
    """A request for a decision; ``outcome`` is None while nobody has decided."""

    id: str
    title: str
    details: str
    assigned_to: str
    outcome: str | None = None
    responses: list[dict[str, Any]] = field(default_factory=list)

    def decide(self, answer: str, comments: str = "", by: str | None = None) -> None:
        """Answer it as the person that it is assigned to (``Approve``, ``Reject`` …)."""
        person = by or self.assigned_to.partition(";")[0]
        self.outcome = answer
        self.responses.append(
            {"responder": {"email": person}, "approverResponse": answer, "comments": comments}
        )


class Kept(list[Any]):
    """Things in the order in which they came."""

    @property
    def last(self) -> Any:
        """The newest. :raises LookupError: when there is none."""
        if not self:
            raise LookupError("nothing has come yet")
        return self[-1]


@dataclass(slots=True)
class MemoryOffice:
    """What flows have done to the services, and what they find there."""

    approvals: Kept = field(default_factory=Kept)
    mails: Kept = field(default_factory=Kept)
    messages: Kept = field(default_factory=Kept)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    rows: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    def add_file(self, name: str, content: bytes, *, folder: str = "", by: str = "") -> str:
        """Put a file into the library as a person would; returns its identifier."""
        identifier = f"item-{len(self.files) + 1}"
        self.files[identifier] = {
            "id": identifier,
            "name": name,
            "size": len(content),
            "eTag": f'"{identifier},1"',
            "webUrl": f"https://sites.example/{folder.strip('/')}/{name}",
            "parentReference": {"path": f"/drive/root:/{folder.strip('/')}"},
            "file": {"mimeType": _media_type(name)},
            "createdBy": {"user": {"displayName": by, "email": by}},
            "content": content,
        }
        return identifier

    def trigger_file(self, identifier: str) -> dict[str, Any]:
        """A file as the trigger 'When a file is created (properties only)' gives it."""
        return file_properties(self.files[identifier])

    def knows(self, call: Call) -> bool:
        """Whether an operation is answered here."""
        return _key(call) in _OPERATIONS

    def answer(self, call: Call) -> Answer:
        """Answer one attempt of an operation that is known here."""
        operation = OperationCall(
            str((call.request.get("host") or {}).get("operationId")),
            call.request.get("parameters") or {},
            call.correlation_id,
            call.idempotency_key,
        )
        try:
            return _OPERATIONS[_key(call)](self, operation)
        except (MissingParameter, ValueError) as error:
            return Answer.refused(str(error))

    def read(self, watch: Watch) -> Answer:
        """Whether an approval has been decided."""
        identifier = watch.location.removeprefix(APPROVALS)
        found = next((each for each in self.approvals if each.id == identifier), None)
        if found is None:
            return Answer.refused(f"nothing is kept at '{watch.location}'")
        if found.outcome is None:
            return Answer(202, {"retry-after": "60"})
        body = {
            "name": found.id,
            "title": found.title,
            "details": found.details,
            "outcome": found.outcome,
            "responses": list(found.responses),
        }
        return Answer(200, {}, body)


def _key(call: Call) -> tuple[str, str]:
    host = call.request.get("host") or {}
    return str(host.get("apiId") or "").rpartition("/")[2], str(host.get("operationId"))


def _ask(office: MemoryOffice, call: OperationCall) -> Answer:
    asked = call.nested("WebhookApprovalCreationInput")
    approval = Approval(
        id=f"approval-{len(office.approvals) + 1}",
        title=str(asked.get("title") or ""),
        details=str(asked.get("details") or ""),
        assigned_to=str(asked.get("assignedTo") or ""),
    )
    office.approvals.append(approval)
    return Answer(202, {"location": f"{APPROVALS}{approval.id}", "retry-after": "60"})


def _mail(office: MemoryOffice, call: OperationCall) -> Answer:
    message = call.nested("emailMessage")
    if not message.get("To"):
        raise ValueError("SendEmailV2 needs 'emailMessage/To'")
    office.mails.append({key.lower(): value for key, value in message.items()})
    return Answer(202)


def _message(office: MemoryOffice, call: OperationCall) -> Answer:
    body = call.nested("body")
    office.messages.append({"text": body.get("messageBody"), **(body.get("recipient") or {})})
    return Answer(201, {}, {"id": str(len(office.messages))})


def _file(office: MemoryOffice, call: OperationCall) -> dict[str, Any] | None:
    return office.files.get(str(call.required("id")))


def _of_file(shape: Callable[[Mapping[str, Any]], Any]) -> Callable[..., Answer]:
    def answer(office: MemoryOffice, call: OperationCall) -> Answer:
        found = _file(office, call)
        return (
            Answer(404, {}, {"message": "no such file"})
            if found is None
            else Answer(200, {}, shape(found))
        )

    return answer


def _create_file(office: MemoryOffice, call: OperationCall) -> Answer:
    data, _ = content_bytes(call.required("body"))
    folder = str(call.required("folderPath"))
    identifier = office.add_file(str(call.required("name")), data, folder=folder)
    return Answer(200, {}, file_metadata(office.files[identifier]))


def _table(office: MemoryOffice, call: OperationCall) -> dict[str, dict[str, Any]]:
    return office.rows.setdefault(str(call.required("entityName")), {})


def _create_row(office: MemoryOffice, call: OperationCall) -> Answer:
    row_id = str(uuid.uuid5(uuid.NAMESPACE_OID, call.idempotency_key))
    return _put_row(office, call, row_id)


def _upsert_row(office: MemoryOffice, call: OperationCall) -> Answer:
    return _put_row(office, call, str(call.required("recordId")))


def _update_row(office: MemoryOffice, call: OperationCall) -> Answer:
    if str(call.required("recordId")) not in _table(office, call):
        return Answer(404, {}, {"error": {"code": "0x80040217", "message": "no such row"}})
    return _upsert_row(office, call)


def _put_row(office: MemoryOffice, call: OperationCall, row_id: str) -> Answer:
    table, entity = _table(office, call), str(call.required("entityName"))
    status = 200 if row_id in table else 201
    primary = f"{entity.removesuffix('s')}id"
    table[row_id] = {**table.get(row_id, {}), primary: row_id, **call.nested("item")}
    return Answer(status, {}, dict(table[row_id]))


def _get_row(office: MemoryOffice, call: OperationCall) -> Answer:
    row = _table(office, call).get(str(call.required("recordId")))
    return Answer(404, {}, None) if row is None else Answer(200, {}, dict(row))


def _delete_row(office: MemoryOffice, call: OperationCall) -> Answer:
    removed = _table(office, call).pop(str(call.required("recordId")), None)
    return Answer(404 if removed is None else 204)


def _media_type(name: str) -> str:
    if name.lower().endswith(".csv"):
        return "text/csv"
    return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


_DATAVERSE = "shared_commondataserviceforapps"
_SHAREPOINT = "shared_sharepointonline"
_OPERATIONS: dict[tuple[str, str], Callable[[MemoryOffice, OperationCall], Answer]] = {
    ("shared_approvals", "StartAndWaitForAnApproval"): _ask,
    ("shared_office365", "SendEmailV2"): _mail,
    ("shared_teams", "PostMessageToConversation"): _message,
    (_SHAREPOINT, "GetFileMetadata"): _of_file(file_metadata),
    (_SHAREPOINT, "GetFileItem"): _of_file(file_properties),
    (_SHAREPOINT, "GetFileContent"): _of_file(
        lambda each: as_content(each["content"], each["file"]["mimeType"])
    ),
    (_SHAREPOINT, "CreateFile"): _create_file,
    (_DATAVERSE, "CreateRecord"): _create_row,
    (_DATAVERSE, "UpdateRecord"): _upsert_row,
    (_DATAVERSE, "UpdateOnlyRecord"): _update_row,
    (_DATAVERSE, "GetItem"): _get_row,
    (_DATAVERSE, "DeleteRecord"): _delete_row,
}
