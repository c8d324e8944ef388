"""X.509 certificates, their names, keys and object identifiers.

Source: learn.microsoft.com, .NET API browser, System.Security.Cryptography.X509Certificates.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    NoEncryption,
    PublicFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.hazmat.primitives.serialization import Encoding as Form
from cryptography.x509.oid import ExtensionOID, NameOID

from hybridmandate.governance.gateway.csharp.collections import Array
from hybridmandate.governance.gateway.csharp.dates import TICKS, UNIX_TICKS, DateTime
from hybridmandate.governance.gateway.csharp.types.rsa_keys import RsaKey
from hybridmandate.governance.gateway.csharp.types.symmetric import wrong
from hybridmandate.governance.gateway.csharp.types.table import (
    OBJECT,
    ClrType,
    Run,
    enumeration,
)

_SPACE: Final = "System.Security.Cryptography.X509Certificates"
CONTENT: Final = enumeration(
    "X509ContentType", f"{_SPACE}.X509ContentType",
    {"Unknown": 0, "Cert": 1, "SerializedCert": 2, "Pfx": 3, "Pkcs12": 3, "SerializedStore": 4,
     "Pkcs7": 5, "Authenticode": 6},
)  # fmt: skip
NAME_KIND: Final = enumeration(
    "X509NameType", f"{_SPACE}.X509NameType",
    ["SimpleName", "EmailName", "UpnName", "DnsName", "DnsFromAlternativeName", "UrlName"],
)  # fmt: skip
_KEY_NAMES: Final = {"1.2.840.113549.1.1.1": "RSA", "1.2.840.10045.2.1": "ECC"}


class Oid:
    """System.Security.Cryptography.Oid: an object identifier and its readable name."""

    __slots__ = ("name", "value")

    def __init__(self, value: Any = None, name: Any = None) -> None:
        self.value = value
        self.name = name


def _oid(found: x509.ObjectIdentifier) -> Oid:
    return Oid(found.dotted_string, getattr(found, "_name", None))


class Certificate:
    """X509Certificate2 of DER or PEM bytes; it has no private key unless one is given."""

    __slots__ = ("found", "key", "name")

    def __init__(self, data: Any, key: bytes | None = None) -> None:
        try:
            text = bytes(data)
            pem = text.lstrip().startswith(b"-----")
            self.found = (
                x509.load_pem_x509_certificate if pem else x509.load_der_x509_certificate
            )(text)
        except (ValueError, TypeError):
            raise wrong("Cannot find the requested object.") from None
        loaded = None if key is None else load_pem_private_key(key, None)
        self.key = loaded if isinstance(loaded, rsa.RSAPrivateKey) else None
        self.name = ""

    def der(self) -> bytes:
        """The certificate as DER."""
        return self.found.public_bytes(Form.DER)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Certificate) and self.found == other.found

    def __hash__(self) -> int:
        return hash(self.found)

    def clr_text(self) -> str:
        """Subject, issuer, serial number, period and thumbprint."""
        rows = (
            ("Subject", name_text(self.found.subject)), ("Issuer", name_text(self.found.issuer)),
            ("Serial Number", serial_number(self)),
            ("Not Before", _moment(self.found.not_valid_before_utc).clr_text()),
            ("Not After", _moment(self.found.not_valid_after_utc).clr_text()),
            ("Thumbprint", thumbprint(self).hex().upper()),
        )  # fmt: skip
        return "".join(f"[{title}]\n  {text}\n\n" for title, text in rows)


class PublicKey:
    """System.Security.Cryptography.X509Certificates.PublicKey."""

    __slots__ = ("key",)

    def __init__(self, key: Any) -> None:
        self.key = key

    def encoded(self) -> bytes:
        """The key alone, as it stands in the certificate."""
        if isinstance(self.key, rsa.RSAPublicKey):
            return self.key.public_bytes(Form.DER, PublicFormat.PKCS1)
        if isinstance(self.key, ec.EllipticCurvePublicKey):
            return self.key.public_bytes(Form.X962, PublicFormat.UncompressedPoint)
        return bytes(self.key.public_bytes(Form.Raw, PublicFormat.Raw))

    def oid(self) -> str:
        """The identifier of the key's kind."""
        if isinstance(self.key, rsa.RSAPublicKey):
            return "1.2.840.113549.1.1.1"
        return "1.2.840.10045.2.1" if isinstance(self.key, ec.EllipticCurvePublicKey) else ""


