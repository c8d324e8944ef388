"""validate-headers and validate-status-code: the response against its contract (their pages)."""

from __future__ import annotations

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.policies.validation import ACTIONS, Violation, settle
from hybridmandate.governance.gateway.registry import (
    ElementReader,
    Policy,
    Section,
    policy,
)

_SECTIONS = frozenset({Section.OUTBOUND, Section.ON_ERROR})
_ALWAYS_ALLOWED = frozenset({"content-type", "content-length", "date", "server", "connection"})


@policy("validate-headers", sections=_SECTIONS, once=True)
class ValidateHeaders(Policy):
    """The operations here declare no response headers, so each header is an unspecified one
    unless a ``<header>`` child names it."""

    def __init__(self, reader: ElementReader) -> None:
        self._section = reader.preparation.section
        self._specified = reader.choice_value("specified-header-action", ACTIONS)
        self._unspecified = reader.choice_value("unspecified-header-action", ACTIONS)
        self._variable = reader.optional_literal("errors-variable-name")
        self._named = {
            each.literal("name").lower(): each.choice("action", ACTIONS)
            for each in reader.children("header")
        }

    def act(self, exchange: Exchange) -> None:
        violations = []
        unspecified = self._unspecified.get(exchange)
        for name in exchange.response.headers.names():
            key = name.lower()
            action = self._named.get(key, unspecified)
            if key in _ALWAYS_ALLOWED or action == "ignore":
                continue
            violations.append(
                Violation(
                    name,
                    "ResponseHeader",
                    "Unspecified",
                    f"Unspecified header {name} is not allowed.",
                    action,
                    "UnspecifiedHeader",
                )
            )
        settle(exchange, violations, self._variable, self._section)


@policy("validate-status-code", sections=_SECTIONS, once=True)
class ValidateStatusCode(Policy):
    """A status that the operation does not declare is judged by its code or the general action."""

    def __init__(self, reader: ElementReader) -> None:
        self._section = reader.preparation.section
        self._unspecified = reader.choice_value("unspecified-status-code-action", ACTIONS)
        self._variable = reader.optional_literal("errors-variable-name")
        self._named = {
            each.integer("code", least=100, most=999): each.choice("action", ACTIONS)
            for each in reader.children("status-code")
        }

    def act(self, exchange: Exchange) -> None:
        status = exchange.response.status
        declared = exchange.operation.responses if exchange.operation is not None else {}
        if str(status) in declared or "default" in declared:
            return
        action = self._named.get(status) or self._unspecified.get(exchange)
        if action == "ignore":
            return
        violation = Violation(
            str(status),
            "StatusCode",
            "Unspecified",
            f"Response status code {status} is not allowed.",
            action,
            "UnspecifiedStatusCode",
        )
        settle(exchange, [violation], self._variable, self._section)
