"""`mandate up`: a whole hybrid solution on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridmandate.cli.terminal import (
    DEFAULT_STATE,
    JsonOption,
    SolutionOption,
    StateOption,
    fail,
    print_json,
)

if TYPE_CHECKING:
    from hybridmandate.local.machine import LocalRun
    from hybridmandate.local.run_plan import RunPlan


def up(
    solution: SolutionOption = Path(),
    state: StateOption = DEFAULT_STATE,
    environment: Annotated[
        str, typer.Option("--environment", "-e", help="Which environment of the solution.")
    ] = "local",
    as_json: JsonOption = False,
) -> None:
    """Boot a solution on this machine and print where things are; Ctrl-C stops it.

    Example: mandate up --solution examples/vendor-invoices
    """
    from hybridmandate.local.supervisor import RunFailed

    run = prepared(solution, environment, state)
    try:
        asyncio.run(_serve(run, as_json=as_json))
    except RunFailed as failed:
        fail(str(failed))


def prepared(solution: Path, environment: str, state: Path) -> LocalRun:
    """A prepared run, or the end of the command with what is wrong."""
    from hybridmandate.local.machine import AlreadyRunning, LocalRun, VariableUnset
    from hybridmandate.local.solution_check import solution_findings
    from hybridmandate.manifest import SolutionRefused, load_solution

    try:
        findings = solution_findings(load_solution(solution))
        if findings:
            raise SolutionRefused(findings)
        return LocalRun.prepare(solution, environment, state)
    except SolutionRefused as refused:
        fail(f"the solution does not load:\n{refused}")
    except (AlreadyRunning, VariableUnset) as refused:
        fail(str(refused))


async def _serve(run: LocalRun, *, as_json: bool) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(each, stopped.set)
        except NotImplementedError:  # Windows: Ctrl-C arrives as KeyboardInterrupt
            break
    try:
        await run.start()
        _print_places(run.machine.plan, as_json=as_json)
        failing = asyncio.create_task(run.supervisor.wait())
        waiting = asyncio.create_task(stopped.wait())
        telling = asyncio.create_task(_tell(run.machine.plan, "gateway"))
        await asyncio.wait({failing, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        telling.cancel()
        if failing.done():
            failing.result()
        failing.cancel()
    except (KeyboardInterrupt, asyncio.CancelledError):
        pass
    finally:
        await run.stop()
        if not as_json:
            typer.echo("stopped; state is kept, remove its folder to forget everything")


async def _tell(plan: RunPlan, process: str) -> None:
    """Pass on what a process says, such as that changed policies could not be used."""
    from hybridmandate.local.log_lines import new_lines

    async for line in new_lines(plan.folder.log(process)):
        typer.echo(f"{process}: {line}", err=True)


def _print_places(plan: RunPlan, *, as_json: bool) -> None:
    from hybridmandate.local.run_plan import PRIVATE, TCP

    places = {name: plan.origin(name) for name in TCP}
    places |= {name: plan.backend(name) for name in PRIVATE}
    if as_json:
        print_json({"state": plan.state, "places": places})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{Path(plan.solution).name} is up", title_justify="left")
    table.add_column("what")
    table.add_column("where", overflow="fold")
    for name, place in places.items():
        table.add_row(name, place)
    table.add_row("state", plan.state)
    Console().print(table)
    typer.echo("Drop a file: mandate run InvoiceIntake --file FILE.  Ctrl-C stops.")