class AsnData:
    """System.Security.Cryptography.AsnEncodedData: an identifier and bytes; also an extension."""

    __slots__ = ("critical", "data", "oid")

    def __init__(self, oid: Oid, data: bytes, critical: bool = False) -> None:
        self.oid = oid
        self.data = data
        self.critical = critical


class DistinguishedName:
    """X500DistinguishedName."""

    __slots__ = ("text",)

    def __init__(self, name: x509.Name) -> None:
        self.text = name_text(name)

    def clr_text(self) -> str:
        """The type's name, as .NET gives it; the text is in ``Name``."""
        return f"{_SPACE}.X500DistinguishedName"


def name_text(name: x509.Name) -> str:
    """The parts of a name, in the order of the certificate."""
    return ", ".join(part.rfc4514_string() for part in name.rdns)


def public_key(certificate: Certificate) -> RsaKey | None:
    """``GetRSAPublicKey``; null when the key is of another kind."""
    key = certificate.found.public_key()
    return RsaKey(key) if isinstance(key, rsa.RSAPublicKey) else None


def private_key(certificate: Certificate) -> RsaKey | None:
    """``GetRSAPrivateKey``; null when there is none."""
    return None if certificate.key is None else RsaKey(certificate.key)


def thumbprint(certificate: Certificate) -> bytes:
    """SHA-1 of the DER form."""
    return certificate.found.fingerprint(hashes.SHA1())  # noqa: S303, a name, not a protection


def serial_number(certificate: Certificate) -> str:
    """The serial number in hexadecimal digits, whole bytes."""
    digits = f"{certificate.found.serial_number:X}"
    return digits.zfill(len(digits) + len(digits) % 2)


def _moment(value: Any) -> DateTime:
    return DateTime(UNIX_TICKS + int(value.timestamp()) * TICKS, "Local")


def in_time(run: Run, certificate: Certificate) -> bool:
    """Whether now is between the two dates of the certificate."""
    now = run.context.clock()
    found = certificate.found
    after, before = found.not_valid_after_utc.timestamp(), found.not_valid_before_utc.timestamp()
    return bool(before <= now <= after)


def load_certificate(
    run: Run, raw_data: Any, password: Any = None, flags: Any = None
) -> Certificate:
    """``new X509Certificate2``: DER or PEM, or PKCS #12 with its password."""
    if password is None:
        return Certificate(raw_data)
    run.budget.step(5000)
    try:
        key, own, others = pkcs12.load_key_and_certificates(bytes(raw_data), str(password).encode())
    except (ValueError, TypeError):
        raise wrong("The specified network password is not correct.") from None
    found = own or next(iter(others), None)  # without a key none of them is its own
    if found is None:
        raise wrong("Cannot find the requested object.")
    made = Certificate(found.public_bytes(Form.DER))
    made.key = key if isinstance(key, rsa.RSAPrivateKey) else None
    return made


def export(
    run: Run, certificate: Certificate, content_type: Any, password: Any = None
) -> bytearray:
    """``Export`` as a certificate, or with its key as PKCS #12."""
    if content_type.label == "Cert":
        return bytearray(certificate.der())
    if content_type.label not in ("Pfx", "Pkcs12"):
        raise wrong("Only Cert and Pkcs12 can be exported in policy expressions.")
    run.budget.step(5000)
    secret = NoEncryption() if not password else BestAvailableEncryption(str(password).encode())
    return bytearray(
        pkcs12.serialize_key_and_certificates(
            None, certificate.key, certificate.found, None, secret
        )
    )


