"""The body of a message: ``IMessageBody``, what ``As<T>`` makes of it, and forms.

Source: learn.microsoft.com, "API Management policy expressions", context variable.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl, quote_plus

from hybridmandate.governance.gateway.csharp import context as parts
from hybridmandate.governance.gateway.csharp.collections import Dictionary, List
from hybridmandate.governance.gateway.csharp.conversions import cast_to, head_of
from hybridmandate.governance.gateway.csharp.text import as_text
from hybridmandate.governance.gateway.csharp.types.containers import DICTIONARY
from hybridmandate.governance.gateway.csharp.types.json_types import parsed
from hybridmandate.governance.gateway.csharp.types.table import OBJECT, ClrType, Run
from hybridmandate.governance.gateway.csharp.types.xml_types import Document, Element, parse


class Body:
    """``IMessageBody``."""

    __slots__ = ("message",)

    def __init__(self, message: parts.MessageBody) -> None:
        self.message = message


def body_of(message: Any) -> Body | None:
    """``message.Body``; null when there is none."""
    return None if message.body is None else Body(message.body)


def body_as(
    run: Run, body: Body, preserve_content: Any = False, *, types: tuple[str, ...] = ("string",)
) -> Any:
    """``Body.As<T>``; without ``preserveContent`` the content is gone afterwards."""
    data = body.message.read()
    if not preserve_content:
        body.message.consume()
    if data is None:
        return None
    run.budget.allocate(len(data))
    return content_as(run, data, types[0])


def content_as(run: Run, data: bytes, target: str) -> Any:
    """Bytes as one of the types that ``As<T>`` gives."""
    head = head_of(target)
    if head == "byte[]":
        return bytearray(data)
    if head in ("XElement", "XNode"):
        return Element(parse(run, bytearray(data)))
    if head == "XDocument":
        return Document(parse(run, bytearray(data)))
    text = data.decode("utf-8-sig", "replace")
    if head in ("string", "object"):
        return text
    token = parsed(run, text)
    return token if head == "JToken" else cast_to(head, "JToken")(token)


class FormFields(Dictionary):
    """A form: a name that is asked for and not there is there with no values.

    Source: learn.microsoft.com/azure/api-management/set-body-policy, "Access the body as
    URL-encoded form data", which adds to a new name.
    """

    __slots__ = ()

    def __missing__(self, name: str) -> List:
        values = List((), "string")
        self.put(name, values)
        return values


def form_content(run: Run, body: Body, preserve_content: Any = False) -> Dictionary:
    """``AsFormUrlEncodedContent``: ``IDictionary<string, IList<string>>``."""
    text = body_as(run, body, preserve_content)
    made = FormFields((), "string", "List<string>")
    for name, value in parse_qsl(text or "", keep_blank_values=True, max_num_fields=10_000):
        run.budget.allocate(128)
        if name in made:
            made[name].append(value)
        else:
            made.put(name, List([value], "string"))
    return made


BODY: Final = ClrType(
    "IMessageBody", "Microsoft.Azure.ApiManagement.IMessageBody", Body, base=OBJECT
)
BODY.method("As", body_as, "T")
BODY.method("AsFormUrlEncodedContent", form_content, "Dictionary<string,List<string>>")


def form_encoded(content: Dictionary) -> str:
    """``application/x-www-form-urlencoded`` of a dictionary of texts, or of lists of them."""
    return "&".join(
        f"{quote_plus(as_text(name))}={quote_plus(as_text(value))}"
        for name, values in content.items()
        for value in (values if isinstance(values, list) else [values])
    )


DICTIONARY.method("ToFormUrlEncodedContent", form_encoded, "string")
