"""A compact JWS or JWE and what validate-jwt asks of it: signature, times, issuer, claims.

Everything that could point the verifier at a key of the sender's choice (``jwk``, ``jku``, ``x5u``,
``x5c``) is ignored; keys come from configuration only. Reasons are those of the LastError table
(api-management-error-handling-policies page).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from joserfc import jwe, jws
from joserfc.errors import JoseError
from joserfc.jwk import Key

from hybridmandate.governance.gateway.errors import PolicyError

ALGORITHMS = {
    "oct": ("HS256", "HS384", "HS512"),
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
}
"""Which algorithms a key type may be used with: an RSA key never verifies an HMAC."""
_ALL_ALGORITHMS = [each for group in ALGORITHMS.values() for each in group]
ENCRYPTIONS = (
    "dir",
    "A128KW",
    "A192KW",
    "A256KW",
    "RSA-OAEP",
    "RSA-OAEP-256",
    "A128CBC-HS256",
    "A192CBC-HS384",
    "A256CBC-HS512",
    "A128GCM",
    "A192GCM",
    "A256GCM",
)
"""How the key and the content of an encrypted token may be protected; no RSA1_5, no passwords."""
MAX_TOKEN_CHARACTERS = 16 * 1024


@dataclass(slots=True)
class CompactToken:
    """The parts of a token, read but not believed.

    ``shown`` is how expressions see it, made when the first one asks.
    """

    raw: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    signature: bytes
    shown: Any = None


@dataclass(frozen=True, slots=True)
class RequiredClaim:
    """A claim that must be there; ``values`` empty means any value."""

    name: str
    values: tuple[str, ...]
    match_all: bool
    separator: str | None = None


@dataclass(frozen=True, slots=True)
class TokenRules:
    """What is asked of the claims. ``clock_skew`` is seconds."""

    audiences: frozenset[str] = frozenset()
    issuers: frozenset[str] = frozenset()
    claims: tuple[RequiredClaim, ...] = ()
    clock_skew: float = 0.0
    require_expiration: bool = True


class TokenInvalid(PolicyError):
    """A token that is refused, with a reason of the LastError table."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(401, reason, message)


def read_token(raw: str) -> CompactToken:
    """Split a token into its parts.

    :raises TokenInvalid: JwtInvalid for text that is no JWT, is too long, or repeats a member.
    """
    if len(raw) > MAX_TOKEN_CHARACTERS:
        raise TokenInvalid("JwtInvalid", "The JWT is longer than the gateway reads.")
    parts = raw.split(".")
    if len(parts) != 3:
        raise TokenInvalid("JwtInvalid", "The JWT does not have three parts.")
    header = _json_object(parts[0], "header")
    claims = _json_object(parts[1], "payload")
    if "crit" in header:
        raise TokenInvalid("JwtInvalid", "The JWT asks for extensions that are not supported.")
    return CompactToken(raw, header, claims, _decoded(parts[2], "signature"))


def is_encrypted(raw: str) -> bool:
    """Whether the text has the five parts of a compact JWE."""
    return raw.count(".") == 4


def decrypt_token(raw: str, keys: Sequence[tuple[str | None, Key]]) -> str:
    """The signed token inside an encrypted one, by the key that ``kid`` names, else by each key.

    :raises TokenInvalid: JwtInvalid when no key opens it, or there is no token inside.
    """
    if len(raw) > MAX_TOKEN_CHARACTERS:
        raise TokenInvalid("JwtInvalid", "The JWT is longer than the gateway reads.")
    kid = _json_object(raw.split(".")[0], "header").get("kid")
    named = [key for name, key in keys if name is not None and name == kid]
    for key in named or [key for _, key in keys]:
        try:
            opened = jwe.decrypt_compact(raw, key, algorithms=list(ENCRYPTIONS)).plaintext
        except (JoseError, ValueError, TypeError):
            continue
        if opened is not None and opened.count(b".") == 2:
            return opened.decode("ascii", "replace")
        raise TokenInvalid("JwtInvalid", "The encrypted JWT holds no signed JWT.")
    raise TokenInvalid("JwtInvalid", "The JWT cannot be decrypted with the keys at hand.")


def keys_of_set(token: CompactToken, keys: Sequence[tuple[str | None, Key]]) -> list[Key]:
    """Of a published key set: the key that ``kid`` names, else those without a name."""
    kid = token.header.get("kid")
    named = [key for name, key in keys if name is not None and name == kid]
    return named or [key for name, key in keys if name is None or kid is None]


