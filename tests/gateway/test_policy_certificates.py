"""Certificates: what the caller shows, what the back end is shown, keys that open tokens."""

from __future__ import annotations

import asyncio
import base64
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from joserfc import jwe, jwt
from joserfc.jwk import OctKey, RSAKey
from policy_bench import NOW, Bench

from hybridmandate.governance.gateway import csharp
from hybridmandate.governance.gateway.backend_route import Route, RoutedTransport
from hybridmandate.governance.gateway.certificate_store import (
    CertificateStore,
    CertificateUnreadable,
    StoredCertificate,
    read_certificate,
)
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.layout import load_layout
from hybridmandate.governance.gateway.shown_certificates import ShownCertificates
from hybridmandate.governance.gateway.transport import Outgoing, TransportFailure

MOMENT = datetime.fromtimestamp(NOW, UTC)


def issue(
    name: str, issuer: StoredCertificate | None = None, *, ca: bool = False, **more: Any
) -> StoredCertificate:
    """A certificate, self-signed without an issuer; valid around the bench's time."""
    key: Any = more.get("key") or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(more.get("serial", x509.random_serial_number()))
        .not_valid_before(more.get("start", MOMENT - timedelta(days=1)))
        .not_valid_after(more.get("end", MOMENT + timedelta(days=9000)))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    )
    for extension in more.get("extensions", ()):
        builder = builder.add_extension(extension, critical=False)
    signer: Any = issuer.key if issuer else key
    return StoredCertificate(builder.sign(signer, SHA256()), (), key)


ROOT = issue("root", ca=True)
MIDDLE = issue("middle", ROOT, ca=True)
CALLER = issue("caller", MIDDLE, serial=0xABC)
STRANGER = issue("caller")
REVOCABLE = issue(
    "caller",
    ROOT,
    extensions=[
        x509.CRLDistributionPoints(
            [
                x509.DistributionPoint(
                    [x509.UniformResourceIdentifier("http://crl.example/")], None, None, None
                )
            ]
        )
    ],
)
STORE = {
    "certificate-root": ROOT.certificate.public_bytes(Encoding.PEM).decode(),
    "certificate-middle": MIDDLE.certificate.public_bytes(Encoding.PEM).decode(),
}


def der(found: StoredCertificate) -> bytes:
    return found.certificate.public_bytes(Encoding.DER)


def policy(identity: str = "", attributes: str = "") -> str:
    inner = f"<identities><identity {identity}/></identities>" if identity else ""
    return f"<validate-client-certificate {attributes}>{inner}</validate-client-certificate>"


@pytest.mark.parametrize(
    ("inbound", "certificate", "reason"),
    [
        (policy(), CALLER, None),
        (policy(), None, "ClientCertificateNotPresent"),
        (policy(), STRANGER, "ClientCertificateNotTrusted"),
        (policy(attributes="validate-trust='false'"), STRANGER, None),
        (policy(), REVOCABLE, "ClientCertificateRevocationUnknown"),
        (policy(attributes="validate-revocation='false'"), REVOCABLE, None),
        (
            policy(),
            issue("old", ROOT, end=MOMENT - timedelta(hours=1)),
            "ClientCertificateExpired",
        ),
        (
            policy(),
            issue("new", ROOT, start=MOMENT + timedelta(hours=1)),
            "ClientCertificateNotYetValid",
        ),
        (policy(), issue("leaf as authority", CALLER), "ClientCertificateNotTrusted"),
        (policy("common-name='caller' serial-number='0abc'"), CALLER, None),
        (policy("subject='CN=caller' issuer-subject='CN=middle'"), CALLER, None),
        (policy("dns-name='LOCALHOST'"), CALLER, None),
        (policy("issuer-certificate-id='middle'"), CALLER, None),
        (policy("issuer-certificate-id='root'"), CALLER, "ClientCertificateIdentityNotAllowed"),
        (policy(f"issuer-thumbprint='{MIDDLE.thumbprint.lower()}'"), CALLER, None),
        (policy(f"thumbprint='{CALLER.thumbprint}'"), CALLER, None),
        (policy("thumbprint='00'"), CALLER, "ClientCertificateIdentityNotAllowed"),
        (
            policy("common-name='caller' dns-name='other'"),
            CALLER,
            "ClientCertificateIdentityNotAllowed",
        ),
        (policy(attributes="ignore-error='true'"), None, None),
    ],
)
async def test_the_callers_certificate_is_judged(
    inbound: str, certificate: StoredCertificate | None, reason: str | None
) -> None:
    bench = Bench(inbound, named_values=STORE)
    ended = await bench.call(certificate=None if certificate is None else der(certificate))
    assert (ended.last_error.reason if ended.last_error else None) == reason
    assert ended.response.status == (403 if reason else 200)


