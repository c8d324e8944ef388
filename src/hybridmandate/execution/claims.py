"""Claims: the small table that makes a repeated call one call (design.md section 4, Idempotency).

A claim is taken before an operation runs and closed with its outcome. It is ``running`` while a
process works on it, ``kept`` when its outcome is the answer to every repeat, and ``released`` when
the call failed in a way that a retry can cure: the outcome is then shown to who polls, but the next
call runs again. A sync claim is leased: a process that stops renewing loses it after the lease.
The durable engine, not the lease, brings jobs back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from hybridmandate.execution.group_commit import GroupCommit

RENEWALS_A_LEASE = 3

_METADATA = sa.MetaData()
CLAIMS = sa.Table(
    "mandate_claim",
    _METADATA,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("payload_digest", sa.Text, nullable=False),
    sa.Column("operation", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("app_id", sa.Text, nullable=False),
    sa.Column("correlation_id", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("process_id", sa.Text, nullable=False),
    sa.Column("lease_until", sa.Float, nullable=False),
    sa.Column("expires_at", sa.Float, nullable=False),
    sa.Column("progress", sa.Text),
    sa.Column("outcome", sa.Text),
    sa.Index("mandate_claim_running", "process_id", "state"),
    sa.Index("mandate_claim_expiry", "expires_at"),
)


class ClaimState(StrEnum):
    """Where a claim stands; see the module."""

    RUNNING = "running"
    KEPT = "kept"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a call wants to claim; ``mode`` is ``sync`` or ``job``, ``keep_seconds`` the replay."""

    key: str
    mode: str
    payload_digest: str
    operation: str
    version: int
    app_id: str
    correlation_id: str
    keep_seconds: float


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim as the table has it; times are epoch seconds, ``outcome`` and ``progress`` JSON."""

    key: str
    state: ClaimState
    mode: str
    payload_digest: str
    operation: str
    version: int
    app_id: str
    correlation_id: str
    attempt: int
    process_id: str
    lease_until: float
    expires_at: float
    progress: str | None
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer to a call that wants a claim.

    ``mine`` says whether this call is to do the work; ``claim`` is then its own, else the one that
    was there. ``took_over`` says that a process which died held it before.
    """

    mine: bool
    claim: Claim
    took_over: bool = False


