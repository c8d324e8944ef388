"""What the stand-in keeps: one SQLite file that several processes may have open.

The running issuer asks the file on every token request, so what `mandate principal disable` writes
holds for the very next token.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hybridmandate.twin.entra.credentials import (
    CertificateCredential,
    Credentials,
    FederatedCredential,
    SecretCredential,
    new_secret,
    secret_digest,
)
from hybridmandate.twin.entra.directory import (
    Api,
    Assignment,
    Directory,
    IdentityKind,
    User,
    Workload,
)

DATABASE = "directory.db"
SECRET_SECONDS = 180 * 86400.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS directory (
  id INTEGER PRIMARY KEY CHECK (id = 1), document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS switch (client_id TEXT PRIMARY KEY, enabled INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS secret (
  client_id TEXT NOT NULL, salt BLOB NOT NULL, digest BLOB NOT NULL, expires_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS certificate (
  client_id TEXT NOT NULL, pem TEXT NOT NULL, expires_at REAL NOT NULL,
  PRIMARY KEY (client_id, pem));
CREATE TABLE IF NOT EXISTS federation (
  client_id TEXT NOT NULL, issuer TEXT NOT NULL, subject TEXT NOT NULL, audience TEXT NOT NULL,
  jwks TEXT NOT NULL, PRIMARY KEY (client_id, issuer, subject));
CREATE TABLE IF NOT EXISTS password (
  object_id TEXT PRIMARY KEY, salt BLOB NOT NULL, digest BLOB NOT NULL, expires_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS assertion (
  client_id TEXT NOT NULL, jti TEXT NOT NULL, digest TEXT NOT NULL, expires_at REAL NOT NULL,
  PRIMARY KEY (client_id, jti));
CREATE TABLE IF NOT EXISTS signing_key (
  kid TEXT PRIMARY KEY, key_pem TEXT NOT NULL, certificate_pem TEXT NOT NULL,
  published_at REAL NOT NULL, active_at REAL NOT NULL);
"""


class DirectoryMissing(LookupError):
    """The store holds no directory yet: the stand-in was never started on it."""


