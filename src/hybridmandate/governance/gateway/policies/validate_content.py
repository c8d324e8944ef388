"""validate-content: type, size and schema of a body (validate-content-policy page).

The page says that ``max-size`` may be up to 4 MB, the limits table of the v2 tiers 100 KiB: the
larger is accepted here.
"""

from __future__ import annotations

from dataclasses import dataclass
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
from hybridmandate.governance.gateway.xml_schemas import (
    XmlSchema,
    XmlSchemaUnreadable,
    read_xml,
    soap_content,
)

_MOST_BYTES = 4 * 1024 * 1024


@dataclass(slots=True)
class _Content:
    type: str | None
    validate_as: str
    action: str
    validator: Any


@policy("validate-content", sections=frozenset(Section) - {Section.BACKEND})
class ValidateContent(Policy):
    """A body is read into memory only up to ``max-size``."""

    def __init__(self, reader: ElementReader) -> None:
        self._section = reader.preparation.section
        self._unspecified = reader.choice("unspecified-content-type-action", ACTIONS)
        self._most = reader.integer("max-size", least=1, most=_MOST_BYTES)
        self._too_large = reader.choice("size-exceeded-action", ACTIONS)
        self._variable = reader.optional_literal("errors-variable-name")
        self._map = self._type_map(reader)
        self._contents = [self._content(each) for each in reader.children("content")]

    @staticmethod
    def _type_map(reader: ElementReader) -> list[tuple[str | None, str]]:
        found = reader.child("content-type-map")
        if found is None:
            return []
        kinds: list[tuple[str | None, str]] = []
        anything = found.optional_literal("any-content-type-value")
        missing = found.optional_literal("missing-content-type-value")
        for each in found.children("type"):
            kinds.append((each.literal("from"), each.literal("to")))
            each.optional_literal("when")
        if missing is not None:
            kinds.append(("", missing))
        if anything is not None:
            kinds.append((None, anything))
        return kinds

    @staticmethod
    def _content(reader: ElementReader) -> _Content:
        kind = reader.optional_literal("type")
        validate_as = reader.choice("validate-as", ("json", "xml", "soap"))
        action = reader.choice("action", ACTIONS)
        schema_id = reader.optional_literal("schema-id")
        reference = reader.optional_literal("schema-ref")
        reader.flag("case-insensitive-property-names", False)
        reader.flag("allow-additional-properties", True)
        validator: SchemaCheck | XmlSchema | None = None
        if schema_id is not None:
            schema = reader.configuration.schemas.get(schema_id)
            if schema is None:
                reader.refuse(f"no schema '{schema_id}'", reader.attribute("schema-id"))
            if validate_as == "json":
                validator = _check_of(schema, reference)
            else:
                validator = _xml_schema(reader, schema_id, schema)
        return _Content(kind.lower() if kind else None, validate_as, action, validator)

    async def act(self, exchange: Exchange) -> None:
        response_side = self._section is not Section.INBOUND
        message: Request | Response = exchange.response if response_side else exchange.request
        violations: list[Violation] = []
        if not await self._fits(message):
            violations.append(
                Violation(
                    "body",
                    "Request" if not response_side else "Response",
                    "SizeLimit",
                    f"The body is larger than {self._most} bytes.",
                    self._too_large,
                )
            )
        else:
            violations.extend(self._judge(exchange, message))
        settle(
            exchange,
            [each for each in violations if each.action != "ignore"],
            self._variable,
            self._section,
        )

    async def _fits(self, message: Request | Response) -> bool:
        declared = message.headers.get("content-length")
        if declared is not None and declared.isdigit() and int(declared) > self._most:
            return False
        return len(await message.body.buffer()) <= self._most

    def _judge(self, exchange: Exchange, message: Request | Response) -> list[Violation]:
        body = message.body.content or b""
        stated = (message.headers.get("content-type") or "").split(";")[0].strip().lower()
        kind = next((to for given, to in self._map if given in (None, stated)), stated)
        if not body and not stated:
            return []
        content = next((each for each in self._contents if each.type in (None, kind)), None)
        if content is None:
            return [
                Violation(
                    stated,
                    "Content",
                    "UnspecifiedContentType",
                    f"Unspecified content type {stated or 'none'} is not allowed.",
                    self._unspecified,
                )
            ]
        if content.action == "ignore":
            return []
        if content.validate_as != "json":
            return _xml_violations(content, body)
        return self._json_violations(exchange, content, body, kind)

    def _json_violations(
        self, exchange: Exchange, content: _Content, body: bytes, kind: str
    ) -> list[Violation]:
        try:
            value = orjson.loads(body)
        except ValueError:
            return [
                Violation("body", "Content", "JsonBody", "The body is not JSON.", content.action)
            ]
        check = content.validator or self._operation_check(exchange, kind)
        if check is None:
            return []
        return [
            Violation(fault.pointer, "Content", "JsonSchema", fault.message, content.action)
            for fault in check.faults(value)
        ]

    def _operation_check(self, exchange: Exchange, kind: str) -> SchemaCheck | None:
        """The schema of the operation's own OpenAPI document."""
        operation = exchange.operation
        if operation is None:
            return None
        if self._section is Section.INBOUND:
            return operation.request_checks.get(kind)
        by_status = operation.response_checks
        checks = by_status.get(str(exchange.response.status)) or by_status.get("default") or {}
        return checks.get(kind)


def _check_of(schema: Any, reference: str | None) -> SchemaCheck:
    if reference is not None:
        schema = {**schema, "$ref": f"#/{reference.removeprefix('#').strip('/')}"}
    return SchemaCheck(schema)


def _xml_schema(reader: ElementReader, id: str, schema: Any) -> XmlSchema:
    try:
        return XmlSchema(schema if isinstance(schema, str) else str(schema["value"]))
    except (XmlSchemaUnreadable, KeyError, TypeError):
        reader.refuse(f"schema '{id}' is not an XML schema", reader.attribute("schema-id"))


def _xml_violations(content: _Content, body: bytes) -> list[Violation]:
    """XML as it stands; of a SOAP envelope what stands in its body."""
    root = read_xml(body)
    if root is None:
        return [Violation("body", "Content", "XmlBody", "The body is not XML.", content.action)]
    elements = [root]
    if content.validate_as == "soap":
        inside = soap_content(root)
        if inside is None:
            told = "The body is not a SOAP envelope."
            return [Violation("body", "Content", "SoapBody", told, content.action)]
        elements = inside
    if content.validator is None:
        return []
    return [
        Violation(
            str(element.tag),
            "Content",
            "XmlSchema",
            f"Body of the request does not conform to the definition: {message}",
            content.action,
        )
        for element in elements
        for message in content.validator.violations(element)
    ]
