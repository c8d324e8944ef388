"""Credentials of a run on one machine: made at first start, 0600, none of them in the solution.

Service principals get certificates, managed identities a secret header per process (as App Service
gives it), people of the local directory a password, the operator a token.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from hybridmandate.identity.client_certificate import CertificateFiles
from hybridmandate.local.run_plan import STAND_INS
from hybridmandate.local.state_folder import StateFolder
from hybridmandate.twin.certificates import ensure_ca, issue_client_certificate, write_private
from hybridmandate.twin.entra.directory import Directory, IdentityKind
from hybridmandate.twin.entra.store import EntraStore

GATEWAY = "gateway"
MANAGED = {"gateway": "gateway", "execution": "execution", "data": "data-gateway"}
"""Which managed identity of the manifest a process has."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the supervisor hands out: identity headers by process, and the operator's token."""

    identity_headers: Mapping[str, str]
    operator_token: str


def prepare_credentials(state: StateFolder, directory: Directory) -> Credentials:
    """Make whatever is missing, and tell the identity stand-in about it."""
    authority = ensure_ca(state.tls)
    for name in (*STAND_INS, GATEWAY):
        authority.server_certificate(name)
    store = EntraStore(state.of("entra"), time.time)
    try:
        store.save_directory(directory)
        for each in directory.workloads:
            path = certificate_file(state, each.name)
            if each.kind is IdentityKind.SERVICE_PRINCIPAL and not path.is_file():
                issue_client_certificate(state.credentials, each.name)
                store.add_certificate(each.client_id, path.read_text(encoding="ascii"))
        if not people_file(state).is_file():
            passwords = {user.mail: store.new_password(user) for user in directory.users}
            write_private(people_file(state), json.dumps(passwords).encode())
    finally:
        store.close()
    _publish_certificates(state, directory)
    return Credentials(
        identity_headers={process: secrets.token_urlsafe(32) for process in MANAGED},
        operator_token=_operator_token(state),
    )


def clients_file(state: StateFolder) -> Path:
    """The certificates, without keys, that the tenant's service principals may show in TLS."""
    return state.tls / "clients.pem"


def _publish_certificates(state: StateFolder, directory: Directory) -> None:
    shown = [
        x509.load_pem_x509_certificate(certificate_file(state, each.name).read_bytes())
        for each in directory.workloads
        if each.kind is IdentityKind.SERVICE_PRINCIPAL
    ]
    pem = b"".join(each.public_bytes(serialization.Encoding.PEM) for each in shown)
    write_private(clients_file(state), pem)


def certificate_file(state: StateFolder, principal: str) -> Path:
    """Certificate and key of a service principal, in one file."""
    return state.credentials / f"{principal}.pem"


def certificate_files(state: StateFolder, principal: str) -> CertificateFiles:
    """The same, as token sources take it."""
    path = certificate_file(state, principal)
    return CertificateFiles(path, path)


def people_file(state: StateFolder) -> Path:
    """Passwords of the people in the local directory, by mail address."""
    return state.credentials / "people.json"


def read_operator_token(state: StateFolder) -> str:
    """The operator's token. :raises OSError: when nothing was started in the folder."""
    return (state.credentials / "operator.token").read_text(encoding="ascii").strip()


def _operator_token(state: StateFolder) -> str:
    path = state.credentials / "operator.token"
    if not path.is_file():
        write_private(path, secrets.token_urlsafe(32).encode())
    return read_operator_token(state)
