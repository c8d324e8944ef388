"""validate-jwt: a signed token with the right times, audience, issuer and claims (its page)."""

from __future__ import annotations

from collections.abc import Awaitable

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.json_web_token import CompactToken, TokenInvalid, TokenRules
from hybridmandate.governance.gateway.policies.token_check import (
    RequiredClaims,
    all_fixed,
    bearer,
    decrypted,
    decryption_key,
    judge,
    object_id,
    optional_text,
    present,
    remember,
    signing_key,
    texts,
    verified_token,
)
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import integer_of, status_of, text_of


@policy("validate-jwt", sections=INBOUND)
class ValidateJwt(Policy):
    """The token comes from one of: a header, a query parameter, an expression.

    Neither ``openid-config`` nor ``issuer-signing-keys`` is required by the page: without both
    every signed token is refused.
    """

    def __init__(self, reader: ElementReader) -> None:
        self._header = reader.optional_value("header-name")
        self._query = reader.optional_value("query-parameter-name")
        self._value = reader.optional_value("token-value")
        if [self._header, self._query, self._value].count(None) != 2:
            reader.refuse(
                "<validate-jwt> needs exactly one of header-name, query-parameter-name, token-value"
            )
        self._status = reader.number_value("failed-validation-httpcode", 401, least=200, most=599)
        self._message = reader.optional_value("failed-validation-error-message")
        self._signed = reader.flag_value("require-signed-tokens", True)
        self._expires = reader.flag_value("require-expiration-time", True)
        self._scheme = reader.optional_value("require-scheme")
        self._skew = reader.number_value("clock-skew", 0)
        self._output = reader.optional_literal("output-token-variable-name")
        configurations = reader.children("openid-config")
        self._urls = [each.value("url") for each in configurations]
        for each in configurations:
            each.flag("validate-connectivity", True)
        keys = reader.listed("issuer-signing-keys", "key")
        self._keys = tuple(signing_key(each) for each in keys)
        self._decryption = tuple(
            decryption_key(each) for each in reader.listed("decryption-keys", "key")
        )
        self._audiences = texts(reader.listed("audiences", "audience"))
        self._issuers = texts(reader.listed("issuers", "issuer"))
        self._claims = RequiredClaims(reader)

        self._demands = object() if self._is_fixed() else None
        """Stands for what is asked of a token while that is the same in every call."""

    def _is_fixed(self) -> bool:
        """Whether the header's text alone decides, apart from time and the issuers' keys."""
        values = (self._header, self._scheme, self._signed, self._expires, self._skew)
        lists = (*self._urls, *self._audiences, *self._issuers)
        return (
            self._header is not None
            and not self._decryption
            and all_fixed((*values, *lists))
            and self._claims.fixed
        )

    def act(self, exchange: Exchange) -> Awaitable[None] | None:
        if self._demands is None or self._header is None:
            return self._judged(exchange, None)
        text = exchange.request.headers.get(text_of(self._header.get(exchange)))
        services = exchange.services
        found = None if text is None else services.verified.accepted(self._demands, text)
        if found is None or not found.holds(services.clock(), services.keys):
            return self._judged(exchange, text)
        self._let_pass(exchange, found.token)
        return None

    async def _judged(self, exchange: Exchange, text: str | None) -> None:
        """Check the token; with the header's ``text`` remember that it passed."""
        try:
            token = await self._check(exchange, text)
        except TokenInvalid as error:
            error.status = status_of(self._status.get(exchange))
            if self._message is not None:
                error.public = text_of(self._message.get(exchange))
            raise
        self._let_pass(exchange, token)

    def _let_pass(self, exchange: Exchange, token: CompactToken) -> None:
        exchange.principal = object_id(token)
        if self._output is not None:
            exchange.variables[self._output] = exchange.jwt(token)

    async def _check(self, exchange: Exchange, text: str | None) -> CompactToken:
        raw = decrypted(self._raw(exchange), self._decryption)
        urls = [text_of(each.get(exchange)).strip() for each in self._urls]
        token, named = await verified_token(
            exchange, raw, self._keys, urls, signed=self._signed.get(exchange)
        )
        issuers = present(self._issuers, exchange) or named
        rules = TokenRules(
            audiences=present(self._audiences, exchange),
            issuers=issuers,
            claims=self._claims.get(exchange),
            clock_skew=integer_of(self._skew.get(exchange)),
            require_expiration=self._expires.get(exchange),
        )
        judge(token, rules, exchange)
        if text is not None:
            remember(
                exchange,
                self._demands,
                text,
                token,
                urls=urls,
                static=self._keys,
                skew=rules.clock_skew,
            )
        return token

    def _raw(self, exchange: Exchange) -> str:
        raw: str | None
        if self._value is not None:
            raw = text_of(self._value.get(exchange))
        elif self._query is not None:
            name = text_of(self._query.get(exchange))
            raw = next(iter(exchange.request.url.query.get(name, ())), None)
        else:
            assert self._header is not None
            name = text_of(self._header.get(exchange))
            raw = exchange.request.headers.get(name)
            if raw:
                of_authorization = name.lower() == "authorization"
                scheme = optional_text(self._scheme, exchange) if of_authorization else None
                raw = bearer(raw, scheme)
        if not raw:
            raise TokenInvalid("TokenNotPresent", "JWT not present.")
        return raw
