"""Signed checkpoints: they join all chains, so that a removed tail shows.

A chain alone cannot tell that its last records are gone. A checkpoint states the head of every
chain at one moment, names the checkpoint before it, and is signed (Ed25519, RFC 8032). Who removes
records later than the last checkpoint and nothing else is not found out: that is the window, kept
small by ``EvidenceWriter``; who removes the last checkpoints too is found out only by a copy of one
kept elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import os
import sqlite3
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from hybridmandate.evidence.chain import GENESIS
from hybridmandate.evidence.redaction import canonical_json
from hybridmandate.evidence.store import (
    Checkpoint,
    chain_heads,
    insert_checkpoint,
    last_checkpoint,
)

PRIVATE_KEY = "checkpoint.key.pem"
PUBLIC_KEY = "checkpoint.pub.pem"


def statement(checkpoint: Checkpoint) -> bytes:
    """What is signed: the canonical JSON of everything but digest and signature."""
    return canonical_json(
        {
            "number": checkpoint.number,
            "time_ns": checkpoint.time_ns,
            "chain": checkpoint.chain,
            "heads": checkpoint.heads,
            "previous_digest": checkpoint.previous_digest,
            "key_id": checkpoint.key_id,
        }
    ).encode()


def write_checkpoint(
    connection: sqlite3.Connection, key: Ed25519PrivateKey, *, chain: str, time_ns: int
) -> Checkpoint:
    """State and sign where all chains stand; within a transaction that holds the write lock."""
    last = last_checkpoint(connection)
    unsigned = Checkpoint(
        number=1 if last is None else last.number + 1,
        time_ns=time_ns,
        chain=chain,
        heads=canonical_json(chain_heads(connection)),
        previous_digest=GENESIS if last is None else last.digest,
        digest="",
        key_id=key_id(key.public_key()),
        signature="",
    )
    text = statement(unsigned)
    signed = Checkpoint(
        number=unsigned.number,
        time_ns=unsigned.time_ns,
        chain=unsigned.chain,
        heads=unsigned.heads,
        previous_digest=unsigned.previous_digest,
        digest=hashlib.sha256(text).hexdigest(),
        key_id=unsigned.key_id,
        signature=base64.b64encode(key.sign(text)).decode(),
    )
    insert_checkpoint(connection, signed)
    return signed


def is_signed_by(checkpoint: Checkpoint, key: Ed25519PublicKey) -> bool:
    """Whether the signature is the key's and covers what the checkpoint says."""
    try:
        key.verify(base64.b64decode(checkpoint.signature, validate=True), statement(checkpoint))
    except (InvalidSignature, ValueError):
        return False
    return checkpoint.digest == hashlib.sha256(statement(checkpoint)).hexdigest()


def key_id(key: Ed25519PublicKey) -> str:
    """The first 16 hex digits of the SHA-256 of the raw public key."""
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def ensure_signing_key(folder: Path) -> Ed25519PrivateKey:
    """The signing key of a state folder, made with its public half on first use.

    Safe when several processes begin at once: one key wins. The private file has mode 0600.
    """
    folder.mkdir(parents=True, exist_ok=True)
    private = folder / PRIVATE_KEY
    if not private.exists():
        _publish(private, _private_pem(Ed25519PrivateKey.generate()))
    key = load_pem_private_key(private.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{private} holds no Ed25519 key")
    public = folder / PUBLIC_KEY
    if not public.exists():
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        _publish(public, pem)
    return key


def read_public_key(path: Path) -> Ed25519PublicKey:
    """The public key in a PEM file. :raises ValueError: when it holds another kind of key."""
    key = load_pem_public_key(path.read_bytes())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{path} holds no Ed25519 public key")
    return key


def _private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _publish(path: Path, content: bytes) -> None:
    """Write a whole file under its name, unless another process was first."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    try:
        draft.rename(path) if os.name == "nt" else os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)
