"""`mandate flow runs|cancel|record`: the runs of a solution that is up."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from hybridmandate.cli.run import connected
from hybridmandate.cli.terminal import DEFAULT_STATE, JsonOption, StateOption, fail, print_json

if TYPE_CHECKING:
    from rich.table import Table

    from hybridmandate.local.flows_client import FlowsClient

RunArgument = Annotated[
    str, typer.Argument(help="Id of a run, or its beginning, as `mandate flow runs` lists it.")
]
ID_SHOWN = 12
"""How much of a run's id the list shows; any beginning that only one run has names it."""
WIDE = 120
"""Columns of a terminal from which correlation ids are shown as well."""
T = TypeVar("T")


def runs(
    run: Annotated[str, typer.Argument(help="A run, to see its actions; else all runs.")] = "",
    flow: Annotated[str, typer.Option("--flow", "-f", help="Only runs of this flow.")] = "",
    status: Annotated[
        str, typer.Option("--status", help="Only runs that are Running, Failed, Succeeded …")
    ] = "",
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """List the runs of a solution that is up, newest first, or the actions of one run.

    Examples:

        mandate flow runs --status Running

        mandate flow runs 6e3b0c7d
    """
    if run:
        found = _asked(state, lambda flows: _whole(flows, run))
        if as_json:
            print_json(found)
            return
        _print_run(found)
        return
    listed = [
        each
        for each in _asked(state, lambda flows: flows.runs(flow or None))
        if not status or each["status"].lower() == status.lower()
    ]
    if as_json:
        print_json(listed)
        return
    if not listed:
        typer.echo("there are no such runs" if flow or status else "no flow has run yet")
        return
    _print(_run_table(listed))


def cancel(
    run: RunArgument,
    reason: Annotated[
        str, typer.Option("--reason", "-r", help="Why; it stands in the run and in the evidence.")
    ] = "cancelled by the operator",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """End a run that goes on: it becomes Cancelled, and the evidence says who asked, and why.

    Calls that were sent are not taken back.

    Example: mandate flow cancel 6e3b0c7d --reason "ordered twice"
    """

    async def end(flows: FlowsClient) -> str:
        found = await _only(flows, run)
        await flows.cancel(found["id"], reason)
        return str(found["id"])

    typer.echo(f"cancelled {_asked(state, end)}")


def record(
    run: RunArgument,
    to: Annotated[Path, typer.Option("--to", help="File to write, such as runs/one.json.")],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Write a run that has ended as a file, which a flow test replays.

    Values that were secured are not in the history, and not in the file.

    Example: mandate flow record 6e3b0c7d --to runs/one.json
    """
    from hybridmandate.local.flows_client import ENDED
    from hybridmandate.orchestration.testing.replay import export_run

    found = _asked(state, lambda flows: _whole(flows, run))
    if found["status"] not in ENDED:
        fail(f"the run is {found['status']}; record it when it has ended")
    cut = [each["name"] for each in found["actions"] if _is_cut(each)]
    if cut or _is_cut({"inputs": found["trigger"]}):
        places = ", ".join(cut) or "its trigger"
        fail(f"the history keeps values up to 64 KiB, and of {places} only the beginning")
    history = export_run(
        run_id=found["id"],
        status=found["status"],
        correlation_id=found["correlationId"],
        trigger=found["trigger"],
        records=found["actions"],
    )
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(json.dumps(history, indent=2) + "\n", "utf-8")
    typer.echo(f'{to}: replay it with flow("{found["flow"]}").replay("{to}")')


def _asked(state: Path, ask: Callable[[FlowsClient], Awaitable[T]]) -> T:
    """What the flows process answers, or the end of the command."""
    import httpx

    from hybridmandate.local.flows_client import FlowsRefused

    async def connect_and_ask() -> T:
        machine = connected(state)
        try:
            return await ask(machine.flows)
        finally:
            await machine.close()

    try:
        return asyncio.run(connect_and_ask())
    except FlowsRefused as refused:
        fail(str(refused))
    except (httpx.HTTPError, OSError) as error:
        fail(f"{error}: is the solution up? mandate up --state {state}")


async def _only(flows: FlowsClient, beginning: str) -> dict[str, Any]:
    """The run whose id begins so."""
    found = [each for each in await flows.runs() if each["id"].startswith(beginning)]
    if not found:
        fail(f"there is no run '{beginning}'; `mandate flow runs` lists them")
    if len(found) > 1:
        fail(f"{len(found)} runs begin with '{beginning}': write more of the id")
    return found[0]


async def _whole(flows: FlowsClient, beginning: str) -> dict[str, Any]:
    return await flows.run((await _only(flows, beginning))["id"])


def _is_cut(record: Mapping[str, Any]) -> bool:
    """Whether the history kept only the beginning of a value."""
    values = (record.get("inputs"), record.get("outputs"))
    return any(isinstance(each, Mapping) and each.get("truncated") is True for each in values)


def _print(table: Table) -> None:
    from rich.console import Console

    Console(highlight=False).print(table)


def _run_table(runs: list[dict[str, Any]]) -> Table:
    from rich.console import Console
    from rich.table import Table

    wide = Console().width >= WIDE
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("run", "flow", "status", "started (UTC)", "took"):
        table.add_column(title, no_wrap=title != "flow", overflow="fold")
    if wide:
        table.add_column("correlation id", no_wrap=True)
    now = time.time()
    for each in runs:
        begun = datetime.fromtimestamp(each["startedAt"], UTC)
        took = _duration((each["endedAt"] or now) - each["startedAt"])
        cells = [each["id"][:ID_SHOWN], each["flow"], each["status"], f"{begun:%m-%d %H:%M:%S}"]
        table.add_row(*cells, took, *([each["correlationId"] or ""] if wide else []))
    return table


def _print_run(run: Mapping[str, Any]) -> None:
    from rich.table import Table

    typer.echo(f"{run['flow']}: {run['status']}  correlation id {run['correlationId']}")
    if run["error"]:
        typer.echo(f"{run['error'].get('code')}: {run['error'].get('message')}")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("action", "status", "took", "what happened"):
        table.add_column(title)
    for each in run["actions"]:
        if each["status"] != "Skipped":
            place = f"[{'.'.join(map(str, each['at']))}]" if each["at"] else ""
            table.add_row(
                each["name"] + place, each["status"], _duration(_seconds(each)), _happened(each)
            )
    _print(table)
    skipped = sum(each["status"] == "Skipped" for each in run["actions"])
    if skipped:
        typer.echo(f"{skipped} skipped actions are left out; --json has all")


def _happened(record: Mapping[str, Any]) -> str:
    """The error of an action that failed, else what it calls."""
    error = record.get("error") or {}
    attempts = f" (attempt {record['attempt']})" if record.get("attempt", 1) > 1 else ""
    operation = str(record.get("operation") or "").rpartition(".")[2]
    return str(error.get("message") or operation) + attempts


def _seconds(record: Mapping[str, Any]) -> float:
    begun = datetime.fromisoformat(record["startTime"])
    ended = datetime.fromisoformat(record["endTime"]) if record.get("endTime") else None
    return ((ended or datetime.now(UTC)) - begun).total_seconds()


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count)[:16]