async def test_where_the_issuer_can_be_had_is_no_place_to_ask_for_revocation() -> None:
    def access(method: x509.ObjectIdentifier) -> x509.AuthorityInformationAccess:
        place = x509.UniformResourceIdentifier("http://ca.example/")
        return x509.AuthorityInformationAccess([x509.AccessDescription(method, place)])

    kinds = AuthorityInformationAccessOID.CA_ISSUERS, AuthorityInformationAccessOID.OCSP
    for kind, status in zip(kinds, (200, 403), strict=True):
        shown = issue("caller", ROOT, extensions=[access(kind)])
        ended = await Bench(policy(), named_values=STORE).call(certificate=der(shown))
        assert ended.response.status == status


async def test_an_unreadable_certificate_of_the_store_is_a_failure_with_a_reason() -> None:
    named_values = {"certificate-own": CALLER.pem().decode(), "certificate-bad": "%"}
    bench = Bench("<authentication-certificate certificate-id='own'/>", named_values=named_values)
    ended = await bench.call()
    assert ended.last_error is not None
    assert ended.last_error.reason == "CertificateNotFound"
    assert not bench.wire.sent


async def test_bytes_that_are_no_certificate_are_refused() -> None:
    ended = await Bench(policy(), named_values=STORE).call(certificate=b"\x30\x03abc")
    assert ended.response.status == 403


async def test_a_certificate_without_key_cannot_be_shown() -> None:
    bench = Bench("<authentication-certificate certificate-id='root'/>", named_values=STORE)
    ended = await bench.call()
    assert ended.last_error is not None
    assert ended.last_error.reason == "CertificateNotFound"
    assert not bench.wire.sent


@pytest.mark.parametrize(
    "attributes", ["", "thumbprint='1' certificate-id='2'", "thumbprint='1' password='2'"]
)
def test_one_way_names_the_certificate(attributes: str) -> None:
    with pytest.raises(PolicyDocumentError):
        Bench(f"<authentication-certificate {attributes}/>")


def test_an_archive_opens_with_its_password_only() -> None:
    archive = pkcs12.serialize_key_and_certificates(
        b"x",
        CALLER.key,
        CALLER.certificate,
        None,
        BestAvailableEncryption(b"secret"),  # type: ignore[arg-type]
    )
    assert read_certificate(archive, "secret").thumbprint == CALLER.thumbprint
    with pytest.raises(CertificateUnreadable):
        read_certificate(archive, "other")


