"""TLS on one machine: a certificate authority of one's own, and the certificates it signs.

Official clients refuse plain http for an issuer, so the stand-ins speak TLS. The authority is made
at first start, its key never leaves the folder (mode 0600), and its name constraints (RFC 5280,
4.2.1.10) allow ``localhost`` and loopback addresses only: whoever trusts it trusts it for nothing
else. Service principals' client certificates are self-signed, as Entra takes them.
"""

from __future__ import annotations

import ipaddress
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS = 3650
SERVER_DAYS = 90
CLIENT_DAYS = 180
RENEW_BEFORE_DAYS = 30
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))

Now = Callable[[], datetime]
_PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class LocalCa:
    """The machine's own authority; ``certificate_file`` is what clients are told to trust."""

    folder: Path
    now: Now

    @property
    def certificate_file(self) -> Path:
        """The authority's certificate in PEM (for REQUESTS_CA_BUNDLE, ``verify=`` …)."""
        return self.folder / "ca.pem"

    @property
    def key_file(self) -> Path:
        """The authority's private key."""
        return self.folder / "ca-key.pem"

    def server_certificate(self, name: str) -> tuple[Path, Path]:
        """Certificate and key files of a server on this machine, renewed when near expiry.

        Valid for ``localhost``, 127.0.0.1 and ::1; ``name`` only names the files.
        """
        certificate_file = self.folder / f"{name}.pem"
        key_file = self.folder / f"{name}-key.pem"
        if not (self._good(certificate_file) and key_file.is_file()):
            key = ec.generate_private_key(ec.SECP256R1())
            certificate = self._sign_server(name, key)
            write_private(key_file, _key_pem(key))
            write_private(certificate_file, _certificate_pem(certificate))
        return certificate_file, key_file

    def _good(self, certificate_file: Path) -> bool:
        if not certificate_file.is_file():
            return False
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        if certificate.not_valid_after_utc - self.now() < timedelta(days=RENEW_BEFORE_DAYS):
            return False
        return certificate.issuer == self._own().subject and _signed_by(certificate, self._own())

    def _own(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificate_file.read_bytes())

    def _sign_server(self, name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        own = self._own()
        alternatives = x509.SubjectAlternativeName(
            [
                x509.DNSName("localhost"),
                x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                x509.IPAddress(ipaddress.ip_address("::1")),
            ]
        )
        builder = (
            _builder(_name(f"Hybrid Mandate {name}"), own.subject, key, self.now(), SERVER_DAYS)
            .add_extension(alternatives, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signature=True, certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(_key_id(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(_ec_public(own)), critical=False
            )
        )
        signer = serialization.load_pem_private_key(self.key_file.read_bytes(), password=None)
        if not isinstance(signer, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{self.key_file} is not this authority's key: remove the folder")
        return builder.sign(signer, hashes.SHA256())


def ensure_ca(folder: Path, *, now: Now = _utc_now) -> LocalCa:
    """The authority of a folder, made when there is none or it runs out within 30 days."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = LocalCa(folder, now)
    if not _usable(authority):
        key = ec.generate_private_key(ec.SECP256R1())
        write_private(authority.key_file, _key_pem(key))
        write_private(authority.certificate_file, _certificate_pem(_self_signed_ca(key, now())))
    return authority


def issue_client_certificate(folder: Path, name: str, *, now: Now = _utc_now) -> Path:
    """A new self-signed certificate of a service principal: one PEM file, key and certificate.

    An existing file of that name is replaced at once, so a reader sees the old pair or the new one.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = _name(name)
    certificate = (
        _builder(subject, subject, key, now(), CLIENT_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    write_private(path, _key_pem(key) + _certificate_pem(certificate))
    return path


def write_private(path: Path, content: bytes) -> None:
    """Put a file in place in one step, readable by its owner only (0600 where modes exist)."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _usable(authority: LocalCa) -> bool:
    if not (authority.certificate_file.is_file() and authority.key_file.is_file()):
        return False
    certificate = x509.load_pem_x509_certificate(authority.certificate_file.read_bytes())
    left = certificate.not_valid_after_utc - authority.now()
    return left > timedelta(days=RENEW_BEFORE_DAYS)


def _self_signed_ca(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    subject = _name("Hybrid Mandate local authority")
    constraints = x509.NameConstraints(
        permitted_subtrees=[x509.DNSName("localhost"), *map(x509.IPAddress, LOOPBACK)],
        excluded_subtrees=None,
    )
    return (
        _builder(subject, subject, key, now, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(constraints, critical=True)
        .add_extension(_usage(signature=False, certificates=True), critical=True)
        .add_extension(_key_id(key), critical=False)
        .sign(key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: _PrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=days))
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signature: bool, certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signature,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_id(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _ec_public(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey:
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise ValueError("the local authority's key is not an elliptic-curve key")
    return key


def _signed_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _key_pem(key: _PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
