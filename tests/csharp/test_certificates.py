"""X509Certificate2 in expressions: what a caller's certificate tells."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hybridmandate.governance.gateway.csharp import Budget, as_text, compile_expression

from .sample import context


def _certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(NameOID.COMMON_NAME, "caller"),
        ]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(0xA0B1C)
        .not_valid_before(datetime.datetime(2023, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("caller.example"), x509.RFC822Name("caller@example.org")]
            ),
            critical=False,
        )
    )
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


_RSA = _certificate(rsa.generate_private_key(65537, 1024))
_EC = _certificate(ec.generate_private_key(ec.SECP256R1()))


def _told(expression: str, der: bytes) -> str:
    given = context()
    given.request.certificate = der
    return as_text(compile_expression(expression, line=1, column=1).evaluate(given, Budget()))


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        ("Subject", "C=DE, CN=caller"),
        ("SerialNumber", "0A0B1C"),
        ("GetSerialNumberString()", "0A0B1C"),
        ("GetSerialNumber()[0]", "28"),
        ("GetNameInfo(X509NameType.SimpleName, false)", "caller"),
        ("GetNameInfo(X509NameType.DnsName, false)", "caller.example"),
        ("GetNameInfo(X509NameType.EmailName, false)", "caller@example.org"),
        ("GetNameInfo(X509NameType.UrlName, false)", ""),
        ("GetEffectiveDateString()", "01/01/2023 00:00:00"),
        ("GetExpirationDateString()", "01/01/2024 00:00:00"),
        ("SignatureAlgorithm.Value", "1.2.840.113549.1.1.11"),
        ("Version", "3"),
        ("GetKeyAlgorithm()", "1.2.840.113549.1.1.1"),
        ("PublicKey.Oid.FriendlyName", "RSA"),
        ("PublicKey.Key.KeySize", "1024"),
        ("PrivateKey == null", "True"),
        ("Extensions[0].Oid.Value", "2.5.29.17"),
        ("Extensions[0].Critical", "False"),
        ("Equals(new X509Certificate2(context.Request.Certificate.GetRawCertData()))", "True"),
        (
            "Export(X509ContentType.Cert).Length == context.Request.Certificate.RawData.Length",
            "True",
        ),
    ],
)
def test_certificate_tells_what_it_holds(member: str, expected: str) -> None:
    assert _told(f"@(context.Request.Certificate.{member})", _RSA) == expected


def test_keys_of_other_kinds_are_no_rsa_keys() -> None:
    shown = _told(
        "@(RSACertificateExtensions.GetRSAPublicKey(context.Request.Certificate) == null)", _EC
    )
    assert shown == "True"
    assert _told("@(context.Request.Certificate.PublicKey.Oid.FriendlyName)", _EC) == "ECC"
    assert _told("@(context.Request.Certificate.GetPublicKey().Length)", _EC) == "65"


def test_content_type_of_bytes_is_recognised() -> None:
    kind = "@(X509Certificate2.GetCertContentType(context.Request.Certificate.{}))"
    assert _told(kind.format("RawData"), _RSA) == "Cert"
    packed = 'Export(X509ContentType.Pkcs12, "secret")'
    assert _told(kind.format(packed), _RSA) == "Pfx"
    again = f'@(new X509Certificate2(context.Request.Certificate.{packed}, "secret").Subject)'
    assert _told(again, _RSA) == "C=DE, CN=caller"
