"""The gateway's certificates: named values called ``certificate-<id>``, PEM or PKCS #12.

An extractor folder holds no certificates, because they are secrets. Here each is a named value,
usually one that the environment gives: PEM text (certificates, and a private key if there is one),
or a PKCS #12 archive without password as base64 text.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

PREFIX = "certificate-"
_KEY_MARK = b"PRIVATE KEY-----"


class CertificateUnreadable(Exception):
    """A text or bytes that hold no certificate."""


@dataclass(frozen=True, slots=True)
class StoredCertificate:
    """A certificate, the others that came with it, and its private key if it has one."""

    certificate: x509.Certificate
    others: tuple[x509.Certificate, ...] = ()
    key: PrivateKeyTypes | None = None

    @property
    def thumbprint(self) -> str:
        """SHA-1 of the DER form, as upper-case hexadecimal digits."""
        return thumbprint(self.certificate)

    def pem(self) -> bytes:
        """Certificate, others and key as one PEM text."""
        parts = [each.public_bytes(Encoding.PEM) for each in (self.certificate, *self.others)]
        if self.key is not None:
            parts.append(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return b"".join(parts)


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-1 of the DER form, as API Management and Windows write it."""
    return certificate.fingerprint(SHA1()).hex().upper()  # noqa: S303


def read_certificate(content: bytes, password: str | None = None) -> StoredCertificate:
    """A certificate from PEM, PKCS #12 or DER bytes.

    :raises CertificateUnreadable: when it is none of them or the password is wrong.
    """
    try:
        if b"-----BEGIN CERTIFICATE" in content:
            chain = x509.load_pem_x509_certificates(content)
            key = load_pem_private_key(content, None) if _KEY_MARK in content else None
            return StoredCertificate(chain[0], tuple(chain[1:]), key)
        return _archive(content, password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateUnreadable("it is neither PEM nor PKCS #12 nor DER") from error


def _archive(content: bytes, password: str | None) -> StoredCertificate:
    secret = password.encode() if password is not None else None
    try:
        key, certificate, others = pkcs12.load_key_and_certificates(content, secret)
    except ValueError:
        return StoredCertificate(x509.load_der_x509_certificate(content))
    if certificate is None:
        raise CertificateUnreadable("the archive holds no certificate")
    return StoredCertificate(certificate, tuple(others), key)


class CertificateStore:
    """The certificates of a configuration, by id and by thumbprint."""

    def __init__(self, named_values: Mapping[str, str]) -> None:
        self._texts = {
            name.removeprefix(PREFIX): text
            for name, text in named_values.items()
            if name.startswith(PREFIX)
        }

    def ids(self) -> list[str]:
        """The ids of all certificates."""
        return list(self._texts)

    def by_id(self, id: str) -> StoredCertificate | None:
        """The certificate of that id, or None.

        :raises CertificateUnreadable: when its named value holds none.
        """
        text = self._texts.get(id)
        return None if text is None else _from_text(text)

    def by_thumbprint(self, digits: str) -> StoredCertificate | None:
        """The certificate with that SHA-1 thumbprint, or None."""
        wanted = plain_thumbprint(digits)
        return next((each for each in self.all() if each.thumbprint == wanted), None)

    def all(self) -> list[StoredCertificate]:
        """Every certificate. :raises CertificateUnreadable: when one cannot be read."""
        return [_from_text(text) for text in self._texts.values()]


def plain_thumbprint(digits: str) -> str:
    """A thumbprint without the separators and case that people write."""
    return "".join(sign for sign in digits if sign.isalnum()).upper()


@lru_cache(maxsize=256)
def _from_text(text: str) -> StoredCertificate:
    if "-----BEGIN" in text:
        return read_certificate(text.encode())
    try:
        return read_certificate(base64.b64decode(text, validate=True))
    except binascii.Error as error:
        raise CertificateUnreadable("it is neither PEM nor base64 text") from error


def is_trusted(certificate: x509.Certificate, store: list[StoredCertificate]) -> bool:
    """Whether a chain of the store's certificate authorities leads to a self-signed one of them.

    Time is not looked at: validity of the caller's own certificate is checked apart.
    """
    known = [each for entry in store for each in (entry.certificate, *entry.others)]
    authorities = [each for each in known if _is_authority(each)]
    current = certificate
    for _ in range(len(authorities) + 1):
        issuer = next((each for each in authorities if is_issued_by(current, each)), None)
        if issuer is None:
            return False
        if issuer.issuer == issuer.subject:
            return True
        current = issuer
    return False


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        return False
    return found.value.ca


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether the issuer's key signed the certificate."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