class EntraStore:
    """Directory, switches, credentials and signing keys of one tenant."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        """Open the store of a folder, made when it is not there. ``clock`` gives epoch seconds."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / DATABASE
        # Made first with its mode, so that signing keys are never readable by others.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self.clock = clock
        self.database = sqlite3.connect(
            path, timeout=10, isolation_level=None, check_same_thread=False
        )
        self.database.execute("PRAGMA journal_mode=WAL")
        self.database.execute("PRAGMA synchronous=NORMAL")
        self.database.executescript(_SCHEMA)
        self._read: tuple[str, Directory] | None = None

    def close(self) -> None:
        """Close the file."""
        self.database.close()

    def save_directory(self, directory: Directory) -> None:
        """Replace the directory; switches and credentials stay, known by their client ids."""
        document = json.dumps(_plain(directory), sort_keys=True)
        self.database.execute("INSERT OR REPLACE INTO directory VALUES (1, ?)", (document,))

    def directory(self) -> Directory:
        """The directory. :raises DirectoryMissing: when none was saved."""
        row = self.database.execute("SELECT document FROM directory").fetchone()
        if row is None:
            raise DirectoryMissing("no directory is stored here: start the environment once")
        if self._read is None or self._read[0] != row[0]:
            self._read = row[0], _directory(json.loads(row[0]))
        return self._read[1]

    def set_enabled(self, client_id: str, enabled: bool) -> None:
        """Switch a workload on or off; beats what the manifest says, until it is switched again."""
        self.database.execute("INSERT OR REPLACE INTO switch VALUES (?, ?)", (client_id, enabled))

    def is_enabled(self, workload: Workload) -> bool:
        """Whether the workload may have tokens now."""
        row = self.database.execute(
            "SELECT enabled FROM switch WHERE client_id = ?", (workload.client_id,)
        ).fetchone()
        return workload.enabled if row is None else bool(row[0])

    def add_secret(self, client_id: str, *, seconds: float = SECRET_SECONDS) -> str:
        """Make a client secret; this is the only time that it can be seen."""
        secret, kept = new_secret(self.clock() + seconds)
        self.database.execute(
            "INSERT INTO secret VALUES (?, ?, ?, ?)",
            (client_id, kept.salt, kept.digest, kept.expires_at),
        )
        return secret

    def add_certificate(self, client_id: str, pem: str) -> CertificateCredential:
        """Trust a client certificate until it ends. :raises ValueError: when it is none."""
        probe = CertificateCredential(_certificate_only(pem), 0)
        end = probe.certificate().not_valid_after_utc.timestamp()
        self.database.execute(
            "INSERT OR REPLACE INTO certificate VALUES (?, ?, ?)", (client_id, probe.pem, end)
        )
        return CertificateCredential(probe.pem, end)

    def end_certificates(self, client_id: str, *, at: float, but: str) -> int:
        """Let all certificates but one end no later than a time; returns how many that shortens."""
        return self.database.execute(
            "UPDATE certificate SET expires_at = ? "
            "WHERE client_id = ? AND pem <> ? AND expires_at > ?",
            (at, client_id, but, at),
        ).rowcount

    def add_federation(self, client_id: str, trusted: FederatedCredential) -> None:
        """Trust another issuer's subject as this workload."""
        self.database.execute(
            "INSERT OR REPLACE INTO federation VALUES (?, ?, ?, ?, ?)",
            (
                client_id,
                trusted.issuer,
                trusted.subject,
                trusted.audience,
                json.dumps(trusted.jwks),
            ),
        )

    def credentials(self, client_id: str) -> Credentials:
        """Everything that the workload may prove itself with, ended credentials included."""
        select, key = self.database.execute, (client_id,)
        return Credentials(
            secrets=tuple(
                SecretCredential(*row)
                for row in select(
                    "SELECT salt, digest, expires_at FROM secret WHERE client_id = ?", key
                )
            ),
            certificates=tuple(
                CertificateCredential(*row)
                for row in select(
                    "SELECT pem, expires_at FROM certificate WHERE client_id = ?", key
                )
            ),
            federations=tuple(
                FederatedCredential(issuer, subject, audience, json.loads(jwks))
                for issuer, subject, audience, jwks in select(
                    "SELECT issuer, subject, audience, jwks FROM federation WHERE client_id = ?",
                    key,
                )
            ),
        )

    def new_password(self, user: User) -> str:
        """Make a person's password, for tests of what people may not do."""
        password, kept = new_secret(self.clock() + SECRET_SECONDS)
        self.database.execute(
            "INSERT OR REPLACE INTO password VALUES (?, ?, ?, ?)",
            (user.object_id, kept.salt, kept.digest, kept.expires_at),
        )
        return password

    def password_matches(self, user: User, password: str) -> bool:
        """Whether this is the person's password and still good."""
        row = self.database.execute(
            "SELECT salt, digest, expires_at FROM password WHERE object_id = ?", (user.object_id,)
        ).fetchone()
        if row is None:
            return False
        kept = SecretCredential(*row)
        return kept.matches(password) and self.clock() < kept.expires_at

    def first_use(self, client_id: str, jti: str, assertion: str, expires_at: float) -> str | None:
        """Remember an assertion's id until it ends; None when new, else the digest it had."""
        now = self.clock()
        self.database.execute("DELETE FROM assertion WHERE expires_at < ?", (now,))
        digest = assertion_digest(assertion)
        fresh = self.database.execute(
            "INSERT OR IGNORE INTO assertion VALUES (?, ?, ?, ?)",
            (client_id, jti, digest, expires_at),
        ).rowcount
        if fresh:
            return None
        row = self.database.execute(
            "SELECT digest FROM assertion WHERE client_id = ? AND jti = ?", (client_id, jti)
        ).fetchone()
        return str(row[0]) if row else None


def assertion_digest(assertion: str) -> str:
    """How an assertion is told from another with the same id."""
    return secret_digest(b"assertion", assertion).hex()


def _certificate_only(pem: str) -> str:
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    start, stop = pem.find(begin), pem.find(end)
    if start < 0 or stop < start:
        raise ValueError("there is no certificate in this PEM text")
    return pem[start : stop + len(end)] + "\n"


def _plain(directory: Directory) -> dict[str, Any]:
    return {
        "tenant_id": directory.tenant_id,
        "workloads": [asdict(each) for each in directory.workloads],
        "apis": [asdict(each) | {"roles": sorted(each.roles)} for each in directory.apis],
        "assignments": [
            asdict(each) | {"roles": sorted(each.roles)} for each in directory.assignments
        ],
        "users": [asdict(each) for each in directory.users],
    }


def _directory(plain: dict[str, Any]) -> Directory:
    return Directory(
        tenant_id=plain["tenant_id"],
        workloads=tuple(
            Workload(**(each | {"kind": IdentityKind(each["kind"])})) for each in plain["workloads"]
        ),
        apis=tuple(Api(**(each | {"roles": frozenset(each["roles"])})) for each in plain["apis"]),
        assignments=tuple(
            Assignment(**(each | {"roles": frozenset(each["roles"])}))
            for each in plain["assignments"]
        ),
        users=tuple(User(**each) for each in plain["users"]),
    )