def name_info(certificate: Certificate, name_type: Any, for_issuer: bool) -> str:
    """``GetNameInfo``: common name, e-mail, DNS name or URL; empty when there is none."""
    found = certificate.found
    name = found.issuer if for_issuer else found.subject
    place = (
        ExtensionOID.ISSUER_ALTERNATIVE_NAME
        if for_issuer
        else ExtensionOID.SUBJECT_ALTERNATIVE_NAME
    )
    try:
        others: Any = found.extensions.get_extension_for_oid(place).value
    except x509.ExtensionNotFound:
        others = x509.SubjectAlternativeName([])
    common = [str(each.value) for each in name.get_attributes_for_oid(NameOID.COMMON_NAME)]
    kind = name_type.label
    wanted: list[str] = []
    if kind == "SimpleName":
        wanted = common or [str(each.value) for each in reversed(list(name))]
    elif kind == "EmailName":
        wanted = others.get_values_for_type(x509.RFC822Name) or [
            str(each.value) for each in name.get_attributes_for_oid(NameOID.EMAIL_ADDRESS)
        ]
    elif kind in ("DnsName", "DnsFromAlternativeName"):
        wanted = others.get_values_for_type(x509.DNSName)
        wanted = wanted or (common if kind == "DnsName" else [])
    elif kind == "UrlName":
        wanted = others.get_values_for_type(x509.UniformResourceIdentifier)
    return next(iter(wanted), "")


def extensions(certificate: Certificate) -> Array:
    """``Extensions``, each with its identifier and bytes."""
    return Array(
        [
            AsnData(_oid(each.oid), each.value.public_bytes(), each.critical)
            for each in certificate.found.extensions
        ],
        "X509Extension",
    )


OID: Final = ClrType("Oid", "System.Security.Cryptography.Oid", Oid, base=OBJECT)
OID.constructed_by(Oid)
OID.property("Value", lambda oid: oid.value, "string")
OID.property("FriendlyName", lambda oid: oid.name, "string")
ASN: Final = ClrType(
    "AsnEncodedData", "System.Security.Cryptography.AsnEncodedData", AsnData, base=OBJECT
)
ASN.property("Oid", lambda data: data.oid, "Oid")
ASN.property("RawData", lambda data: bytearray(data.data), "byte[]")
EXTENSION: Final = ClrType("X509Extension", f"{_SPACE}.X509Extension", base=ASN)
ASN.property("Critical", lambda data: data.critical, "bool")

DISTINGUISHED: Final = ClrType(
    "X500DistinguishedName", f"{_SPACE}.X500DistinguishedName", DistinguishedName, base=OBJECT
)
DISTINGUISHED.property("Name", lambda name: name.text, "string")

PUBLIC: Final = ClrType("PublicKey", f"{_SPACE}.PublicKey", PublicKey, base=OBJECT)
PUBLIC.property("Key", lambda key: RsaKey(key.key), "RSA")
PUBLIC.property("Oid", lambda key: Oid(key.oid(), _KEY_NAMES.get(key.oid())), "Oid")
PUBLIC.property(
    "EncodedKeyValue", lambda key: AsnData(Oid(key.oid()), key.encoded()), "AsnEncodedData"
)

ANY: Final = ClrType("X509Certificate", f"{_SPACE}.X509Certificate", base=OBJECT)
CERTIFICATE: Final = ClrType(
    "X509Certificate2", f"{_SPACE}.X509Certificate2", Certificate, base=ANY
)
_TEXTS: Final[dict[str, Callable[[Certificate], str]]] = {
    "GetCertHashString": lambda c: thumbprint(c).hex().upper(),
    "GetEffectiveDateString": lambda c: _moment(c.found.not_valid_before_utc).clr_text(),
    "GetExpirationDateString": lambda c: _moment(c.found.not_valid_after_utc).clr_text(),
    "GetFormat": lambda c: "X509",
    "GetIssuerName": lambda c: name_text(c.found.issuer),
    "GetName": lambda c: name_text(c.found.subject),
    "GetKeyAlgorithm": lambda c: PublicKey(c.found.public_key()).oid(),
    "GetPublicKeyString": lambda c: PublicKey(c.found.public_key()).encoded().hex().upper(),
    "GetRawCertDataString": lambda c: c.der().hex().upper(),
    "GetSerialNumberString": serial_number,
}
for _name, _get in _TEXTS.items():
    ANY.method(_name, _get, "string")
