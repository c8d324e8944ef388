"""authentication-managed-identity: the gateway's own token for a resource (its policy page)."""

from __future__ import annotations

from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.registry import (
    INBOUND,
    OUTBOUND,
    ElementReader,
    Policy,
    policy,
)
from hybridmandate.governance.gateway.values import text_of
from hybridmandate.identity.principal import TokenUnavailable


@policy("authentication-managed-identity", sections=INBOUND | OUTBOUND)
class AuthenticationManagedIdentity(Policy):
    """The token goes into the Authorization header, or into a variable when one is named.

    The page allows it in inbound. Deployed documents have it in outbound too, before a
    ``send-request`` that needs the token (pagopa/pagopa-infra, Azure-Samples/AI-Gateway).
    """

    def __init__(self, reader: ElementReader) -> None:
        self._resource = reader.value("resource")
        self._client = reader.optional_literal("client-id")
        self._output = reader.optional_literal("output-token-variable-name")
        self._ignore = reader.flag_value("ignore-error", False)

    async def act(self, exchange: Exchange) -> None:
        try:
            token = await exchange.services.tokens(self._client).token(
                text_of(self._resource.get(exchange))
            )
        except TokenUnavailable as error:
            if self._ignore.get(exchange):
                if self._output is not None:
                    exchange.variables[self._output] = None
                return
            raise PolicyError(500, "ManagedIdentityTokenFailure", str(error)) from error
        if self._output is not None:
            exchange.variables[self._output] = token
        else:
            exchange.request.headers.set("Authorization", [f"Bearer {token}"])
