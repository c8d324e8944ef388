"""What workloads prove themselves with, as the stand-in keeps it; secrets only as digests."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes


@dataclass(frozen=True, slots=True)
class SecretCredential:
    """A client secret: salt and SHA-256 (the store makes secrets of 256 random bits, so a slow
    hash would add nothing); ``expires_at`` epoch seconds."""

    salt: bytes
    digest: bytes
    expires_at: float

    def matches(self, secret: str) -> bool:
        """Whether the secret is this one, in constant time."""
        return hmac.compare_digest(secret_digest(self.salt, secret), self.digest)


@dataclass(frozen=True, slots=True)
class CertificateCredential:
    """A client certificate in PEM; ``expires_at`` epoch seconds, no later than its own end."""

    pem: str
    expires_at: float

    def thumbprint(self, digest: hashes.HashAlgorithm) -> str:
        """base64url of the certificate's digest, without padding: ``x5t`` or ``x5t#S256``."""
        found = self.certificate().fingerprint(digest)
        return base64.urlsafe_b64encode(found).rstrip(b"=").decode()

    def certificate(self) -> x509.Certificate:
        """The certificate."""
        return x509.load_pem_x509_certificate(self.pem.encode())


@dataclass(frozen=True, slots=True)
class FederatedCredential:
    """Trust in another issuer's tokens: exact issuer, subject and audience, and its public keys.

    Entra fetches the keys from the issuer's discovery; the stand-in is given them (``jwks``), since
    it must not reach out.
    """

    issuer: str
    subject: str
    audience: str
    jwks: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Credentials:
    """All that one workload may prove itself with."""

    secrets: tuple[SecretCredential, ...] = ()
    certificates: tuple[CertificateCredential, ...] = ()
    federations: tuple[FederatedCredential, ...] = ()

    def expiry(self, now: float) -> float | None:
        """When the last credential that is still good runs out; None when there is none."""
        ends = [each.expires_at for each in self.secrets]
        ends += [each.expires_at for each in self.certificates]
        return max((end for end in ends if end > now), default=None)


def new_secret(expires_at: float) -> tuple[str, SecretCredential]:
    """A new client secret and what is kept of it."""
    secret, salt = secrets.token_urlsafe(32), secrets.token_bytes(16)
    return secret, SecretCredential(salt, secret_digest(salt, secret), expires_at)


def secret_digest(salt: bytes, secret: str) -> bytes:
    """The salted digest of a secret."""
    return hashlib.sha256(salt + secret.encode("utf-8", "surrogatepass")).digest()