ANY.property("Subject", lambda c: name_text(c.found.subject), "string")
ANY.property("Issuer", lambda c: name_text(c.found.issuer), "string")
ANY.method("GetCertHash", lambda c: bytearray(thumbprint(c)), "byte[]")
ANY.method("GetPublicKey", lambda c: bytearray(PublicKey(c.found.public_key()).encoded()), "byte[]")
ANY.method("GetRawCertData", lambda c: bytearray(c.der()), "byte[]")
ANY.method("GetSerialNumber", lambda c: bytearray(bytes.fromhex(serial_number(c))[::-1]), "byte[]")
ANY.method("Export", export, "byte[]")
ANY.method("Dispose", lambda c: None)
ANY.method("Reset", lambda c: None)

CERTIFICATE.constructed_by(load_certificate)
CERTIFICATE.property("Thumbprint", lambda c: thumbprint(c).hex().upper(), "string")
CERTIFICATE.property("SerialNumber", serial_number, "string")
CERTIFICATE.property("NotBefore", lambda c: _moment(c.found.not_valid_before_utc), "DateTime")
CERTIFICATE.property("NotAfter", lambda c: _moment(c.found.not_valid_after_utc), "DateTime")
CERTIFICATE.property("HasPrivateKey", lambda c: c.key is not None, "bool")
CERTIFICATE.property("PrivateKey", private_key, "RSA")
CERTIFICATE.property("PublicKey", lambda c: PublicKey(c.found.public_key()), "PublicKey")
CERTIFICATE.property("SignatureAlgorithm", lambda c: _oid(c.found.signature_algorithm_oid), "Oid")
CERTIFICATE.property("Version", lambda c: c.found.version.value + 1, "int")
CERTIFICATE.property("Archived", lambda c: False, "bool")
CERTIFICATE.property("Extensions", extensions, "X509Extension[]")
CERTIFICATE.property("FriendlyName", lambda c: c.name, "string")
CERTIFICATE.setter("FriendlyName", lambda c, name: setattr(c, "name", name))
CERTIFICATE.method("GetNameInfo", name_info, "string")
CERTIFICATE.static("GetCertContentType", lambda data: content_of(data), "X509ContentType")
CERTIFICATE.method("Verify", in_time, "bool")
CERTIFICATE.method("VerifyNoRevocation", in_time, "bool")
CERTIFICATE.method("GetRSAPublicKey", public_key, "RSA")
CERTIFICATE.method("GetRSAPrivateKey", private_key, "RSA")
CERTIFICATE.property(
    "SubjectName", lambda c: DistinguishedName(c.found.subject), "X500DistinguishedName"
)
CERTIFICATE.property(
    "IssuerName", lambda c: DistinguishedName(c.found.issuer), "X500DistinguishedName"
)
CERTIFICATE.property("RawData", lambda c: bytearray(c.der()), "byte[]")
RSA_OF: Final = ClrType(
    "RSACertificateExtensions", f"{_SPACE}.RSACertificateExtensions", base=OBJECT
)
RSA_OF.static("GetRSAPublicKey", public_key, "RSA")
RSA_OF.static("GetRSAPrivateKey", private_key, "RSA")


def content_of(data: Any) -> Any:
    """``GetCertContentType``."""
    raw = bytes(data)
    if raw.lstrip().startswith(b"-----BEGIN CERTIFICATE"):
        return CONTENT.values["Cert"]
    try:
        x509.load_der_x509_certificate(raw)
    except ValueError:
        # What is no certificate and begins as a sequence with version 3 is PKCS #12 (RFC 7292).
        return CONTENT.values["Pfx" if b"\x02\x01\x03" in raw[:8] else "Unknown"]
    return CONTENT.values["Cert"]
