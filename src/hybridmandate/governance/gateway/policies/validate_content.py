"""validate-content: type, size and schema of a body (validate-content-policy page).

The page says that ``max-size`` may be up to 4 MB, the limits table of the v2 tiers 100 KiB: the
larger is accepted here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import orjson

from hybridmandate.governance.gateway.contract_check import SchemaCheck
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.messages import Request, Response
from hybridmandate.governance.gateway.policies.validation import ACTIONS, Violation, settle
from hybridmandate.governance.gateway.registry import (
    ElementReader,
    Policy,
    Section,
    policy,
)
from hybridmandate.governance.gateway.schema_overrides import (
    in_lower_case,
    lowered,
    with_additional_properties,
)
from hybridmandate.governance.gateway.values import Value, boolean_of, integer_of
from hybridmandate.governance.gateway.xml_schemas import (
    XmlSchema,
    XmlSchemaUnreadable,
    read_xml,
    soap_content,
)

_MOST_BYTES = 4 * 1024 * 1024
_MOST_HEADERS = 64
_LONGEST_HEADER = 100
"""So many Content-Type headers of so many characters: how their bodies are judged is remembered."""


@dataclass(slots=True)
class _Content:
    type: str | None
    validate_as: str
    action: str
    validator: Any
    additional: bool | None
    any_case: bool
    name: str
    """The schema that is named, "" for that of the operation."""
    own_checks: dict[int, SchemaCheck] = field(default_factory=dict)
    """Schemas of operations with this element's overrides, by the identity of the original."""

    def overridden(self, check: SchemaCheck) -> SchemaCheck:
        """The check with the overrides that the element asks for."""
        if self.additional is None and not self.any_case:
            return check
        known = self.own_checks.get(id(check))
        if known is None:
            known = self.own_checks[id(check)] = SchemaCheck(self.schema(check.schema))
        return known

    def schema(self, schema: Any) -> Any:
        """A schema with the overrides that the element asks for."""
        if self.additional is not None:
            schema = with_additional_properties(schema, self.additional)
        return in_lower_case(schema) if self.any_case else schema


@dataclass(frozen=True, slots=True)
class _Mapping:
    """Content type ``given`` (None: any), on condition ``when``, is judged as ``to``."""

    given: str | None
    when: Value | None
    to: str

    def fits(self, exchange: Exchange, stated: str) -> bool:
        if self.given is not None:
            return self.given == stated
        return self.when is None or boolean_of(self.when.get(exchange))


