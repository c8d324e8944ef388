"""get-authorization-context: a token of an authorization provider (its policy page).

There is no credential manager on one machine. A provider is a declared back end whose id is the
provider's: its URL is the OAuth 2.0 token endpoint, its credential headers authenticate the client,
its credential query parameters (``scope``, ``client_id`` …) become fields of the form. The grant is
that of client credentials (RFC 6749, section 4.4); tokens are kept until they expire. Access
policies of a connection are not known: ``identity`` only keeps tokens of identities apart.
"""

from __future__ import annotations

from urllib.parse import urlencode

from hybridmandate.governance.gateway.csharp.types.http_types import Authorization
from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.policies.service_call import (
    ServiceCallFailed,
    fetch_json,
    pick,
)
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy
from hybridmandate.governance.gateway.transport import Outgoing
from hybridmandate.governance.gateway.values import Constant, text_of

_SECONDS = 60.0
_EARLY = 60.0
_DEFAULT_LIFETIME = 300.0


@policy("get-authorization-context", sections=INBOUND)
class GetAuthorizationContext(Policy):
    """Puts an ``Authorization`` into the variable; with ignore-error a failure leaves null."""

    def __init__(self, reader: ElementReader) -> None:
        self._provider = reader.value("provider-id")
        self._authorization = reader.value("authorization-id")
        self._variable = reader.value("context-variable-name")
        self._kind = reader.choice_value("identity-type", ("managed", "jwt"), "managed")
        self._identity = reader.optional_value("identity")
        needs_identity = isinstance(self._kind, Constant) and self._kind.value == "jwt"
        if needs_identity and self._identity is None:
            reader.refuse("identity-type jwt needs attribute 'identity'")
        self._ignore = reader.flag_value("ignore-error", False)

    async def act(self, exchange: Exchange) -> None:
        name = text_of(self._variable.get(exchange))
        try:
            exchange.variables[name] = await self._authorized(exchange)
        except ServiceCallFailed as error:
            if not self._ignore.get(exchange):
                raise PolicyError(
                    500, "AuthorizationContextFailure", f"No authorization: {error}."
                ) from error
            exchange.variables[name] = None

    async def _authorized(self, exchange: Exchange) -> Authorization:
        provider = text_of(self._provider.get(exchange)).strip()
        connection = text_of(self._authorization.get(exchange)).strip()
        identity = ""
        if self._identity is not None and self._kind.get(exchange) == "jwt":
            identity = text_of(self._identity.get(exchange))
        key = f"authorization|{provider}|{connection}|{identity}"
        known = exchange.services.cache.get(key)
        if isinstance(known, Authorization):
            return known
        entry, url, socket = pick(exchange, provider)
        form = {"grant_type": "client_credentials"}
        form.update({name: " ".join(values) for name, values in entry.query.items()})
        headers = [("Content-Type", "application/x-www-form-urlencoded")]
        headers += [(name, each) for name, values in entry.headers.items() for each in values]
        found = dict(
            await fetch_json(
                exchange,
                Outgoing("POST", url, headers, urlencode(form).encode(), _SECONDS, socket),
            )
        )
        token = found.pop("access_token", None)
        if not isinstance(token, str):
            raise ServiceCallFailed("the provider's answer holds no access_token")
        lifetime = found.get("expires_in")
        seconds = float(lifetime) if isinstance(lifetime, int | float) else _DEFAULT_LIFETIME
        made = Authorization(token, found)
        if seconds > _EARLY:
            exchange.services.cache.put(key, made, seconds - _EARLY)
        return made
