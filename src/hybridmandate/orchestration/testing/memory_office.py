"""The services of flow tests in memory: mail, Teams, files, approvals, questions, rows.

They answer the operations that the connectors know, in the connectors' own shapes, and remember
what was done. Whatever they do not know must be mocked by the test.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hybridmandate.orchestration.connectors.approvals import INPUTS
from hybridmandate.orchestration.connectors.dataverse_changeset import REQUESTS
from hybridmandate.orchestration.connectors.dataverse_requests import CHANGES
from hybridmandate.orchestration.connectors.drive_items import file_metadata, file_properties
from hybridmandate.orchestration.connectors.mail_options import asked_message, options_of
from hybridmandate.orchestration.connectors.request import MissingParameter, OperationCall
from hybridmandate.orchestration.connectors.session import as_content, content_bytes
from hybridmandate.orchestration.connectors.teams_places import WITH_BOT, people
from hybridmandate.orchestration.engine import Answer, Call, Watch
from hybridmandate.orchestration.testing.memory_people import OPTIONS, Approval, Question

APPROVALS = "memory:/approvals/"
QUESTIONS = "memory:/questions/"


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
    questions: Kept = field(default_factory=Kept)
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
            {REQUESTS: call.request[REQUESTS]}
            if call.type == "Changeset"
            else call.request.get("parameters") or {},
            call.correlation_id,
            call.idempotency_key,
        )
        try:
            return _OPERATIONS[_key(call)](self, operation)
        except (MissingParameter, ValueError) as error:
            return Answer.refused(str(error))

    def read(self, watch: Watch) -> Answer:
        """Whether an approval has been decided, or a question answered."""
        for place, kept in ((APPROVALS, self.approvals), (QUESTIONS, self.questions)):
            identifier = watch.location.removeprefix(place)
            found = next((each for each in kept if each.id == identifier), None)
            if found is not None:
                return _waiting(found)
        return Answer.refused(f"nothing is kept at '{watch.location}'")


def _waiting(found: Approval | Question) -> Answer:
    open_still = found.outcome is None if isinstance(found, Approval) else found.given is None
    return Answer(202, {"retry-after": "60"}) if open_still else Answer(200, {}, found.to_body())


def _key(call: Call) -> tuple[str, str]:
    host = call.request.get("host") or {}
    return str(host.get("apiId") or "").rpartition("/")[2], str(host.get("operationId"))


def _approval(office: MemoryOffice, call: OperationCall) -> Approval:
    asked = next((found for name in INPUTS if (found := call.nested(name))), {})
    kind = str(call.parameters.get("approvalType") or "Basic").lower()
    own = asked.get("responseOptions") if kind.startswith("custom") else None
    approval = Approval(
        id=f"approval-{len(office.approvals) + 1}",
        title=str(asked.get("title") or ""),
        details=str(asked.get("details") or ""),
        assigned_to=str(asked.get("assignedTo") or ""),
        options=tuple(own) if own else OPTIONS,
        everybody=kind.endswith("awaitall"),
    )
    office.approvals.append(approval)
    return approval


def _ask(office: MemoryOffice, call: OperationCall) -> Answer:
    return _wait_at(f"{APPROVALS}{_approval(office, call).id}")


def _create_approval(office: MemoryOffice, call: OperationCall) -> Answer:
    return Answer(201, {}, _approval(office, call).to_body())


def _wait_for_approval(office: MemoryOffice, call: OperationCall) -> Answer:
    name = str(call.required("approvalName"))
    if all(each.id != name for each in office.approvals):
        return Answer(404, {}, {"message": "no such approval"})
    return _wait_at(f"{APPROVALS}{name}")


def _card_question(office: MemoryOffice, call: OperationCall) -> Answer:
    outer = call.nested("body")
    inner = outer.get("body")
    body = inner if isinstance(inner, Mapping) else outer
    recipient = body.get("recipient")
    with_bot = call.required("location") in WITH_BOT
    return _question(office, people(recipient) if with_bot else [], (), body.get("messageBody"))


def _mail_question(office: MemoryOffice, call: OperationCall) -> Answer:
    message = asked_message(call)
    options = tuple(options_of(message))
    return _question(office, people(message["To"]), options, message.get("Body"))


def _question(
    office: MemoryOffice, asked: list[str], options: tuple[str, ...], content: Any
) -> Answer:
    question = Question(f"question-{len(office.questions) + 1}", asked, options, content)
    office.questions.append(question)
    return _wait_at(f"{QUESTIONS}{question.id}")


def _wait_at(location: str) -> Answer:
    return Answer(202, {"location": location, "retry-after": "60"})


def _mail(office: MemoryOffice, call: OperationCall) -> Answer:
    message = call.nested("emailMessage")
    if not message.get("To"):
        raise ValueError("SendEmailV2 needs 'emailMessage/To'")
    office.mails.append({key.lower(): value for key, value in message.items()})
    return Answer(202)


def _message(office: MemoryOffice, call: OperationCall) -> Answer:
    body = call.nested("body")
    recipient = body.get("recipient") or {}
    place = recipient if isinstance(recipient, Mapping) else {"to": recipient}
    office.messages.append({"text": body.get("messageBody"), **place})
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


def _changeset(office: MemoryOffice, call: OperationCall) -> Answer:
    before = copy.deepcopy(office.rows)
    responses = []
    for each in call.required(REQUESTS):
        name, operation = str(each["name"]), str((each.get("host") or {}).get("operationId"))
        do = _OPERATIONS.get((_DATAVERSE, operation))
        if do is None or operation not in CHANGES:
            raise ValueError(f"'{operation}' cannot stand in a change set of a test: mock it")
        key = f"{call.idempotency_key}/{name}"
        part = replace(
            call, operation_id=operation, parameters=each["parameters"], idempotency_key=key
        )
        answer = do(office, part)
        responses.append({"name": name, "status": answer.status, "body": answer.body})
        if answer.status >= 400:
            office.rows = before
            return Answer(answer.status, {}, {"responses": responses[-1:]})
    return Answer(200, {}, {"responses": responses})


def _media_type(name: str) -> str:
    if name.lower().endswith(".csv"):
        return "text/csv"
    return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


_DATAVERSE = "shared_commondataserviceforapps"
_SHAREPOINT = "shared_sharepointonline"
_OPERATIONS: dict[tuple[str, str], Callable[[MemoryOffice, OperationCall], Answer]] = {
    ("shared_approvals", "StartAndWaitForAnApproval"): _ask,
    ("shared_approvals", "CreateAnApproval"): _create_approval,
    ("shared_approvals", "WaitForAnApproval"): _wait_for_approval,
    ("shared_office365", "SendEmailV2"): _mail,
    ("shared_office365", "SendMailWithOptions"): _mail_question,
    ("shared_office365", "SendApprovalMail"): _mail_question,
    ("shared_teams", "PostMessageToConversation"): _message,
    ("shared_teams", "PostCardToConversation"): _message,
    ("shared_teams", "PostCardAndWaitForResponse"): _card_question,
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
    (_DATAVERSE, "ExecuteChangeset"): _changeset,
}
