"""From an ``Authorization`` header to the parts of a signed token, before any key is touched.

Everything here is a pure function of the text. What a token says about how it wants to be verified
(``jwk``, ``jku``, ``x5u``, ``x5c``, ``crit``, ``b64`` …) is refused, not followed: the verifier
alone decides on algorithm and key (RFC 8725, sections 3.1 and 3.10).
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from hybridmandate.identity.principal import TokenRefused
from hybridmandate.identity.strict_json import strict_object

ALGORITHM = "RS256"
"""The one algorithm of Entra's access tokens; pinned here, never taken from the token."""

MAX_KID_CHARS = 256
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_STEERING = frozenset(
    {"jwk", "jku", "x5u", "x5c", "crit", "b64", "enc", "zip", "cty", "epk", "apu", "apv"}
)
_TYPES = frozenset({"jwt", "at+jwt"})


@dataclass(frozen=True, slots=True)
class TokenText:
    """A compact token whose header is acceptable: the text and the id of the key that signed it."""

    text: str
    key_id: str


def bearer_text(authorization: str | None, *, max_bytes: int) -> str:
    """The token of an ``Authorization`` header value.

    :raises TokenRefused: ``token.missing``, ``token.scheme``, ``token.oversized`` or
        ``token.malformed`` (more than one credential, characters that no token has).
    """
    if authorization is None or not authorization.strip(" "):
        raise TokenRefused("token.missing", "send a bearer token in the Authorization header")
    if len(authorization) > max_bytes + len("Bearer "):
        raise TokenRefused("token.oversized", f"the token is longer than {max_bytes} bytes")
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise TokenRefused("token.scheme", "the Authorization scheme must be Bearer")
    text = text.strip(" ")
    if not text:
        raise TokenRefused("token.missing", "the Authorization header holds no token")
    if " " in text or "," in text:
        raise TokenRefused("token.malformed", "the Authorization header must hold one token only")
    return text


def parse_token(text: str) -> TokenText:
    """The token with its header judged.

    :raises TokenRefused: ``token.malformed`` (no compact JWS: garbage, JWE, bad JSON, duplicate
        names), ``token.algorithm`` (anything but RS256), ``token.header`` (a header that steers
        verification) or ``token.key`` (no usable ``kid``).
    """
    if _COMPACT.fullmatch(text) is None:
        raise TokenRefused("token.malformed", "the token is not a signed JWT in compact form")
    try:
        header = strict_object(decode_segment(text.partition(".")[0]))
    except ValueError:
        raise TokenRefused("token.malformed", "the token's header is not strict JSON") from None
    if header.get("alg") != ALGORITHM:
        raise TokenRefused("token.algorithm", f"the token must be signed with {ALGORITHM}")
    steering = sorted(_STEERING & header.keys())
    if steering:
        raise TokenRefused(
            "token.header", f"the token's header carries '{steering[0]}', which is not accepted"
        )
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise TokenRefused("token.header", "the token's type is not JWT")
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= MAX_KID_CHARS:
        raise TokenRefused("token.key", "the token does not name the key that signed it")
    return TokenText(text, key_id)


def decode_segment(segment: str) -> bytes:
    """The bytes of a base64url segment without padding. :raises ValueError: when it is none."""
    return base64.b64decode(segment + "=" * (-len(segment) % 4), altchars=b"-_", validate=True)
