"""send-service-bus-message: a message for a queue or topic (its policy page).

Sent as Service Bus's HTTP interface takes it: ``POST https://<namespace>/<queue>/messages`` (or
the topic's name) with the gateway's own token, properties as headers
(learn.microsoft.com/rest/api/servicebus/send-message-to-queue).
"""

from __future__ import annotations

import json
from urllib.parse import quote

from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.policies.send_request import answer, failure_reason
from hybridmandate.governance.gateway.registry import ElementReader, Policy, Section, policy
from hybridmandate.governance.gateway.transport import (
    Outgoing,
    TransportFailure,
    parse_base_url,
)
from hybridmandate.governance.gateway.values import bytes_of, text_of
from hybridmandate.identity.principal import TokenUnavailable

_RESOURCE = "https://servicebus.azure.net"
_SECONDS = 60.0


@policy("send-service-bus-message", sections=frozenset(Section) - {Section.BACKEND})
class SendServiceBusMessage(Policy):
    """The call waits until the message is taken; that it was becomes telemetry, without payload."""

    def __init__(self, reader: ElementReader) -> None:
        queue, topic = reader.optional_value("queue-name"), reader.optional_value("topic-name")
        found = queue or topic
        if found is None or (queue is not None and topic is not None):
            reader.refuse(f"<{reader.name}> needs exactly one of queue-name and topic-name")
        self._entity = found
        self._namespace = reader.value("namespace")
        self._client = reader.optional_value("client-id")
        self._properties = [
            (each.literal("name"), each.content())
            for each in reader.listed("message-properties", "message-property")
        ]
        self._payload = reader.required_child("payload").content()

    async def act(self, exchange: Exchange) -> None:
        namespace = text_of(self._namespace.get(exchange)).strip()
        entity = text_of(self._entity.get(exchange)).strip()
        outgoing = Outgoing(
            method="POST",
            url=f"{_address(namespace)}/{quote(entity)}/messages",
            headers=[
                ("Authorization", f"Bearer {await self._token(exchange)}"),
                ("Content-Type", "application/octet-stream"),
                *(
                    (name, json.dumps(text_of(value.get(exchange))))
                    for name, value in self._properties
                ),
            ],
            body=bytes_of(self._payload.get(exchange)),
            timeout=_SECONDS,
        )
        try:
            response = await answer(exchange.services.transport, outgoing)
        except TransportFailure as error:
            raise PolicyError(
                500, failure_reason(error), f"The message was not sent: {error}"
            ) from error
        if response.status != 201:
            raise PolicyError(
                500, "ServiceBusMessageFailure", f"Service Bus answered {response.status}."
            )
        exchange.services.telemetry("policy.servicebus", entity, {"namespace": namespace})

    async def _token(self, exchange: Exchange) -> str:
        client = None if self._client is None else text_of(self._client.get(exchange))
        try:
            return await exchange.services.tokens(client).token(_RESOURCE)
        except TokenUnavailable as error:
            raise PolicyError(500, "ManagedIdentityTokenFailure", str(error)) from error


def _address(namespace: str) -> str:
    """The https address of a fully qualified namespace. :raises PolicyError: when it is none."""
    try:
        address = parse_base_url(f"https://{namespace}").url
    except ValueError as error:
        raise PolicyError(500, "BackendConnectionFailure", str(error)) from error
    if any(sign in namespace for sign in "/@?#"):
        raise PolicyError(
            500, "BackendConnectionFailure", f"'{namespace[:80]}' is no Service Bus namespace."
        )
    return address
