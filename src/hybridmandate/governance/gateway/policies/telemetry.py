"""trace, emit-metric, log-to-eventhub: what is told to the outside; responses never change.

Here each becomes a telemetry event of the gateway (``policy.trace``, ``policy.metric``,
``policy.eventhub``) for its recorder; there is no Application Insights or Event Hub on one machine.
"""

from __future__ import annotations

from collections.abc import Callable

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.registry import ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import Value, text_of

_MAX_EVENT_BYTES = 200 * 1024
_MAX_DIMENSIONS = 5
_OWN_DIMENSIONS: dict[str, Callable[[Exchange], str]] = {
    "API ID": lambda exchange: exchange.api.id,
    "Operation ID": lambda exchange: exchange.operation.id if exchange.operation else "",
    "Product ID": lambda exchange: exchange.product.id if exchange.product else "",
    "Subscription ID": lambda exchange: exchange.subscription.id if exchange.subscription else "",
    "Client IP address": lambda exchange: exchange.request.client_ip,
    "Gateway ID": lambda exchange: exchange.services.service_name,
    "Location": lambda exchange: exchange.services.region,
    "User ID": lambda exchange: "",
    "Backend ID": lambda exchange: exchange.backend_id or "",
}


class Dimensions:
    """``<dimension>`` children: own ones by expression, built-in ones by name."""

    def __init__(self, reader: ElementReader) -> None:
        self._own: list[tuple[str, Value | None]] = []
        for each in reader.children("dimension"):
            name = each.literal("name")
            value = each.optional_value("value")
            if value is None and name not in _OWN_DIMENSIONS:
                each.refuse(f"dimension '{name}' is not built in: give it a value")
            self._own.append((name, value))
        if len([value for _, value in self._own if value is not None]) > _MAX_DIMENSIONS:
            reader.refuse(f"<{reader.name}> takes at most {_MAX_DIMENSIONS} custom dimensions")

    def values(self, exchange: Exchange) -> dict[str, str]:
        """The dimensions of this call."""
        return {
            name: _OWN_DIMENSIONS[name](exchange) if value is None else text_of(value.get(exchange))
            for name, value in self._own
        }


@policy("trace")
class Trace(Policy):
    """A message with a severity and metadata."""

    def __init__(self, reader: ElementReader) -> None:
        self._source = reader.literal("source")
        self._severity = reader.choice("severity", ("verbose", "information", "error"), "verbose")
        message = reader.child("message")
        self._message = None if message is None else message.content()
        self._metadata = [
            (each.literal("name"), each.value("value")) for each in reader.children("metadata")
        ]
        if self._message is None and reader.element.text is None:
            reader.refuse("<trace> needs <message>")
        self._text = None if self._message is not None else reader.content()

    def act(self, exchange: Exchange) -> None:
        message = self._message if self._message is not None else self._text
        assert message is not None
        exchange.services.telemetry(
            "policy.trace",
            self._source,
            {
                "severity": self._severity,
                "message": text_of(message.get(exchange)),
                **{name: text_of(value.get(exchange)) for name, value in self._metadata},
            },
        )


@policy("emit-metric")
class EmitMetric(Policy):
    """A number with dimensions."""

    def __init__(self, reader: ElementReader) -> None:
        self._name = reader.literal("name")
        self._namespace = reader.literal("namespace", "API Management")
        self._value = reader.value("value", 1)
        self._dimensions = Dimensions(reader)

    def act(self, exchange: Exchange) -> None:
        exchange.services.telemetry(
            "policy.metric",
            self._name,
            {
                "namespace": self._namespace,
                "value": text_of(self._value.get(exchange)),
                **self._dimensions.values(exchange),
            },
        )


@policy("log-to-eventhub")
class LogToEventHub(Policy):
    """A text, cut at 200 KB, for the named logger."""

    def __init__(self, reader: ElementReader) -> None:
        self._logger = reader.literal("logger-id")
        if reader.has("partition-id") and reader.has("partition-key"):
            reader.refuse("<log-to-eventhub> takes partition-id or partition-key, not both")
        reader.optional_literal("partition-id")
        self._partition = reader.optional_value("partition-key")
        self._text = reader.content()
        loggers = reader.configuration.loggers
        if loggers and self._logger not in loggers:
            reader.refuse(f"no logger '{self._logger}'", reader.attribute("logger-id"))

    def act(self, exchange: Exchange) -> None:
        text = text_of(self._text.get(exchange)).encode()[:_MAX_EVENT_BYTES]
        exchange.services.telemetry(
            "policy.eventhub", self._logger, {"text": text.decode("utf-8", "ignore")}
        )
