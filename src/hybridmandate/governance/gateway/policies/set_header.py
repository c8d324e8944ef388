"""set-header: add, override, append, skip or delete a header (set-header-policy page)."""

from __future__ import annotations

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.messages import FIXED_HEADERS, HeaderMap
from hybridmandate.governance.gateway.registry import (
    ElementReader,
    Policy,
    Section,
    policy,
)
from hybridmandate.governance.gateway.values import Constant, Value, text_of

EXISTS_ACTIONS = ("override", "skip", "append", "delete")
REQUEST_SECTIONS = frozenset({Section.INBOUND, Section.BACKEND})


def may_delete(action: Value) -> bool:
    """Whether ``exists-action`` is delete, or an expression that may give it."""
    return not isinstance(action, Constant) or action.value == "delete"


class HeaderChange:
    """One change of one header, for whichever message it stands in."""

    def __init__(self, reader: ElementReader) -> None:
        self._name = reader.value("name")
        self._action = reader.choice_value("exists-action", EXISTS_ACTIONS, "override")
        self._values = [each.content() for each in reader.children("value")]
        if not self._values and not may_delete(self._action):
            reader.refuse("<set-header> needs <value> unless exists-action is delete")
        self._override = self._plain_override()

    def _plain_override(self) -> tuple[str, Value] | None:
        """The name and value, when it is known at load that one value takes the header's place."""
        name, action = self._name, self._action
        if not (isinstance(name, Constant) and isinstance(action, Constant)):
            return None
        plain = action.value == "override" and len(self._values) == 1
        return (name.value, self._values[0]) if plain and not _is_fixed(name.value) else None

    def apply(self, exchange: Exchange, headers: HeaderMap) -> None:
        """Change the header; those that belong to the connection are left alone."""
        if self._override is not None:
            place, put = self._override
            headers.set(place, (_one_line(text_of(put.get(exchange))),))
            return
        name = text_of(self._name.get(exchange))
        if _is_fixed(name):
            return
        action = self._action.get(exchange)
        if action == "delete":
            headers.remove(name)
            return
        present = name in headers
        if present and action == "skip":
            return
        values = [_one_line(text_of(each.get(exchange))) for each in self._values]
        if present and action == "append":
            for value in values:
                headers.add(name, value)
        else:
            headers.set(name, values)


def _is_fixed(name: str) -> bool:
    return name.lower() in FIXED_HEADERS


def _one_line(value: str) -> str:
    """A header value without line breaks: an expression's result must not start a new header.

    Space around it is no part of a value (RFC 9110, 5.5).
    """
    if value.isprintable():
        return value.strip()
    if "\r" in value or "\n" in value or "\0" in value:
        value = value.replace("\r", " ").replace("\n", " ").replace("\0", "")
    return value.strip()


@policy("set-header")
class SetHeader(Policy):
    """In inbound and backend the request's headers, in outbound and on-error the response's."""

    def __init__(self, reader: ElementReader) -> None:
        self._change = HeaderChange(reader)
        self._on_request = reader.preparation.section in REQUEST_SECTIONS

    def act(self, exchange: Exchange) -> None:
        message = exchange.request if self._on_request else exchange.response
        self._change.apply(exchange, message.headers)
