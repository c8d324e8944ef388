"""Client assertions: is this really that workload?

Certificate: learn.microsoft.com/entra/identity-platform/certificate-credentials. Federation:
learn.microsoft.com/entra/workload-id/workload-identity-federation, whose issuer, subject and
audience must match exactly, letter case included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from hybridmandate.identity.strict_json import strict_object
from hybridmandate.twin.entra import errors
from hybridmandate.twin.entra.credentials import (
    CertificateCredential,
    Credentials,
    FederatedCredential,
)
from hybridmandate.twin.entra.store import EntraStore, assertion_digest

SKEW_SECONDS = 300.0
MAX_ASSERTION_BYTES = 32 * 1024
MAX_EPOCH_SECONDS = 10**11
_ALGORITHMS = {"x5t": ("RS256",), "x5t#S256": ("PS256", "RS256")}


class AssertionReuse(StrEnum):
    """What becomes of an assertion that was seen before.

    ``same`` takes the very same assertion again until it expires and refuses its ``jti`` in any
    other: `msal` keeps an assertion for nine minutes and sends it with every request
    (``AutoRefresher`` in its oauth2cli.assertion), so the real service must accept that. ``once``
    refuses every second use.
    """

    SAME = "same"
    ONCE = "once"


@dataclass(frozen=True, slots=True)
class _Read:
    text: str
    header: Mapping[str, Any]
    claims: Mapping[str, Any]


class AssertionCheck:
    """Checks assertions against a workload's credentials, for the given token endpoints."""

    def __init__(
        self, store: EntraStore, *, audiences: frozenset[str], reuse: AssertionReuse
    ) -> None:
        self._store = store
        self._audiences = audiences
        self._reuse = reuse

    def check(self, text: str, client_id: str, credentials: Credentials) -> None:
        """Accept the assertion. :raises AadError: with the code of the first rule broken."""
        read = _read(text)
        if read.claims.get("iss") == client_id or {"x5t", "x5t#S256"} & read.header.keys():
            self._check_certificate(read, client_id, credentials.certificates)
        else:
            self._check_federation(read, credentials.federations)

    def _check_certificate(
        self, read: _Read, client_id: str, certificates: tuple[CertificateCredential, ...]
    ) -> None:
        now = self._store.clock()
        name = "x5t#S256" if "x5t#S256" in read.header else "x5t"
        digest = hashes.SHA256() if name == "x5t#S256" else hashes.SHA1()  # noqa: S303
        asked = str(read.header.get(name, "")).rstrip("=")
        found = next((c for c in certificates if c.thumbprint(digest) == asked), None)
        if found is None:
            raise errors.bad_assertion("the certificate is not registered for the application")
        if now >= found.expires_at:
            raise errors.bad_assertion("the certificate has expired")
        pem = (
            found.certificate()
            .public_key()
            .public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
        _verify(read.text, RSAKey.import_key(pem), _ALGORITHMS[name])
        if read.claims.get("iss") != client_id or read.claims.get("sub") != client_id:
            raise errors.assertion_subject()
        if read.claims.get("aud") not in self._audiences:
            raise errors.assertion_audience()
        expires_at = _require_time(read.claims, now)
        self._remember(read, client_id, expires_at)

    def _remember(self, read: _Read, client_id: str, expires_at: float) -> None:
        jti = read.claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti) <= 256:
            raise errors.bad_assertion("it carries no jti")
        earlier = self._store.first_use(client_id, jti, read.text, expires_at + SKEW_SECONDS)
        if earlier is None:
            return
        if self._reuse is AssertionReuse.ONCE or earlier != assertion_digest(read.text):
            raise errors.assertion_reused()

    def _check_federation(self, read: _Read, federations: tuple[FederatedCredential, ...]) -> None:
        trusted = _matching(read.claims, federations)
        kid = read.header.get("kid")
        keys = [each for each in trusted.jwks.get("keys", []) if each.get("kid") == kid]
        if not keys:
            raise errors.bad_assertion("its key is not one of the issuer's")
        public = {name: keys[0].get(name) for name in ("kty", "n", "e")}
        try:
            key = RSAKey.import_key(public)
        except (JoseError, ValueError, TypeError):
            raise errors.bad_assertion("the issuer's key is not RSA") from None
        _verify(read.text, key, ("RS256",))
        _require_time(read.claims, self._store.clock())


def _matching(
    claims: Mapping[str, Any], federations: tuple[FederatedCredential, ...]
) -> FederatedCredential:
    issuer, subject = str(claims.get("iss", "")), str(claims.get("sub", ""))
    audience = claims.get("aud")
    given = audience if isinstance(audience, list) else [audience]
    if not federations:
        raise errors.federation_mismatch(70021, "issuer", issuer)
    of_issuer = [each for each in federations if each.issuer == issuer]
    if not of_issuer:
        raise errors.federation_mismatch(700211, "issuer", issuer)
    of_subject = [each for each in of_issuer if each.subject == subject]
    if not of_subject:
        raise errors.federation_mismatch(700213, "subject", subject)
    found = next((each for each in of_subject if each.audience in given), None)
    if found is None:
        raise errors.federation_mismatch(700212, "audience", str(audience))
    return found


def _read(text: str) -> _Read:
    if len(text) > MAX_ASSERTION_BYTES:
        raise errors.bad_assertion("it is too long")
    try:
        seen = jws.extract_compact(text.encode("ascii"), registry=_registry(("RS256", "PS256")))
        header = dict(seen.headers())
        claims = strict_object(seen.payload)
    except (JoseError, ValueError, TypeError):
        raise errors.bad_assertion("it is not a signed JWT") from None
    if "crit" in header or "b64" in header:
        raise errors.bad_assertion("its header is not acceptable")
    return _Read(text, header, claims)


def _verify(text: str, key: RSAKey, algorithms: tuple[str, ...]) -> None:
    try:
        jws.deserialize_compact(text, key, registry=_registry(algorithms))
    except (JoseError, ValueError, TypeError):
        raise errors.bad_assertion("its signature is not valid") from None


def _registry(algorithms: tuple[str, ...]) -> jws.JWSRegistry:
    registry = jws.JWSRegistry(algorithms=algorithms, strict_check_header=False)
    # An x5c chain in the header, which msal sends with PS256, is longer than the default allows.
    registry.max_header_length = MAX_ASSERTION_BYTES
    return registry


def _require_time(claims: Mapping[str, Any], now: float) -> float:
    expires_at = _seconds(claims.get("exp"))
    not_before = _seconds(claims.get("nbf", claims.get("iat", 0)))
    if not not_before - SKEW_SECONDS <= now < expires_at + SKEW_SECONDS:
        raise errors.assertion_time()
    return expires_at


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise errors.assertion_time()
    if not 0 <= value < MAX_EPOCH_SECONDS:
        raise errors.assertion_time()
    return float(value)
