"""A policy's own call of a declared back end: its address, credentials, and a JSON answer.

Content safety, embeddings and authorization providers are reached as ``backends`` that the
configuration declares; a back end without credentials of its own is sent the gateway's token.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from hybridmandate.governance.gateway.configuration import BackendEntry
from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.policies.send_request import answer
from hybridmandate.governance.gateway.transport import Outgoing, TransportFailure, TransportTimeout
from hybridmandate.identity.principal import TokenUnavailable

COGNITIVE_SERVICES = "https://cognitiveservices.azure.com"
_SECONDS = 60.0


class ServiceCallFailed(Exception):
    """The service did not answer with what was asked for."""


async def call_service(
    exchange: Exchange, backend_id: str, path: str, body: Any, version: str
) -> Mapping[str, Any]:
    """POST JSON to ``path`` below a declared back end of Azure AI services.

    ``version`` is the ``api-version`` where the back end's own query names none.

    :raises ServiceCallFailed: when it cannot be reached or does not answer 2xx with an object.
    """
    entry, url, socket = pick(exchange, backend_id)
    headers = [("Content-Type", "application/json")]
    if entry.headers:
        headers += [(name, each) for name, values in entry.headers.items() for each in values]
    else:
        headers.append(("Authorization", f"Bearer {await own_token(exchange)}"))
    query = {"api-version": (version,), **entry.query}
    if not urlsplit(url).path.endswith(path):
        url += path
    return await fetch_json(
        exchange,
        Outgoing(
            "POST",
            f"{url}?{urlencode(query, doseq=True)}",
            headers,
            json.dumps(body).encode(),
            _SECONDS,
            socket,
        ),
    )


def pick(exchange: Exchange, backend_id: str) -> tuple[BackendEntry, str, str | None]:
    """The back end, its URL and socket. :raises ServiceCallFailed: when there is none."""
    try:
        entry, base = exchange.services.backends.pick(backend_id)
    except PolicyError as error:
        raise ServiceCallFailed(error.message) from error
    return entry, base.url, base.socket


async def own_token(exchange: Exchange) -> str:
    """The gateway's token for Azure AI services. :raises ServiceCallFailed: without one."""
    try:
        return await exchange.services.tokens(None).token(COGNITIVE_SERVICES)
    except TokenUnavailable as error:
        raise ServiceCallFailed(str(error)) from error


async def fetch_json(exchange: Exchange, outgoing: Outgoing) -> Mapping[str, Any]:
    """The JSON object that a service answers.

    :raises ServiceCallFailed: for a failure, another status than 2xx, or another content.
    """
    try:
        response = await answer(exchange.services.transport, outgoing)
        found = json.loads(response.body.content or b"null")
    except TransportTimeout as error:
        raise ServiceCallFailed("the service did not answer in time") from error
    except TransportFailure as error:
        raise ServiceCallFailed(f"the service could not be reached: {error}") from error
    except ValueError as error:
        raise ServiceCallFailed("the service's answer is not JSON") from error
    if not 200 <= response.status < 300 or not isinstance(found, dict):
        raise ServiceCallFailed(f"the service answered {response.status}")
    return found
