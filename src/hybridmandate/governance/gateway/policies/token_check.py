"""What validate-jwt and validate-azure-ad-token share: keys, verification, claims, result."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterable, Sequence

from cryptography.hazmat.primitives.asymmetric.ec import (
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OctKey, RSAKey

from hybridmandate.governance.gateway.certificate_store import (
    PREFIX,
    CertificateStore,
    CertificateUnreadable,
)
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.json_web_token import (
    CompactToken,
    RequiredClaim,
    TokenInvalid,
    TokenRules,
    check_claims,
    decrypt_token,
    is_encrypted,
    keys_of_policy,
    keys_of_set,
    number_claim,
    read_token,
    verify_signature,
)
from hybridmandate.governance.gateway.registry import ElementReader
from hybridmandate.governance.gateway.signing_keys import NamedKeys
from hybridmandate.governance.gateway.values import Constant, Settled, Value, text_of
from hybridmandate.governance.gateway.verified_tokens import Acceptance, VerifiedTokens


class RequiredClaims:
    """The ``<required-claims>``; ``match`` is all unless it says any. All may be expressions."""

    def __init__(self, reader: ElementReader) -> None:
        self._claims = [
            (
                each.value("name"),
                texts(each.children("value")),
                each.choice_value("match", ("all", "any"), "all"),
                each.optional_value("separator"),
            )
            for each in reader.listed("required-claims", "claim")
        ]
        parts = [
            part
            for name, values, match, separator in self._claims
            for part in (name, match, *values, *([separator] if separator is not None else []))
        ]
        self.fixed = all_fixed(parts)
        """Whether they are the same in every call."""
        self._known: tuple[RequiredClaim, ...] | None = None

    def get(self, exchange: Exchange) -> tuple[RequiredClaim, ...]:
        """The claims that this call's token must have."""
        if self._known is not None:
            return self._known
        found = tuple(
            RequiredClaim(
                name=text_of(name.get(exchange)),
                values=tuple(text_of(each.get(exchange)).strip() for each in values),
                match_all=match.get(exchange) == "all",
                separator=None if separator is None else text_of(separator.get(exchange)),
            )
            for name, values, match, separator in self._claims
        )
        if self.fixed:
            self._known = found
        return found


def all_fixed(values: Iterable[Value | None]) -> bool:
    """Whether values are the same in every call; one that is left out is."""
    return all(each is None or isinstance(each, Constant | Settled) for each in values)


def optional_text(value: Value | None, exchange: Exchange) -> str | None:
    """The text of an optional attribute for this call; an empty one counts as left out."""
    return None if value is None else text_of(value.get(exchange)) or None


def texts(readers: Sequence[ElementReader]) -> list[Value]:
    """The contents of a list of elements."""
    return [each.content() for each in readers]


def present(values: Sequence[Value], exchange: Exchange) -> frozenset[str]:
    """The values of this call; empty ones do not count."""
    return frozenset(filter(None, (text_of(each.get(exchange)).strip() for each in values)))


def signing_key(reader: ElementReader) -> tuple[str | None, Key]:
    """A ``<key>`` of ``<issuer-signing-keys>``: inline base64, or RSA by modulus and exponent."""
    name = reader.optional_literal("id")
    if reader.has("certificate-id"):
        return name, _certificate_key(reader)
    modulus, exponent = reader.optional_literal("n"), reader.optional_literal("e")
    try:
        if modulus is not None and exponent is not None:
            return name, RSAKey.import_key({"kty": "RSA", "n": modulus, "e": exponent})
        secret = base64.b64decode(reader.literal_content(), validate=True)
        if not secret:
            reader.refuse("<key> needs its key as base64 text, or 'n' and 'e'")
        return name, OctKey.import_key(secret)
    except (binascii.Error, ValueError, JoseError):
        reader.refuse("<key> is neither base64 text nor an RSA key with 'n' and 'e'")


def decryption_key(reader: ElementReader) -> tuple[str | None, Key]:
    """A ``<key>`` of ``<decryption-keys>``: inline base64, or a certificate's private key."""
    name = reader.optional_literal("id")
    if reader.has("certificate-id"):
        return name, _certificate_key(reader, private=True)
    try:
        secret = base64.b64decode(reader.literal_content(), validate=True)
        return name, OctKey.import_key(secret)
    except (binascii.Error, ValueError, JoseError):
        reader.refuse("<key> needs its key as base64 text, or 'certificate-id'")


