"""A service principal's own tokens, proven by certificate (requirement P6: no shared secrets).

The client assertion follows learn.microsoft.com/entra/identity-platform/certificate-credentials:
a JWT of issuer and subject = client id, audience = token endpoint, single-use ``jti``, signed with
the certificate's key; ``x5t#S256`` (PS256) or ``x5t`` (RS256) names the certificate.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import httpx
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from joserfc import jwt
from joserfc.jwk import RSAKey

from hybridmandate.identity.cached_tokens import (
    CachedTokens,
    ObtainedToken,
    ask,
    seconds_of,
    text_of,
)
from hybridmandate.identity.principal import TokenUnavailable

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS = 300
_WHO = "the token endpoint"


class AssertionForm(StrEnum):
    """How the assertion names its certificate; the value is the signature algorithm."""

    SHA256 = "PS256"
    SHA1 = "RS256"


@dataclass(frozen=True, slots=True)
class CertificateFiles:
    """A certificate and its private key, each in PEM; one file may hold both."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class _Credential:
    key: RSAKey
    certificate: x509.Certificate


class CertificateTokens:
    """Tokens of a service principal; a ``TokenSource``. Follows a rotation of its files."""

    def __init__(
        self,
        token_endpoint: str,
        client_id: str,
        files: CertificateFiles,
        *,
        http: httpx.AsyncClient,
        clock: Callable[[], float],
        form: AssertionForm = AssertionForm.SHA256,
        correlation_id: Callable[[], str | None] = lambda: None,
    ) -> None:
        """``correlation_id`` gives the transaction's id, sent as ``client-request-id``."""
        self._endpoint = token_endpoint
        self._client_id = client_id
        self._files = files
        self._http = http
        self._clock = clock
        self._form = form
        self._correlation_id = correlation_id
        self._credential: _Credential | None = None
        self._stamp: tuple[int, int, int, int] | None = None
        self._cached = CachedTokens(self._obtain, clock)

    async def token(self, resource: str) -> str:
        """A bearer token for the resource.

        :raises TokenUnavailable: when the files cannot be read, or the endpoint refuses or does not
            answer.
        """
        return await self._cached.token(resource)

    async def _obtain(self, resource: str) -> ObtainedToken:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._client_id,
            "scope": f"{resource}/.default",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._assertion(),
        }
        correlation_id = self._correlation_id()
        headers = {"client-request-id": correlation_id} if correlation_id else {}
        request = self._http.build_request("POST", self._endpoint, data=form, headers=headers)
        asked_at = self._clock()
        body = await ask(self._http, request, _WHO)
        lifetime = seconds_of(body, "expires_in", _WHO)
        return ObtainedToken(text_of(body, "access_token", _WHO), asked_at + lifetime)

    def _assertion(self) -> str:
        credential = self._current()
        now = int(self._clock())
        name, digest = (
            ("x5t#S256", hashes.SHA256())
            if self._form is AssertionForm.SHA256
            else ("x5t", hashes.SHA1())  # noqa: S303 - names the certificate, protects nothing
        )
        thumbprint = base64.urlsafe_b64encode(credential.certificate.fingerprint(digest))
        header = {"alg": self._form.value, "typ": "JWT", name: thumbprint.rstrip(b"=").decode()}
        claims = {
            "aud": self._endpoint,
            "iss": self._client_id,
            "sub": self._client_id,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "nbf": now,
            "exp": now + ASSERTION_SECONDS,
        }
        return jwt.encode(header, claims, credential.key, algorithms=[self._form.value])

    def _current(self) -> _Credential:
        """The credential on disk; read again when a file was replaced."""
        try:
            stamp = self._files_stamp()
            if self._credential is None or stamp != self._stamp:
                self._credential, self._stamp = _read(self._files), stamp
        except (OSError, ValueError) as error:
            raise TokenUnavailable(
                f"the certificate at {self._files.certificate} cannot be used: {error}",
                transient=False,
            ) from error
        return self._credential

    def _files_stamp(self) -> tuple[int, int, int, int]:
        certificate, key = self._files.certificate.stat(), self._files.key.stat()
        return certificate.st_mtime_ns, certificate.st_ino, key.st_mtime_ns, key.st_ino


def _read(files: CertificateFiles) -> _Credential:
    certificate = x509.load_pem_x509_certificate(files.certificate.read_bytes())
    pem = files.key.read_bytes()
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("the key is not RSA, which Entra requires")
    if key.public_key() != certificate.public_key():
        raise ValueError("key and certificate do not belong together")
    return _Credential(RSAKey.import_key(pem), certificate)
