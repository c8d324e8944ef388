"""validate-azure-ad-token: a token of Microsoft Entra ID (validate-azure-ad-token-policy page)."""

from __future__ import annotations

from urllib.parse import urlsplit

from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.json_web_token import CompactToken, TokenInvalid, TokenRules
from hybridmandate.governance.gateway.policies.token_check import (
    RequiredClaims,
    bearer,
    decrypted,
    decryption_key,
    judge,
    object_id,
    present,
    texts,
    verified_token,
)
from hybridmandate.governance.gateway.registry import INBOUND, ElementReader, Policy, policy
from hybridmandate.governance.gateway.values import Constant, status_of, text_of

_CLOUD = "https://login.microsoftonline.com"


@policy("validate-azure-ad-token", sections=INBOUND)
class ValidateAzureAdToken(Policy):
    """``tenant-id`` is an id, a URL of a tenant, ``organizations`` or ``common``.

    A URL tells where the issuer is: that is how a local stand-in is named.
    """

    def __init__(self, reader: ElementReader) -> None:
        self._tenant = reader.value("tenant-id")
        self._header = reader.optional_value("header-name")
        self._query = reader.optional_value("query-parameter-name")
        self._value = reader.optional_value("token-value")
        if [self._header, self._query, self._value].count(None) < 2:
            reader.refuse(
                "<validate-azure-ad-token> takes one of header-name, query-parameter-name, "
                "token-value"
            )
        self._status = reader.number_value("failed-validation-httpcode", 401, least=200, most=599)
        self._message = reader.optional_value("failed-validation-error-message")
        self._output = reader.optional_literal("output-token-variable-name")
        self._decryption = tuple(
            decryption_key(each) for each in reader.listed("decryption-keys", "key")
        )
        backends = reader.listed("backend-application-ids", "application-id")
        clients = reader.listed("client-application-ids", "application-id")
        self._clients = texts(clients)
        self._audiences = [*texts(backends), *texts(reader.listed("audiences", "audience"))]
        self._claims = RequiredClaims(reader)
        self._endpoint = reader.literal("authentication-endpoint", _CLOUD).strip().rstrip("/")
        if "://" not in self._endpoint:
            self._endpoint = f"https://{self._endpoint}"
        if isinstance(self._tenant, Constant) and not str(self._tenant.value).strip():
            reader.refuse("attribute 'tenant-id' of <validate-azure-ad-token> is empty")

    async def act(self, exchange: Exchange) -> None:
        try:
            token = await self._check(exchange)
        except TokenInvalid as error:
            error.status = status_of(self._status.get(exchange))
            if self._message is not None:
                error.public = text_of(self._message.get(exchange))
            raise
        exchange.principal = object_id(token)
        if self._output is not None:
            exchange.variables[self._output] = exchange.jwt(token)

    async def _check(self, exchange: Exchange) -> CompactToken:
        raw = decrypted(self._raw(exchange), self._decryption)
        base, tenant = self._authority(text_of(self._tenant.get(exchange)).strip())
        url = f"{base}/{tenant}/v2.0/.well-known/openid-configuration"
        token, named = await verified_token(exchange, raw, (), [url], signed=True)
        rules = TokenRules(
            audiences=present(self._audiences, exchange),
            issuers=_issuers(base, tenant, token, named),
            claims=self._claims.get(exchange),
        )
        judge(token, rules, exchange)
        clients = present(self._clients, exchange)
        client = token.claims.get("azp") or token.claims.get("appid")
        if clients and client not in clients:
            raise TokenInvalid(
                "TokenClaimValueNotAllowed",
                f"Claim appid value of {client} is not allowed. Access denied.",
            )
        return token

    def _authority(self, tenant: str) -> tuple[str, str]:
        """The authority's origin and the tenant of ``tenant-id``."""
        if "://" not in tenant:
            return self._endpoint, tenant
        parts = urlsplit(tenant)
        return f"{parts.scheme}://{parts.netloc}", parts.path.strip("/").split("/")[0]

    def _raw(self, exchange: Exchange) -> str:
        raw: str | None
        if self._value is not None:
            raw = text_of(self._value.get(exchange))
        elif self._query is not None:
            name = text_of(self._query.get(exchange))
            raw = next(iter(exchange.request.url.query.get(name, ())), None)
        else:
            name = "Authorization" if self._header is None else text_of(self._header.get(exchange))
            raw = exchange.request.headers.get(name)
            if raw and name.lower() == "authorization":
                raw = bearer(raw, "Bearer")
        if not raw:
            raise TokenInvalid("TokenNotPresent", "JWT not present.")
        return raw


def _issuers(base: str, tenant: str, token: CompactToken, named: frozenset[str]) -> frozenset[str]:
    """Issuers of v1 and v2 tokens of the tenant; for many tenants, of the token's own tenant."""
    own = str(token.claims.get("tid", ""))
    known = tenant if tenant not in ("organizations", "common") else own
    templated = {each.replace("{tenantid}", known) for each in named}
    return frozenset(
        templated
        | {f"{base}/{known}/v2.0", f"{base}/{known}/", f"https://sts.windows.net/{known}/"}
    )
