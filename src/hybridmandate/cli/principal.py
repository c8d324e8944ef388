"""`mandate principal …`: who the workloads are, and switching them off, on, and to new keys.

Works on the stored state of the identity stand-in, so that one that runs sees it with its next
token request. In Azure the same is done on the service principal itself.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridmandate.cli.terminal import DEFAULT_STATE, JsonOption, StateOption, fail, print_json

if TYPE_CHECKING:
    from hybridmandate.twin.entra.directory import Workload
    from hybridmandate.twin.entra.store import EntraStore

app = typer.Typer(help="Workload identities: list, disable, enable, rotate.", no_args_is_help=True)

DEFAULT_OVERLAP = "24 h"
NameArgument = Annotated[str, typer.Argument(help="The principal's name in mandate.toml.")]


@app.command("list")
def list_principals(state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """Show every workload identity: kind, tier, owner, roles, switch, end of its credential.

    Example: mandate principal list
    """
    store = _open(state)
    rows = [_row(store, each) for each in store.directory().workloads]
    store.close()
    if as_json:
        print_json(rows)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for title in ("name", "kind", "tier", "owner", "roles", "enabled", "credential ends"):
        # A name must stay whole: it is what the other commands take.
        table.add_column(title, no_wrap=title == "name", overflow="fold")
    for row in rows:
        table.add_row(
            row["name"],
            row["kind"],
            row["tier"],
            row["owner"],
            "\n".join(f"{api}: {' '.join(roles) or '-'}" for api, roles in row["roles"].items()),
            "yes" if row["enabled"] else "no",
            row["credentialExpiry"] or "-",
        )
    Console().print(table)


@app.command()
def disable(name: NameArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Give this principal no more tokens, from its next request on.

    Tokens that it holds are refused by a gateway that asks the directory, within its
    principal-state-seconds (30); elsewhere they end by themselves, within an hour.

    Example: mandate principal disable flow-office
    """
    _switch(state, name, enabled=False)
    typer.echo(
        f"{name} is disabled: no new token; the gateway refuses those it holds within "
        "principal-state-seconds, other doors when they end (an hour at most)"
    )


@app.command()
def enable(name: NameArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Give this principal tokens again. Example: mandate principal enable flow-office"""
    _switch(state, name, enabled=True)
    typer.echo(f"{name} is enabled")


@app.command()
def rotate(
    name: NameArgument,
    state: StateOption = DEFAULT_STATE,
    overlap: Annotated[
        str, typer.Option(help="How long the old certificate stays valid (24 h, 30 min).")
    ] = DEFAULT_OVERLAP,
) -> None:
    """Make a new certificate; the old one stays valid for the overlap.

    Whoever reads the file uses the new one with its next token. Example: mandate principal rotate
    flow-office
    """
    from hybridmandate.contracts.quantities import parse_duration
    from hybridmandate.twin.certificates import issue_client_certificate
    from hybridmandate.twin.entra.directory import IdentityKind

    try:
        seconds = parse_duration(overlap)
    except ValueError as error:
        fail(str(error))
    store = _open(state)
    workload = _find(store, name)
    if workload.kind is not IdentityKind.SERVICE_PRINCIPAL:
        store.close()
        fail(f"{name} is a {workload.kind}: it has no certificate to rotate")
    folder = state / "credentials"
    staging = folder / "next"
    pending = issue_client_certificate(staging, name)
    # Known to the issuer before anybody can use it, so no request meets an unknown certificate.
    added = store.add_certificate(workload.client_id, pending.read_text(encoding="ascii"))
    path = pending.replace(folder / f"{name}.pem")
    staging.rmdir()
    ended = store.end_certificates(workload.client_id, at=time.time() + seconds, but=added.pem)
    store.close()
    typer.echo(f"{path}: new certificate until {_day(added.expires_at)}")
    typer.echo(f"older certificates that now end in {overlap}: {ended}")


def _open(state: Path) -> EntraStore:
    from hybridmandate.twin.entra.store import DATABASE, DirectoryMissing, EntraStore

    folder = state / "entra"
    if not (folder / DATABASE).is_file():
        fail(f"there is no identity state in {folder}: start the environment once (mandate up)")
    store = EntraStore(folder, time.time)
    try:
        store.directory()
    except DirectoryMissing as error:
        fail(str(error))
    return store


def _find(store: EntraStore, name: str) -> Workload:
    directory = store.directory()
    found = directory.named(name)
    if found is None:
        known = ", ".join(each.name for each in directory.workloads)
        fail(f"there is no principal '{name}'; there are {known}")
    return found


def _switch(state: Path, name: str, *, enabled: bool) -> None:
    store = _open(state)
    store.set_enabled(_find(store, name).client_id, enabled)
    store.close()


def _row(store: EntraStore, workload: Workload) -> dict[str, Any]:
    expiry = store.credentials(workload.client_id).expiry(time.time())
    return {
        "name": workload.name,
        "kind": workload.kind.value,
        "tier": workload.tier,
        "owner": workload.owner,
        "roles": {
            each.api: sorted(each.roles)
            for each in store.directory().assignments
            if each.workload == workload.name
        },
        "enabled": store.is_enabled(workload),
        "credentialExpiry": None if expiry is None else _day(expiry),
    }


def _day(epoch_seconds: float) -> str:
    return datetime.fromtimestamp(epoch_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