async def test_the_back_end_sees_the_certificate_in_tls(tmp_path: Path) -> None:
    authority = issue("authority", ca=True)
    pem = tmp_path / "server.pem"
    pem.write_bytes(issue("localhost", authority).pem())
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(authority.certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.load_verify_locations(trusted)
    context.verify_mode = ssl.CERT_REQUIRED
    seen: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        shown = writer.get_extra_info("ssl_object").getpeercert()
        seen.append(dict(pair[0] for pair in shown["subject"])["commonName"])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "localhost", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        outgoing = Outgoing("GET", f"https://localhost:{port}/", [], None, 5.0)
        shown = Route(certificate=issue("gateway", authority), authorities=(authority,))
        transport = RoutedTransport(shown)
        incoming = await transport.send(outgoing)
        assert b"".join([piece async for piece in incoming.body]) == b"ok"
        incoming.close()
        await transport.close()
        with pytest.raises(TransportFailure):
            await RoutedTransport(Route(certificate=shown.certificate)).send(outgoing)
    assert seen == ["gateway"]


async def test_a_proxy_is_asked_with_the_absolute_address_and_its_credentials() -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nproxied")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        bench = Bench(f"<proxy url='http://127.0.0.1:{port}' username='u' password='p'/>")
        ended = await bench.call(b"{}")
    assert ended.response.body.content == b"proxied"
    assert seen[0].startswith(b"POST http://back.example/x HTTP/1.1")
    assert b"proxy-authorization: basic " + base64.b64encode(b"u:p").lower() in seen[0].lower()
    assert not bench.wire.sent


SIGNING = OctKey.generate_key(256)
OPENING = RSAKey.generate_key(2048)


def encrypted(token: str, key: Any, alg: str = "RSA-OAEP-256") -> str:
    return jwe.encrypt_compact(
        {"alg": alg, "enc": "A256GCM", "cty": "JWT"}, token, key, algorithms=[alg, "A256GCM"]
    )


def signed(key: OctKey = SIGNING) -> str:
    return jwt.encode({"alg": "HS256"}, {"sub": "me", "exp": NOW + 60}, key)


def checks(keys: str) -> str:
    secret = base64.b64encode(SIGNING.raw_value).decode()
    return (
        "<validate-jwt header-name='Authorization' output-token-variable-name='t'>"
        f"<issuer-signing-keys><key>{secret}</key></issuer-signing-keys>"
        f"<decryption-keys>{keys}</decryption-keys></validate-jwt>"
    )


def _opening_pem() -> str:
    made: Any = OPENING.private_key
    assert isinstance(made, rsa.RSAPrivateKey)
    return issue("opening", key=made).pem().decode()


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (encrypted(signed(), OPENING), 200),
        (signed(), 200),
        (encrypted(signed(OctKey.generate_key(256)), OPENING), 401),
        (encrypted(signed(), RSAKey.generate_key(2048)), 401),
        (encrypted("no token", OPENING), 401),
        ("a.b.c.d.e", 401),
    ],
    ids=["opened", "plain", "wrong signature inside", "wrong key", "nothing inside", "garbage"],
)
async def test_an_encrypted_token_counts_by_what_is_inside(raw: str, status: int) -> None:
    bench = Bench(
        checks("<key certificate-id='opening'/>"),
        named_values={"certificate-opening": _opening_pem()},
    )
    ended = await bench.call(Authorization=f"Bearer {raw}")
    assert ended.response.status == status
    if status == 200:
        assert ended.variables["t"].claim("sub") == "me"


async def test_an_inline_key_opens_by_itself() -> None:
    key = OctKey.generate_key(256)
    bench = Bench(checks(f"<key>{base64.b64encode(key.raw_value).decode()}</key>"))
    ended = await bench.call(Authorization=f"Bearer {encrypted(signed(), key, 'dir')}")
    assert ended.response.status == 200


def test_a_certificate_that_is_not_declared_is_refused_at_load() -> None:
    with pytest.raises(PolicyDocumentError, match="certificate-opening"):
        Bench(checks("<key certificate-id='opening'/>"))


def shown(named_values: dict[str, str], text: str) -> Any:
    """What an expression about the gateway's certificates gives."""
    context = csharp.PolicyContext(
        request=csharp.Request.__new__(csharp.Request),
        clock=lambda: NOW,
        random=lambda: 0.5,
        deployment=csharp.Deployment(certificates=ShownCertificates(named_values)),
    )
    return csharp.compile_expression(text, line=1, column=1).evaluate(context, csharp.Budget())


def test_expressions_read_the_gateways_certificates_with_their_keys() -> None:
    key = issue("signer", key=rsa.generate_private_key(65537, 2048))
    named = {"certificate-signer": key.pem().decode(), "other": "no certificate"}
    certificates = "context.Deployment.Certificates"
    assert shown(named, f"@({certificates}.Count)") == 1
    assert shown(named, f'@({certificates}["signer"].Thumbprint)') == key.thumbprint
    assert shown(named, f"@({certificates}.First().Value.GetRSAPrivateKey().KeySize)") == 2048


def test_a_certificate_that_cannot_be_read_fails_when_an_expression_asks() -> None:
    with pytest.raises(csharp.ExpressionFailure, match="neither PEM nor"):
        shown({"certificate-x": "!"}, "@(context.Deployment.Certificates.Count)")


def test_the_folder_holds_public_certificates_and_no_private_keys(tmp_path: Path) -> None:
    below = tmp_path / "certificates"
    below.mkdir()
    (below / "root.pem").write_bytes(ROOT.certificate.public_bytes(Encoding.PEM))
    (below / "middle.cer").write_bytes(der(MIDDLE))
    store = CertificateStore(load_layout(tmp_path).named_values)
    assert {each.thumbprint for each in store.all()} == {ROOT.thumbprint, MIDDLE.thumbprint}
    (below / "secret.pem").write_bytes(ROOT.pem())
    with pytest.raises(PolicyDocumentError, match="private key"):
        load_layout(tmp_path)
