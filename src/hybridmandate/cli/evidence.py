"""`mandate evidence …`: is the record intact, who did what, and a copy to take away."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridmandate.cli.terminal import DEFAULT_STATE, JsonOption, StateOption, fail, print_json

if TYPE_CHECKING:
    import sqlite3

    from hybridmandate.evidence.chain import StoredRecord

app = typer.Typer(help="The evidence store: verify, list, export.", no_args_is_help=True)

TimeOption = Annotated[
    str | None, typer.Option(help="A time (2026-05-01T08:00Z) or how long ago (2 h, 30 min).")
]


@app.command()
def verify(state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """Walk every chain and checkpoint; exit code 1 and the place when something was changed.

    Example: mandate evidence verify
    """
    from hybridmandate.evidence.checkpoint import PUBLIC_KEY, read_public_key
    from hybridmandate.evidence.verification import verify as verify_store

    store = _open(state)
    public = state / "evidence" / PUBLIC_KEY
    if not public.is_file():
        fail(f"there is no public key at {public}: the checkpoints' signatures cannot be checked")
    report = verify_store(store, read_public_key(public))
    store.close()
    if as_json:
        print_json(report.to_json())
    else:
        typer.echo(
            f"{report.records} records in {report.chains} chains, "
            f"{report.checkpoints} checkpoints, "
            f"{report.unsigned_records} records after the last checkpoint"
        )
        for breach in report.breaches:
            place = f"{breach.chain} #{breach.sequence}"
            typer.secho(f"BROKEN {place} [{breach.rule}]: {breach.message}", fg="red")
        typer.echo("intact" if report.intact else f"{len(report.breaches)} breaches")
    if not report.intact:
        raise typer.Exit(1)


@app.command("list")
def list_records(
    principal: Annotated[str, typer.Option(help="Whose records: a principal's name or id.")],
    state: StateOption = DEFAULT_STATE,
    since: TimeOption = None,
    until: TimeOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000)] = 50,
    as_json: JsonOption = False,
) -> None:
    """What a principal did, newest first.

    Example: mandate evidence list --principal flow-invoice-intake --since "2 h"
    """
    from hybridmandate.evidence.store import by_principal

    store = _open(state)
    since_ns = _nanoseconds(since, default=0)
    until_ns = _nanoseconds(until, default=2**63 - 1)
    records = by_principal(store, principal, since_ns=since_ns, until_ns=until_ns, limit=limit)
    store.close()
    if as_json:
        print_json([_json(record) for record in records])
        return
    for record in records:
        at = datetime.fromtimestamp(record.time_ns / 1e9, UTC)
        typer.echo(
            f"{at:%Y-%m-%d %H:%M:%S.%f} {record.tier:<9} {record.kind:<16} {record.outcome:<18} "
            f"{record.subject}  {record.correlation_id or ''}"
        )
    if not records:
        typer.echo(f"no records of '{principal}'")


@app.command()
def export(
    state: StateOption = DEFAULT_STATE,
    output: Annotated[
        Path | None, typer.Option(help="File to write; standard output when left out.")
    ] = None,
) -> None:
    """Write all records as JSON lines, chain by chain, with their digests.

    Example: mandate evidence export --output evidence.jsonl
    """
    from hybridmandate.evidence.redaction import canonical_json
    from hybridmandate.evidence.store import records_in_order

    store = _open(state)
    target = sys.stdout if output is None else output.open("w", encoding="utf-8")
    try:
        for record in records_in_order(store):
            target.write(canonical_json(_json(record)) + "\n")
    finally:
        store.close()
        if output is not None:
            target.close()


def _open(state: Path) -> sqlite3.Connection:
    from hybridmandate.evidence.store import open_reader

    try:
        return open_reader(state / "evidence" / "evidence.db")
    except FileNotFoundError as missing:
        fail(f"{missing}. Is --state the folder that `mandate up` printed?")


def _json(record: StoredRecord) -> dict[str, Any]:
    import json
    from dataclasses import asdict

    return {**asdict(record), "detail": json.loads(record.detail)}


def _nanoseconds(text: str | None, *, default: int) -> int:
    from hybridmandate.contracts.quantities import parse_duration

    if text is None:
        return default
    try:
        moment = datetime.now(UTC) - timedelta(seconds=parse_duration(text))
    except ValueError:
        moment = _moment(text)
    return int(moment.timestamp() * 1_000_000) * 1_000


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f"'{text}' is neither a time (2026-05-01T08:00Z) nor a duration (2 h, 30 min)", code=2)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