@policy("validate-content", sections=frozenset(Section) - {Section.BACKEND})
class ValidateContent(Policy):
    """A body is read into memory only up to ``max-size``."""

    def __init__(self, reader: ElementReader) -> None:
        self._section = reader.preparation.section
        self._outbound = self._section is not Section.INBOUND
        self._side = "Response" if self._outbound else "Request"
        self._unspecified = reader.choice_value("unspecified-content-type-action", ACTIONS)
        self._most = reader.number_value("max-size", least=1, most=_MOST_BYTES)
        self._too_large = reader.choice_value("size-exceeded-action", ACTIONS)
        self._variable = reader.optional_literal("errors-variable-name")
        self._map = self._type_map(reader)
        self._contents = [self._content(each) for each in reader.children("content")]
        self._map_is_fixed = all(each.when is None for each in self._map)
        """Whether the header alone says how a body is judged."""
        self._found = lru_cache(maxsize=_MOST_HEADERS)(self._of_header)

    @staticmethod
    def _type_map(reader: ElementReader) -> list[_Mapping]:
        found = reader.child("content-type-map")
        if found is None:
            return []
        kinds: list[_Mapping] = []
        anything = found.optional_literal("any-content-type-value")
        missing = found.optional_literal("missing-content-type-value")
        for each in found.children("type"):
            if each.has("from") == each.has("when"):
                each.refuse("<type> needs exactly one of from, when")
            given = each.literal("from").lower() if each.has("from") else None
            kinds.append(_Mapping(given, each.optional_value("when"), each.literal("to")))
        if missing is not None:
            kinds.append(_Mapping("", None, missing))
        if anything is not None:
            kinds.append(_Mapping(None, None, anything))
        return kinds

    @staticmethod
    def _content(reader: ElementReader) -> _Content:
        kind = reader.optional_literal("type")
        validate_as = reader.choice("validate-as", ("json", "xml", "soap"))
        action = reader.choice("action", ACTIONS)
        schema_id = reader.optional_literal("schema-id")
        reference = reader.optional_literal("schema-ref")
        any_case = reader.flag("case-insensitive-property-names", False)
        named = "allow-additional-properties"
        additional = reader.flag(named, True) if reader.has(named) else None
        content = _Content(
            kind.lower() if kind else None,
            validate_as,
            action,
            None,
            additional,
            any_case,
            schema_id or "",
        )
        if schema_id is not None:
            schema = reader.configuration.schemas.get(schema_id)
            if schema is None:
                reader.refuse(f"no schema '{schema_id}'", reader.attribute("schema-id"))
            if validate_as == "json":
                content.validator = _check_of(content.schema(schema), reference)
            else:
                content.validator = _xml_schema(reader, schema_id, schema)
        return content

    def act(self, exchange: Exchange) -> Awaitable[None] | None:
        message: Request | Response = exchange.response if self._outbound else exchange.request
        most = integer_of(self._most.get(exchange))
        content = message.body.content
        if content is None:
            return self._read_and_check(exchange, message, most)
        size = max(_declared(message), len(content))
        self._check(exchange, message, most, str(size) if size > most else None)
        return None

    async def _read_and_check(
        self, exchange: Exchange, message: Request | Response, most: int
    ) -> None:
        """A body that is too large is not read further, and streams on where that is ignored."""
        size = _declared(message)
        too_large = str(size) if size > most else None
        if too_large is None and not await message.body.fits(most):
            too_large = f"more than {most}"
        self._check(exchange, message, most, too_large)

    def _check(
        self, exchange: Exchange, message: Request | Response, most: int, too_large: str | None
    ) -> None:
        """``too_large`` is the size of a body that is over the limit, in words."""
        if too_large is not None:
            told = f"{self._side}'s body is {too_large} bytes long and it exceeds"
            told += f" the configured limit of {most} bytes."
            found = [self._violation("", "SizeLimit", told, "SizeLimit")]
            action = self._too_large.get(exchange)
        else:
            found, action = self._judge(exchange, message)
        if found and action != "ignore":
            kept = [replace(each, action=action) for each in found]
            settle(exchange, kept, self._variable, self._section)

    def _violation(self, name: str, rule: str, details: str, reason: str) -> Violation:
        return Violation(name, f"{self._side}Body", rule, details, "", reason)

    def _judge(
        self, exchange: Exchange, message: Request | Response
    ) -> tuple[list[Violation], str]:
        """The violations and the action for them."""
        body = message.body.content or b""
        header = message.headers.get("content-type") or ""
        if self._map_is_fixed and len(header) <= _LONGEST_HEADER:
            stated, kind, content = self._found(header)
        else:
            stated = _media_type(header)
            fitting = (each.to for each in self._map if each.fits(exchange, stated))
            kind = next(fitting, stated).lower()
            content = self._content_of(kind)
        if not body and not stated:
            return [], "ignore"
        if content is None:
            told = f"Unspecified content type {stated or 'none'} is not allowed."
            return [
                self._violation(stated, "Unspecified", told, "UnspecifiedContentType")
            ], self._unspecified.get(exchange)
        if content.action == "ignore":
            return [], "ignore"
        if content.validate_as != "json":
            return list(self._xml_violations(content, body)), content.action
        return self._json_violations(exchange, content, body, kind), content.action

    def _of_header(self, header: str) -> tuple[str, str, _Content | None]:
        """What a Content-Type states, what it is judged as, and by which element."""
        stated = _media_type(header)
        kind = next((each.to for each in self._map if each.given in (None, stated)), stated).lower()
        return stated, kind, self._content_of(kind)

    def _content_of(self, kind: str) -> _Content | None:
        return next((each for each in self._contents if each.type in (None, kind)), None)

    def _json_violations(
        self, exchange: Exchange, content: _Content, body: bytes, kind: str
    ) -> list[Violation]:
        try:
            value = orjson.loads(body)
        except ValueError:
            told = f"Body of the {self._side.lower()} is not JSON."
            return [self._violation("body", "IncorrectMessage", told, "JsonBody")]
        check = content.validator
        if check is None:
            own = self._operation_check(exchange, kind)
            if own is None:
                return []
            check = content.overridden(own)
        if content.any_case:
            value = lowered(value)
        faults = check.faults(value)
        if not faults:
            return []
        broken = (
            f"Body of the {self._side.lower()} does not conform to the definition "
            f"{content.name or kind}, which is associated with the content type {kind}."
        )
        return [
            replace(
                self._violation(fault.pointer, "IncorrectMessage", fault.message, "JsonSchema"),
                definition=broken,
            )
            for fault in faults
        ]

    def _xml_violations(self, content: _Content, body: bytes) -> Iterator[Violation]:
        """XML as it stands; of a SOAP envelope what stands in its body."""
        side = self._side.lower()
        root = read_xml(body)
        if root is None:
            told = f"Body of the {side} is not XML."
            yield self._violation("body", "IncorrectMessage", told, "XmlBody")
            return
        elements = soap_content(root) if content.validate_as == "soap" else [root]
        if elements is None:
            told = f"Body of the {side} is not a SOAP envelope."
            yield self._violation("body", "IncorrectMessage", told, "SoapBody")
            return
        if content.validator is None:
            return
        for element in elements:
            for message in content.validator.violations(element):
                told = f"Body of the {side} does not conform to the definition: {message}"
                yield self._violation(str(element.tag), "IncorrectMessage", told, "XmlSchema")

    def _operation_check(self, exchange: Exchange, kind: str) -> SchemaCheck | None:
        """The schema of the operation's own OpenAPI document."""
        operation = exchange.operation
        if operation is None:
            return None
        if not self._outbound:
            return operation.request_checks.get(kind)
        by_status = operation.response_checks
        checks = by_status.get(str(exchange.response.status)) or by_status.get("default") or {}
        return checks.get(kind)


def _media_type(header: str) -> str:
    return header.split(";")[0].strip().lower()


def _declared(message: Request | Response) -> int:
    declared = message.headers.get("content-length")
    return int(declared) if declared is not None and declared.isdigit() else 0


def _check_of(schema: Any, reference: str | None) -> SchemaCheck:
    if reference is not None:
        schema = {**schema, "$ref": f"#/{reference.removeprefix('#').strip('/')}"}
    return SchemaCheck(schema)


def _xml_schema(reader: ElementReader, id: str, schema: Any) -> XmlSchema:
    try:
        return XmlSchema(schema if isinstance(schema, str) else str(schema["value"]))
    except (XmlSchemaUnreadable, KeyError, TypeError):
        reader.refuse(f"schema '{id}' is not an XML schema", reader.attribute("schema-id"))
