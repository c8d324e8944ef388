"""Checking the store: is every record as it was written, and are they all there?"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hybridmandate.evidence.chain import GENESIS, StoredRecord, expected_digest
from hybridmandate.evidence.checkpoint import is_signed_by
from hybridmandate.evidence.store import Checkpoint, checkpoints, records_in_order


@dataclass(frozen=True, slots=True)
class Breach:
    """One thing that is not as it was written: where, and what differs.

    ``chain`` is ``checkpoint`` and ``sequence`` the checkpoint's number when the checkpoint itself
    is wrong. ``rule`` is ``content``, ``link``, ``gap``, ``tail``, ``signature`` or ``schema``.
    """

    chain: str
    sequence: int
    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """What was walked, and every chain's first breach."""

    records: int
    chains: int
    checkpoints: int
    unsigned_records: int
    breaches: tuple[Breach, ...]

    @property
    def intact(self) -> bool:
        """Whether nothing was found."""
        return not self.breaches

    @property
    def first(self) -> Breach | None:
        """The first breach, by chain and sequence, or None."""
        return self.breaches[0] if self.breaches else None

    def to_json(self) -> dict[str, Any]:
        """The report as JSON; ``unsignedRecords`` are later than the last checkpoint."""
        return {
            "intact": self.intact,
            "records": self.records,
            "chains": self.chains,
            "checkpoints": self.checkpoints,
            "unsignedRecords": self.unsigned_records,
            "breaches": [asdict(each) for each in self.breaches],
        }


def verify(store: sqlite3.Connection, public_key: Ed25519PublicKey | None) -> VerificationReport:
    """Walk every chain and every checkpoint.

    Without a public key the checkpoints' links and heads are checked, their signatures are not.
    """
    # One read transaction: what is appended meanwhile must not look like a gap.
    store.execute("BEGIN")
    try:
        return _verify(store, public_key)
    finally:
        store.execute("ROLLBACK")


def _verify(store: sqlite3.Connection, public_key: Ed25519PublicKey | None) -> VerificationReport:
    claims, marks, checked = _checkpoint_claims(store, public_key)
    walk = _Walk(claims)
    for record in records_in_order(store):
        walk.take(record)
    breaches = [*walk.breaches.values(), *walk.missing_tails(), *marks]
    breaches.sort(key=lambda breach: (breach.chain == "checkpoint", breach.chain, breach.sequence))
    signed = sum(max(of_chain) for of_chain in claims.values())
    return VerificationReport(
        records=walk.records,
        chains=len(walk.last),
        checkpoints=checked,
        unsigned_records=max(0, walk.records - signed),
        breaches=tuple(breaches),
    )


class _Walk:
    """The state of a walk along all chains: where each is, and its first breach."""

    def __init__(self, claims: dict[str, dict[int, str]]) -> None:
        self._claims = claims
        self.records = 0
        self.last: dict[str, tuple[int, str]] = {}
        self.breaches: dict[str, Breach] = {}

    def take(self, record: StoredRecord) -> None:
        self.records += 1
        if record.chain not in self.breaches:
            for rule, message in self._differences(record):
                self.breaches[record.chain] = Breach(record.chain, record.sequence, rule, message)
                break
        self.last[record.chain] = (record.sequence, record.digest)

    def missing_tails(self) -> Iterator[Breach]:
        for chain, of_chain in self._claims.items():
            head = max(of_chain)
            last = self.last.get(chain, (0, GENESIS))[0]
            if last < head and chain not in self.breaches:
                yield Breach(
                    chain, last + 1, "tail", f"records {last + 1} to {head} were removed at the end"
                )

    def _differences(self, record: StoredRecord) -> Iterator[tuple[str, str]]:
        sequence, digest = self.last.get(record.chain, (0, GENESIS))
        if record.sequence != sequence + 1:
            yield "gap", f"record {sequence + 1} is missing before record {record.sequence}"
        if record.previous_digest != digest:
            yield "link", f"record {record.sequence} does not follow the one before it"
        if expected_digest(record) != record.digest:
            yield "content", f"record {record.sequence} says something else than was written"
        claimed = self._claims.get(record.chain, {}).get(record.sequence)
        if claimed is not None and claimed != record.digest:
            yield "content", f"record {record.sequence} is not the one that was checkpointed"


def _checkpoint_claims(
    store: sqlite3.Connection, public_key: Ed25519PublicKey | None
) -> tuple[dict[str, dict[int, str]], list[Breach], int]:
    """What the checkpoints claim (chain to sequence to digest), their own breaches, their number.

    A checkpoint that is itself wrong claims nothing.
    """
    claims: dict[str, dict[int, str]] = {}
    breaches: list[Breach] = []
    number, digest, checked = 0, GENESIS, 0
    for checkpoint in checkpoints(store):
        checked += 1
        breach = _checkpoint_breach(checkpoint, number, digest, public_key)
        number, digest = checkpoint.number, checkpoint.digest
        if breach is not None:
            breaches.append(breach)
        if breach is None or breach.rule == "gap":
            for chain, (sequence, head) in json.loads(checkpoint.heads).items():
                claims.setdefault(chain, {})[sequence] = head
    return claims, breaches, checked


def _checkpoint_breach(
    checkpoint: Checkpoint, number: int, digest: str, public_key: Ed25519PublicKey | None
) -> Breach | None:
    def breach(rule: str, message: str) -> Breach:
        return Breach("checkpoint", checkpoint.number, rule, message)

    if public_key is not None and not is_signed_by(checkpoint, public_key):
        return breach("signature", f"checkpoint {checkpoint.number} is not signed by this key")
    if checkpoint.number != number + 1:
        return breach("gap", f"checkpoint {number + 1} is missing")
    if checkpoint.previous_digest != digest:
        return breach("link", f"checkpoint {checkpoint.number} does not follow the one before it")
    return None