def decrypted(raw: str, keys: NamedKeys) -> str:
    """The signed token; one that is not encrypted stays. :raises TokenInvalid: when none opens."""
    return decrypt_token(raw, keys) if keys and is_encrypted(raw) else raw


def _certificate_key(reader: ElementReader, *, private: bool = False) -> Key:
    """The RSA or EC key of a certificate of the store."""
    id = reader.literal("certificate-id")
    place = reader.attribute("certificate-id")
    try:
        found = CertificateStore(reader.configuration.named_values).by_id(id)
    except CertificateUnreadable as error:
        reader.refuse(f"certificate '{id}': {error}", place)
    if found is None:
        reader.refuse(f"no certificate '{id}': declare named value '{PREFIX}{id}'", place)
    if private and found.key is None:
        reader.refuse(f"certificate '{id}' has no private key", place)
    key = found.key if private else found.certificate.public_key()
    if isinstance(key, RSAPublicKey | RSAPrivateKey):
        return RSAKey.import_key(key)
    if not isinstance(key, EllipticCurvePublicKey | EllipticCurvePrivateKey):
        reader.refuse(f"certificate '{id}' has neither an RSA nor an EC key", place)
    return ECKey.import_key(key)


async def verified_token(
    exchange: Exchange,
    raw: str,
    static: NamedKeys,
    urls: Sequence[str],
    *,
    signed: bool,
) -> tuple[CompactToken, frozenset[str]]:
    """The token after its signature was checked, and the issuers that the key sources name.

    :raises TokenInvalid: when no key verifies it.
    """
    services = exchange.services
    digest = VerifiedTokens.digest(raw)
    verified_with, token = services.verified.find(digest) or (None, read_token(raw))
    issuers: set[str] = set()
    failure: TokenInvalid | None = None
    sources: list[NamedKeys] = [static] if static or not urls else []
    for url in urls:
        try:
            keys, issuer = await services.keys.keys(url, token.header.get("kid"))
        except TokenInvalid as error:
            failure = error
            continue
        sources.append(keys)
        if issuer is not None:
            issuers.add(issuer)
    if any(keys is verified_with for keys in sources):
        return token, frozenset(issuers)
    for keys in sources:
        try:
            chosen = keys_of_policy if keys is static else keys_of_set
            verify_signature(token, chosen(token, keys), required=signed)
        except TokenInvalid as error:
            failure = failure if _says_more(failure, error) else error
            continue
        if token.signature:
            services.verified.keep(digest, keys, token)
        return token, frozenset(issuers)
    raise failure or TokenInvalid("TokenSignatureKeyNotFound", "There is no key to verify with.")


def remember(
    exchange: Exchange,
    demands: object,
    text: str,
    token: CompactToken,
    *,
    urls: Sequence[str],
    static: NamedKeys,
    skew: float,
) -> None:
    """Keep that a token met all demands, if its signature rests on keys that are current."""
    services = exchange.services
    verified = services.verified.find(VerifiedTokens.digest(token.raw))
    keys = {url: services.keys.current(url) for url in urls}
    if verified is None or None in keys.values():
        return
    if not any(each is verified[0] for each in (static, *keys.values())):
        return
    begins = number_claim(token.claims, "nbf")
    expires = number_claim(token.claims, "exp")
    services.verified.accept(
        demands,
        text,
        Acceptance(
            token,
            begins=-math.inf if begins is None else begins - skew,
            ends=math.inf if expires is None else expires + skew,
            keys=keys,
        ),
    )


def _says_more(first: TokenInvalid | None, second: TokenInvalid) -> bool:
    return first is not None and first.reason == "TokenSignatureInvalid" != second.reason


def bearer(value: str, scheme: str | None) -> str:
    """The token of a header without its scheme; ``scheme`` is demanded when it is given."""
    name, _, rest = value.strip().partition(" ")
    if scheme is not None and name.lower() != scheme.lower():
        raise TokenInvalid("TokenNotPresent", "JWT not present.")
    if rest:
        return rest.strip()
    if scheme is not None:
        raise TokenInvalid("TokenNotPresent", "JWT not present.")
    return name


def judge(token: CompactToken, rules: TokenRules, exchange: Exchange) -> None:
    """Check the claims at this call's time. :raises TokenInvalid: for the first that fails."""
    check_claims(token, rules, exchange.services.clock())


def object_id(token: CompactToken) -> str | None:
    """The caller's object id (claim ``oid``), for the evidence."""
    found = token.claims.get("oid")
    return found if isinstance(found, str) else None
