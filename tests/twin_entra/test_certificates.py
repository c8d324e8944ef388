"""The local authority: made once, good for loopback only, renewed in time, keys private."""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hybridmandate.twin.certificates import LocalCa, ensure_ca, issue_client_certificate

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(days: float) -> Callable[[], datetime]:
    return lambda: START + timedelta(days=days)


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def handshake(ca_file: Path, certificate: Path, key: Path, name: str) -> None:
    """A TLS handshake in memory. :raises ssl.SSLError: when the server is not trusted."""
    client_in, client_out, server_in, server_out = (ssl.MemoryBIO() for _ in range(4))
    trusting = ssl.create_default_context(cafile=str(ca_file))
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate, key)
    client = trusting.wrap_bio(client_in, client_out, server_hostname=name)
    server = serving.wrap_bio(server_in, server_out, server_side=True)
    done = {client: False, server: False}
    for _ in range(10):
        for side in done:
            try:
                side.do_handshake()
                done[side] = True
            except ssl.SSLWantReadError:
                pass
        server_in.write(client_out.read())
        client_in.write(server_out.read())
        if all(done.values()):
            return
    raise AssertionError("the handshake did not end")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_clients_that_trust_the_authority_trust_its_servers(tmp_path: Path, name: str) -> None:
    ca = ensure_ca(tmp_path)
    handshake(ca.certificate_file, *ca.server_certificate("entra"), name)


def test_the_authority_is_good_for_nothing_but_loopback(tmp_path: Path) -> None:
    ca = ensure_ca(tmp_path)
    key = ec.generate_private_key(ec.SECP256R1())
    signer = serialization.load_pem_private_key(ca.key_file.read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bank")])
    own = load(ca.certificate_file)
    forged = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(own.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("bank.example")]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    certificate, key_file = tmp_path / "forged.pem", tmp_path / "forged-key.pem"
    certificate.write_bytes(forged.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    with pytest.raises(ssl.SSLError, match="permitted subtree violation"):
        handshake(ca.certificate_file, certificate, key_file, "bank.example")


def test_another_authority_is_not_trusted(tmp_path: Path) -> None:
    ca, other = ensure_ca(tmp_path / "a"), ensure_ca(tmp_path / "b")
    with pytest.raises(ssl.SSLError):
        handshake(other.certificate_file, *ca.server_certificate("entra"), "localhost")


def test_a_second_start_keeps_authority_and_certificates(tmp_path: Path) -> None:
    first = ensure_ca(tmp_path, now=at(0))
    files = [first.certificate_file, *first.server_certificate("entra")]
    before = [each.read_bytes() for each in files]
    second = ensure_ca(tmp_path, now=at(30))
    second.server_certificate("entra")
    assert [each.read_bytes() for each in files] == before


def test_a_server_certificate_is_renewed_before_it_ends(tmp_path: Path) -> None:
    certificate, _ = ensure_ca(tmp_path, now=at(0)).server_certificate("entra")
    before = load(certificate)
    ensure_ca(tmp_path, now=at(61)).server_certificate("entra")
    after = load(certificate)
    assert after.serial_number != before.serial_number
    assert before.not_valid_after_utc - at(61)() < timedelta(days=30)


def test_a_new_authority_replaces_the_certificates_of_the_old(tmp_path: Path) -> None:
    ca = ensure_ca(tmp_path)
    ca.server_certificate("entra")
    ca.key_file.unlink()
    renewed = ensure_ca(tmp_path)
    handshake(renewed.certificate_file, *renewed.server_certificate("entra"), "localhost")


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX")
def test_keys_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    ca: LocalCa = ensure_ca(tmp_path)
    _, key = ca.server_certificate("entra")
    for path in (ca.key_file, key, issue_client_certificate(tmp_path, "flow")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_client_certificate_comes_with_its_key_in_one_file(tmp_path: Path) -> None:
    path = issue_client_certificate(tmp_path, "flow")
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert key.public_key() == load(path).public_key()
    assert [each.name for each in tmp_path.iterdir()] == ["flow.pem"]
