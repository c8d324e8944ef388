"""Workflow functions on form-encoded and multipart bodies of actions and of the trigger."""

from __future__ import annotations

from email import policy
from email.message import EmailMessage, Message
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qsl

from hybridmandate.orchestration.expressions.access import access
from hybridmandate.orchestration.expressions.bounds import Frame
from hybridmandate.orchestration.expressions.errors import FunctionFault
from hybridmandate.orchestration.expressions.functions.workflow import action_record, body_of
from hybridmandate.orchestration.expressions.registry import Family, required
from hybridmandate.orchestration.expressions.values import (
    INTEGER,
    TEXT,
    content,
    content_bytes,
    content_text,
    is_content,
)

workflow_family = Family("Workflow")
ACTION = required("actionName", TEXT)
KEY = required("key", TEXT)
INDEX = required("index", INTEGER)
_MOST_FIELDS = 10_000


@workflow_family.function(
    "formDataValue", ACTION, KEY, example="formDataValue('Post_form', 'b')", gives="2"
)
def form_data_value(frame: Frame, name: str, key: str) -> Any:
    """The one value of a key in an action's form-encoded output."""
    return _single(_action_body(frame, name), key, 2)


@workflow_family.function(
    "formDataMultiValues",
    ACTION,
    KEY,
    example="formDataMultiValues('Post_form', 'a')",
    gives=["1", "3"],
)
def form_data_multi_values(frame: Frame, name: str, key: str) -> list[str]:
    """All values of a key in an action's form-encoded output."""
    return _values(_action_body(frame, name), key)


@workflow_family.function(
    "multipartBody",
    ACTION,
    INDEX,
    example="multipartBody('Post_parts', 0)?['$content']",
    gives="aGk=",
)
def multipart_body(frame: Frame, name: str, index: int) -> Any:
    """One part of an action's multipart output, as a content object."""
    return _part(_action_body(frame, name), index, 2)


@workflow_family.function(
    "triggerFormDataValue", KEY, example="triggerFormDataValue('city')", gives="Oslo"
)
def trigger_form_data_value(frame: Frame, key: str) -> Any:
    """The one value of a key in the trigger's form-encoded body."""
    return _single(_trigger_body(frame), key, 1)


@workflow_family.function(
    "triggerFormDataMultiValues", KEY, example="triggerFormDataMultiValues('city')", gives=["Oslo"]
)
def trigger_form_data_multi_values(frame: Frame, key: str) -> list[str]:
    """All values of a key in the trigger's form-encoded body."""
    return _values(_trigger_body(frame), key)


@workflow_family.function(
    "triggerMultipartBody", INDEX, example="triggerMultipartBody(0)?['$content']", gives="T3Nsbw=="
)
def trigger_multipart_body(frame: Frame, index: int) -> Any:
    """One part of the trigger's multipart body, as a content object."""
    return _part(_trigger_body(frame), index, 1)


def _action_body(frame: Frame, name: str) -> Any:
    record = action_record(frame, name)
    return None if record is None else body_of(record.get("outputs"))


def _trigger_body(frame: Frame) -> Any:
    return body_of(frame.scope.trigger_outputs())


def _fields(body: Any) -> list[tuple[str, str]]:
    """Key and value of each field: from ``$formdata``, the named parts, or the encoded content."""
    if isinstance(body, dict) and isinstance(body.get("$formdata"), list):
        return [
            (str(access(e, "key", True)), str(access(e, "value", True))) for e in body["$formdata"]
        ]
    if isinstance(body, dict) and isinstance(body.get("$multipart"), list):
        return [field for part in body["$multipart"] if (field := _named_part(part))]
    if is_content(body) and str(body["$content-type"]).lower().startswith("multipart/"):
        return [
            (name, content_text(_content_of(part)))
            for part in _message(body).iter_parts()
            if (name := _field_name(part))
        ]
    if is_content(body):
        text = content_text(body)
    elif isinstance(body, str):
        text = body
    else:
        raise FunctionFault("The body is not form data")
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as wrong:
        raise FunctionFault(f"The body is not form data: {wrong}") from wrong


def _named_part(part: Any) -> tuple[str, str] | None:
    """The field that an entry of ``$multipart`` is, by its Content-Disposition."""
    headers, body = access(part, "headers", True), access(part, "body", True)
    head = EmailMessage(policy.HTTP)
    for name, value in headers.items() if isinstance(headers, dict) else ():
        if name.lower() == "content-disposition":
            head[name] = " ".join(str(value).split())
    field = _field_name(head)
    if field is None:
        return None
    return field, content_text(body) if is_content(body) else str(body)


def _field_name(part: Message) -> str | None:
    name = part.get_param("name", header="content-disposition")
    return name if isinstance(name, str) else None


def _values(body: Any, key: str) -> list[str]:
    lowered = key.lower()
    return [value for name, value in _fields(body) if name.lower() == lowered]


def _single(body: Any, key: str, argument: int) -> str | None:
    found = _values(body, key)
    if len(found) > 1:
        raise FunctionFault(
            "The form data has more than one value for the key", argument=argument, value=key
        )
    return found[0] if found else None


def _part(body: Any, index: int, argument: int) -> Any:
    parts = _parts(body)
    if not 0 <= index < len(parts):
        raise FunctionFault(
            f"The multipart body has {len(parts)} parts",
            argument=argument,
            expected="the index of a part",
            value=index,
        )
    return parts[index]


def _parts(body: Any) -> list[Any]:
    if isinstance(body, dict) and isinstance(body.get("$multipart"), list):
        return [
            each.get("body", each) if isinstance(each, dict) else each
            for each in body["$multipart"]
        ]
    if not is_content(body):
        raise FunctionFault("The body is not multipart")
    return [_content_of(part) for part in _message(body).iter_parts()]


def _message(body: dict[str, Any]) -> EmailMessage:
    head = f"Content-Type: {str(body['$content-type']).splitlines()[0]}\r\n\r\n".encode()
    message = BytesParser(policy=policy.HTTP).parsebytes(head + content_bytes(body))
    if not message.is_multipart():
        raise FunctionFault("The body is not multipart")
    return message


def _content_of(part: Message) -> dict[str, Any]:
    data = part.get_payload(decode=True)
    return content(part.get_content_type(), data if isinstance(data, bytes) else b"")