class Claims:
    """The claims of all processes that share a database."""

    def __init__(
        self,
        engine: sa.Engine,
        *,
        process_id: str,
        lease_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._engine = engine
        self._process_id = process_id
        self._lease_seconds = lease_seconds
        self._clock = clock
        insert = postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert
        self._insert = (
            insert(CLAIMS)
            .on_conflict_do_nothing(index_elements=[CLAIMS.c.key])
            .returning(CLAIMS.c.key)
        )
        self._writer = GroupCommit(
            engine, periodic=self._renew, every=lease_seconds / RENEWALS_A_LEASE
        )

    def open(self) -> None:
        """Make the table when there is none, and begin to renew leases."""
        with self._engine.begin() as connection:
            _METADATA.create_all(connection, checkfirst=True)
        self._writer.start()

    def forget_expired(self) -> int:
        """Remove claims whose time has passed; returns how many. Blocking."""
        gone = sa.delete(CLAIMS).where(
            CLAIMS.c.expires_at < self._clock(), CLAIMS.c.state != ClaimState.RUNNING
        )
        with self._engine.begin() as connection:
            return connection.execute(gone).rowcount

    def close(self) -> None:
        """Commit what is on the way and stop renewing."""
        self._writer.close()

    async def take(self, wanted: Wanted) -> Taken:
        """Claim a call, or learn who has it. A claim with another payload is never taken."""
        return await self._writer.run(wanted.key, lambda c: self._take(c, wanted))

    async def read(self, key: str) -> Claim | None:
        """The claim of a key that has not expired, or None."""
        claim = await self._writer.run(key, lambda c: _select(c, key))
        return None if claim is None or self._expired(claim) else claim

    async def finish(self, claim: Claim, outcome: str, state: ClaimState) -> bool:
        """Close a claim with its outcome; False when it is no longer this attempt's to close."""
        statement = _own(claim).values(state=state, outcome=outcome)
        return await self._writer.run(claim.key, lambda c: c.execute(statement).rowcount == 1)

    async def become_job(self, claim: Claim) -> bool:
        """Go on with a sync call as a job; False when it is no longer this attempt's."""
        statement = _own(claim).values(mode="job")
        return await self._writer.run(claim.key, lambda c: c.execute(statement).rowcount == 1)

    async def show_progress(self, claim: Claim, progress: str) -> None:
        """Let those who poll see how far a job is."""
        statement = _own(claim).values(progress=progress)
        await self._writer.run(claim.key, lambda c: c.execute(statement).rowcount)

    def _take(self, connection: sa.Connection, wanted: Wanted) -> Taken:
        held = _select(connection, wanted.key)
        if held is None:
            fresh = self._claim(wanted, attempt=1)
            if connection.execute(self._insert, _row(fresh)).first() is not None:
                return Taken(True, fresh)
            held = _select(connection, wanted.key)
            if held is None:
                raise LookupError(f"claim {wanted.key} was removed while it was taken")
        if not self._free(held, wanted):
            return Taken(False, held)
        again = self._claim(wanted, attempt=held.attempt + 1)
        seize = (
            sa.update(CLAIMS)
            .where(
                CLAIMS.c.key == held.key,
                CLAIMS.c.attempt == held.attempt,
                CLAIMS.c.state == held.state,
                CLAIMS.c.lease_until == held.lease_until,
            )
            .values(_row(again))
        )
        if connection.execute(seize).rowcount == 1:
            return Taken(True, again, took_over=held.state is ClaimState.RUNNING)
        now_held = _select(connection, wanted.key)
        return Taken(False, now_held or held)

    def _free(self, held: Claim, wanted: Wanted) -> bool:
        lapsed = held.mode == "sync" and held.lease_until < self._clock()
        if held.state is ClaimState.RUNNING and not lapsed:
            return False
        if self._expired(held):
            return True
        if held.payload_digest != wanted.payload_digest:
            return False
        return held.state is not ClaimState.KEPT

    def _expired(self, claim: Claim) -> bool:
        return claim.state is not ClaimState.RUNNING and claim.expires_at < self._clock()

    def _claim(self, wanted: Wanted, *, attempt: int) -> Claim:
        now = self._clock()
        return Claim(
            key=wanted.key,
            state=ClaimState.RUNNING,
            mode=wanted.mode,
            payload_digest=wanted.payload_digest,
            operation=wanted.operation,
            version=wanted.version,
            app_id=wanted.app_id,
            correlation_id=wanted.correlation_id,
            attempt=attempt,
            process_id=self._process_id,
            lease_until=now + self._lease_seconds,
            expires_at=now + wanted.keep_seconds,
            progress=None,
            outcome=None,
        )

    def _renew(self, connection: sa.Connection) -> None:
        connection.execute(
            sa.update(CLAIMS)
            .where(
                CLAIMS.c.process_id == self._process_id,
                CLAIMS.c.state == ClaimState.RUNNING,
                CLAIMS.c.mode == "sync",
            )
            .values(lease_until=self._clock() + self._lease_seconds)
        )


_SELECT = sa.select(CLAIMS).where(CLAIMS.c.key == sa.bindparam("wanted_key"))


def _select(connection: sa.Connection, key: str) -> Claim | None:
    row = connection.execute(_SELECT, {"wanted_key": key}).mappings().first()
    if row is None:
        return None
    return Claim(**{**row, "state": ClaimState(row["state"])})


def _own(claim: Claim) -> sa.Update:
    return sa.update(CLAIMS).where(
        CLAIMS.c.key == claim.key,
        CLAIMS.c.attempt == claim.attempt,
        CLAIMS.c.state == ClaimState.RUNNING,
    )


def _row(claim: Claim) -> dict[str, Any]:
    return {name: getattr(claim, name) for name in Claim.__slots__}
