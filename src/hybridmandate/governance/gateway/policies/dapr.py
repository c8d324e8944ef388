"""publish-to-dapr and invoke-dapr-binding: calls of a Dapr sidecar (their policy pages).

The sidecar is the declared back end ``dapr``; without one it is where Dapr's runtime listens by
default, ``http://localhost:3500`` (docs.dapr.io, reference of the HTTP API).
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.expression_context import shown_response
from hybridmandate.governance.gateway.liquid_body import LiquidBody
from hybridmandate.governance.gateway.liquid_objects import LiquidContent
from hybridmandate.governance.gateway.policies.send_request import answer, failure_reason
from hybridmandate.governance.gateway.registry import (
    INBOUND,
    ElementReader,
    Policy,
    Section,
    policy,
)
from hybridmandate.governance.gateway.transport import Outgoing, TransportFailure
from hybridmandate.governance.gateway.values import bytes_of, integer_of, text_of

_SIDECAR = "http://localhost:3500"
_BACKEND = "dapr"


class _Call:
    """What both policies share: time-out, failures, and where the answer goes."""

    def __init__(self, reader: ElementReader) -> None:
        self._ignore = reader.flag("ignore-error", False)
        self._variable = reader.optional_literal("response-variable-name")
        self._timeout = reader.number_value("timeout", 5, least=1)
        self._declared = _BACKEND in reader.configuration.backends

    async def post(self, exchange: Exchange, path: str, kind: str, body: bytes) -> None:
        """Send it. :raises PolicyError: when it fails and errors are not ignored."""
        base, socket = self._sidecar(exchange)
        outgoing = Outgoing(
            "POST",
            base + path,
            [("Content-Type", kind)],
            body,
            float(integer_of(self._timeout.get(exchange))),
            socket,
        )
        try:
            response = await answer(exchange.services.transport, outgoing)
        except TransportFailure as error:
            if not self._ignore:
                raise PolicyError(
                    500, failure_reason(error), f"The Dapr sidecar: {error}"
                ) from error
            if self._variable is not None:
                exchange.variables[self._variable] = None
            return
        if self._variable is not None:
            exchange.variables[self._variable] = shown_response(response)
        if response.status >= 400 and not self._ignore:
            raise PolicyError(
                500, "DaprRequestFailure", f"The Dapr sidecar answered {response.status}."
            )

    def _sidecar(self, exchange: Exchange) -> tuple[str, str | None]:
        if not self._declared:
            return _SIDECAR, None
        _, base = exchange.services.backends.pick(_BACKEND)
        return base.url, base.socket


class _Content:
    """A body by text, expression or Liquid template."""

    def __init__(self, reader: ElementReader, template: str) -> None:
        self._liquid = (
            LiquidBody(reader, LiquidContent(parse_date=True, nil=""), on_request=True)
            if template == "liquid"
            else None
        )
        self._value = reader.content() if self._liquid is None else None

    def get(self, exchange: Exchange) -> bytes:
        """The content for this call."""
        if self._liquid is not None:
            current = exchange.request.body.content or b""
            return self._liquid.render(exchange, current).encode()
        assert self._value is not None
        return bytes_of(self._value.get(exchange))


@policy("publish-to-dapr", sections=INBOUND)
class PublishToDapr(Policy):
    """Publishes the text to a topic; without ``pubsub-name`` the topic is ``pubsub/topic``."""

    def __init__(self, reader: ElementReader) -> None:
        self._pubsub = reader.optional_value("pubsub-name")
        self._topic = reader.value("topic")
        template = reader.choice("template", ("none", "liquid", "Liquid"), "none").lower()
        self._kind = reader.literal("content-type", "application/json")
        self._call = _Call(reader)
        self._content = _Content(reader, template)

    async def act(self, exchange: Exchange) -> None:
        topic = text_of(self._topic.get(exchange)).strip()
        if self._pubsub is not None:
            topic = f"{text_of(self._pubsub.get(exchange)).strip()}/{topic}"
        path = f"/v1.0/publish/{quote(topic)}"
        await self._call.post(exchange, path, self._kind, self._content.get(exchange))


@policy("invoke-dapr-binding", sections=frozenset(Section) - {Section.BACKEND})
class InvokeDaprBinding(Policy):
    """Invokes an output binding with ``data``, ``metadata`` and an operation."""

    def __init__(self, reader: ElementReader) -> None:
        self._name = reader.value("name")
        self._operation = reader.optional_literal("operation")
        template = reader.choice("template", ("none", "liquid", "Liquid"), "none").lower()
        reader.literal("content-type", "application/json")
        self._call = _Call(reader)
        self._metadata = [
            (each.literal("key"), each.content()) for each in reader.listed("metadata", "item")
        ]
        data = reader.child("data")
        self._data = None if data is None else _Content(data, template)

    async def act(self, exchange: Exchange) -> None:
        asked: dict[str, Any] = {
            "metadata": {key: text_of(value.get(exchange)) for key, value in self._metadata}
        }
        if self._data is not None:
            asked["data"] = _json_or_text(self._data.get(exchange))
        if self._operation is not None:
            asked["operation"] = self._operation
        path = f"/v1.0/bindings/{quote(text_of(self._name.get(exchange)).strip(), safe='')}"
        await self._call.post(exchange, path, "application/json", json.dumps(asked).encode())


def _json_or_text(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")