def keys_of_policy(token: CompactToken, keys: Sequence[tuple[str | None, Key]]) -> list[Key]:
    """Of keys in a policy: the one that ``kid`` names, else each of them (validate-jwt page)."""
    kid = token.header.get("kid")
    return [key for name, key in keys if name is not None and name == kid] or [
        key for _, key in keys
    ]


def verify_signature(token: CompactToken, candidates: Sequence[Key], *, required: bool) -> None:
    """Check the signature with each of the candidates until one verifies it.

    :raises TokenInvalid: TokenSignatureInvalid, or TokenSignatureKeyNotFound when there is none.
    """
    algorithm = token.header.get("alg")
    if algorithm == "none" and not token.signature:
        if required:
            raise TokenInvalid("TokenSignatureInvalid", "The JWT is not signed.")
        return
    if not candidates:
        raise TokenInvalid("TokenSignatureKeyNotFound", "No key matches the JWT's signature.")
    for key in candidates:
        if algorithm in ALGORITHMS.get(key.key_type, ()) and _verifies(token.raw, key):
            return
    raise TokenInvalid("TokenSignatureInvalid", "The JWT's signature is invalid.")


def check_claims(token: CompactToken, rules: TokenRules, now: float) -> None:
    """Check times, audience, issuer and required claims, in that order.

    :raises TokenInvalid: for the first that does not hold.
    """
    check_times(token, rules, now)
    if rules.audiences and rules.audiences.isdisjoint(_texts(token.claims.get("aud"))):
        raise TokenInvalid("TokenAudienceNotAllowed", "The JWT's audience is not allowed.")
    if rules.issuers and token.claims.get("iss") not in rules.issuers:
        raise TokenInvalid("TokenIssuerNotAllowed", "The JWT's issuer is not allowed.")
    missing = [each.name for each in rules.claims if each.name not in token.claims]
    if missing:
        raise TokenInvalid(
            "TokenClaimNotFound",
            f"JWT token is missing the following claims: {', '.join(missing)}. Access denied.",
        )
    for claim in rules.claims:
        _check_claim(token.claims[claim.name], claim)


def check_times(token: CompactToken, rules: TokenRules, now: float) -> None:
    """Check ``exp`` and ``nbf``.

    :raises TokenInvalid: TokenExpired, or JwtInvalid for a token that is not valid yet.
    """
    expires = number_claim(token.claims, "exp")
    if expires is None and rules.require_expiration:
        raise TokenInvalid("JwtInvalid", "The JWT has no expiration time.")
    if expires is not None and now >= expires + rules.clock_skew:
        raise TokenInvalid("TokenExpired", "The JWT has expired.")
    begins = number_claim(token.claims, "nbf")
    if begins is not None and now < begins - rules.clock_skew:
        raise TokenInvalid("JwtInvalid", "The JWT is not valid yet.")


def _check_claim(found: Any, claim: RequiredClaim) -> None:
    if not claim.values:
        return
    values = set(_texts(found, claim.separator))
    if claim.match_all:
        allowed = values.issuperset(claim.values)
    else:
        allowed = not values.isdisjoint(claim.values)
    if not allowed:
        shown = ", ".join(sorted(values))[:200]
        raise TokenInvalid(
            "TokenClaimValueNotAllowed",
            f"Claim {claim.name} value of {shown} is not allowed. Access denied.",
        )


def _texts(value: Any, separator: str | None = None) -> Iterable[str]:
    """The values of a claim as texts: its own or an array's items, each cut at the separator."""
    if value is None:
        return []
    texts = [_text(each) for each in (value if isinstance(value, list) else [value])]
    if not separator:
        return texts
    return [each.strip() for text in texts for each in text.split(separator)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def number_claim(claims: Mapping[str, Any], name: str) -> float | None:
    """A claim that is a number, None when it is not there. :raises TokenInvalid: JwtInvalid."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TokenInvalid("JwtInvalid", f"Claim {name} of the JWT is not a number.")
    return float(value)


def _verifies(raw: str, key: Key) -> bool:
    try:
        jws.deserialize_compact(raw, key, algorithms=_ALL_ALGORITHMS)
    except (JoseError, ValueError, TypeError):
        return False
    return True


def _decoded(part: str, what: str) -> bytes:
    try:
        padded = part + "=" * (-len(part) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise TokenInvalid("JwtInvalid", f"The JWT's {what} is not base64url.") from error


def _json_object(part: str, what: str) -> dict[str, Any]:
    try:
        found = json.loads(_decoded(part, what), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise TokenInvalid("JwtInvalid", f"The JWT's {what} is not a JSON object.") from error
    if not isinstance(found, dict):
        raise TokenInvalid("JwtInvalid", f"The JWT's {what} is not a JSON object.")
    return found


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice")
    return found
