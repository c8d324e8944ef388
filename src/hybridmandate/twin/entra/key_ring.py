"""The issuer's signing keys and their rotation: published before use, kept until no token needs
them (learn.microsoft.com/entra/identity-platform/signing-key-rollover)."""

from __future__ import annotations

import base64
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from joserfc.jwk import RSAKey

from hybridmandate.twin.entra.store import EntraStore

PERIOD_SECONDS = 30 * 86400.0
LEAD_SECONDS = 600.0
"""How long a new key is published before it signs; longer than verifiers keep a key set."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key of the issuer; times are epoch seconds."""

    kid: str
    key: RSAKey
    certificate: x509.Certificate
    published_at: float
    active_at: float

    def public(self) -> dict[str, Any]:
        """The key's entry in the JWKS, as Entra publishes it."""
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        return {
            **self.key.as_dict(private=False),
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "x5c": [base64.b64encode(der).decode()],
        }


class KeyRing:
    """The keys of a store. ``keep_seconds`` is how long a key outlives its last signature."""

    def __init__(self, store: EntraStore, *, keep_seconds: float) -> None:
        self._store = store
        self._keep = keep_seconds
        self._loaded: dict[str, SigningKey] = {}
        if not self._rows():
            self._add(active_at=store.clock())

    def current(self) -> SigningKey:
        """The key that signs now; a new one is made when its period is over."""
        now = self._store.clock()
        keys = self.published()
        if now - keys[-1].active_at >= PERIOD_SECONDS:
            self.rotate()
        # A clock that was set back finds no key active yet: the oldest one is known to verifiers.
        return next((each for each in reversed(keys) if each.active_at <= now), keys[0])

    def published(self) -> list[SigningKey]:
        """The keys of the JWKS, oldest first; those that no token can need any more are removed."""
        now = self._store.clock()
        keys = [self._key(row) for row in self._rows()]
        for old, successor in pairwise(keys):
            if successor.active_at + self._keep < now:
                self._store.database.execute("DELETE FROM signing_key WHERE kid = ?", (old.kid,))
                self._loaded.pop(old.kid, None)
        return [each for each in keys if each.kid in self._loaded]

    def rotate(self, *, lead_seconds: float = LEAD_SECONDS) -> str:
        """Publish a new key that signs after the lead; returns its id."""
        return self._add(active_at=self._store.clock() + lead_seconds)

    def revoke(self, kid: str) -> None:
        """Take a key out at once, as after a leak; what it signed is refused when verifiers renew.

        :raises ValueError: when it is the only key that may sign now: rotate with no lead first.
        """
        now = self._store.clock()
        if not any(each.active_at <= now and each.kid != kid for each in self.published()):
            raise ValueError("no other key may sign yet: rotate first, without a lead")
        self._store.database.execute("DELETE FROM signing_key WHERE kid = ?", (kid,))
        self._loaded.pop(kid, None)

    def _rows(self) -> list[tuple[Any, ...]]:
        return self._store.database.execute(
            "SELECT kid, key_pem, certificate_pem, published_at, active_at FROM signing_key "
            "ORDER BY active_at, published_at, rowid"
        ).fetchall()

    def _key(self, row: tuple[Any, ...]) -> SigningKey:
        kid, key_pem, certificate_pem, published_at, active_at = row
        if kid not in self._loaded:
            certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
            key = RSAKey.import_key(key_pem)
            self._loaded[kid] = SigningKey(kid, key, certificate, published_at, active_at)
        return self._loaded[kid]

    def _add(self, *, active_at: float) -> str:
        now = self._store.clock()
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        certificate = _certificate(key, now)
        thumbprint = certificate.fingerprint(hashes.SHA1())  # noqa: S303 - a name, as in Entra
        kid = base64.urlsafe_b64encode(thumbprint).rstrip(b"=").decode()
        key_pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        certificate_pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        self._insert((kid, key_pem, certificate_pem, now, active_at))
        return kid

    def _insert(self, row: tuple[str, str, str, float, float]) -> None:
        database: sqlite3.Connection = self._store.database
        database.execute("INSERT INTO signing_key VALUES (?, ?, ?, ?, ?)", row)


def _certificate(key: rsa.RSAPrivateKey, now: float) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Entra stand-in token signing")])
    start = datetime.fromtimestamp(now, UTC) - timedelta(minutes=5)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365 * 5))
        .sign(key, hashes.SHA256())
    )
