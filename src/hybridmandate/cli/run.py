"""`mandate run` and `mandate call`: use a solution that is up."""

from __future__ import annotations

import asyncio
import json
import mimetypes
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from hybridmandate.cli.job_progress import ShowProgress, progress_shown
from hybridmandate.cli.terminal import (
    DEFAULT_STATE,
    JsonOption,
    StateOption,
    fail,
    print_json,
)

if TYPE_CHECKING:
    from hybridmandate.cli.gateway_call import Answer
    from hybridmandate.local.machine import Machine

WAIT_SECONDS = 120.0
POLL_SECONDS = 0.2
ENDED_BADLY = frozenset({"Failed", "TimedOut", "Cancelled"})
STILL_RUNNING = 3
"""Exit code of a run or job that goes on after --wait."""


def run(
    flow: Annotated[str, typer.Argument(help="Name of the flow.")],
    file: Annotated[
        Path,
        typer.Option("--file", "-f", help="File to drop for it.", exists=True, dir_okay=False),
    ],
    person: Annotated[
        str, typer.Option("--as", help="Who drops the file: a mail address of the directory.")
    ] = "ada@contoso.example",
    wait: Annotated[
        float, typer.Option("--wait", help="Seconds to wait for the run to end; 0 to not wait.")
    ] = WAIT_SECONDS,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Drop a file where a flow picks it up, and follow the run that it starts.

    Shows on standard error how far a job of the run is. A run that waits for a person is shown as
    waiting; answer it, or let --wait run out.

    Ends with 0 when the run succeeded, 1 when it did not or none was started, 3 when it goes on
    after --wait; with --wait 0 always with 0 once a run is there.

    Example: mandate run InvoiceIntake --file samples/01-clean.csv
    """
    with progress_shown(as_json=as_json) as show:
        ended = asyncio.run(_drop_and_follow(flow, file, person, wait, state, show))
    if as_json:
        print_json(ended)
    else:
        typer.echo(
            f"{ended['flow']}: {ended['status']}  correlation id {ended['correlationId']}\n"
            f"mandate trace {ended['correlationId']} --state {state}"
        )
    if ended["status"] in ENDED_BADLY:
        raise typer.Exit(1)
    if wait > 0 and ended["status"] != "Succeeded":
        raise typer.Exit(STILL_RUNNING)


def resubmit(
    run_id: Annotated[str, typer.Argument(help="Id of the run, as `mandate run --json` gives it.")],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Run the same trigger again, under the same correlation id.

    Example: mandate resubmit 6e3b0c7d
    """
    from hybridmandate.local.flows_client import FlowsRefused

    async def send() -> str:
        machine = connected(state)
        try:
            return await machine.flows.resubmit(run_id)
        finally:
            await machine.close()

    try:
        typer.echo(asyncio.run(send()))
    except FlowsRefused as refused:
        fail(str(refused))


def call(
    operation: Annotated[str, typer.Argument(help="name/version, such as files.store/1.")],
    body: Annotated[str, typer.Option("--body", "-b", help="JSON, or - for standard input.")] = "",
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="File to send, for operations on files.")
    ] = None,
    principal: Annotated[
        str, typer.Option("--as", help="Service principal of the manifest that calls.")
    ] = "flow-invoice-intake",
    correlation_id: Annotated[
        str, typer.Option("--correlation-id", help="Made when left out.")
    ] = "",
    job: Annotated[bool, typer.Option("--job", help="Ask for a job instead of an answer.")] = False,
    wait: Annotated[
        float,
        typer.Option("--wait", help="Seconds to follow a job to its outcome; 0 to not follow it."),
    ] = WAIT_SECONDS,
    state: StateOption = DEFAULT_STATE,
    as_json: Annotated[
        bool, typer.Option("--json", help="Tell the progress of a job as JSON lines.")
    ] = False,
) -> None:
    """Call an operation through the gateway as a workload and print its outcome.

    A call that becomes a job is followed to its outcome; how far it is stands on standard error.

    Ends with 0 when the operation was done (also in part), 1 when the call was refused, failed or
    could not be made, 3 when the job goes on after --wait.

    Examples:

        mandate call files.store/1 --file samples/01-clean.csv

        mandate call spreadsheets.normalize/1 --body '{"handle": "f-…", "profile": "invoice"}'
    """
    name, _, version = operation.partition("/")
    if not version.isdigit():
        fail(f"'{operation}': write name/version, such as files.store/1")
    content, kind = _content(body, file)
    headers = {
        "content-type": kind,
        **({"prefer": "respond-async"} if job else {}),
        **({"x-file-name": quote(file.name)} if file is not None else {}),
    }
    path = f"/exec/operations/{name}/v{version}"
    identity = (principal, correlation_id or str(uuid.uuid4()))
    with progress_shown(as_json=as_json) as show:
        answer = asyncio.run(_call(state, identity, path, headers, content, wait, show))
    if answer.outcome is not None:
        print_json(answer.outcome)
    if answer.status >= 400:
        raise typer.Exit(1)
    if answer.status == 202 and wait > 0:
        raise typer.Exit(STILL_RUNNING)


def connected(state: Path) -> Machine:
    """The clients of the run in a state folder, or the end of the command."""
    from hybridmandate.local.machine import Machine
    from hybridmandate.local.run_plan import NotRunning, read_plan

    try:
        return Machine.connect(read_plan(state))
    except (NotRunning, OSError) as error:
        fail(f"{error}; start a solution with: mandate up --state {state}")


async def _drop_and_follow(
    flow: str, file: Path, person: str, wait: float, state: Path, show: ShowProgress
) -> dict[str, Any]:
    import httpx

    from hybridmandate.local.flows_client import ENDED
    from hybridmandate.local.person import PersonRefused

    machine = connected(state)
    try:
        known = {each["id"] for each in await machine.flows.runs(flow)}
        library = next(iter(machine.boot.environment.libraries.values()))
        content = await asyncio.to_thread(file.read_bytes)
        await machine.person(person).drop(library.site, library.folders[0], file.name, content)
        deadline = time.monotonic() + max(wait, 10.0)
        while time.monotonic() < deadline:
            new = [each for each in await machine.flows.runs(flow) if each["id"] not in known]
            if new and new[0]["correlationId"]:
                _show_latest(state, new[0]["correlationId"], show)
            if new and (new[0]["status"] in ENDED or wait <= 0):
                return new[0]
            await asyncio.sleep(POLL_SECONDS)
        if new:
            return new[0]
        fail(f"no run of '{flow}' was started by the file; see the log of flows")
    except KeyError:
        fail(f"nobody in the local directory has the address '{person}'")
    except (httpx.HTTPError, PersonRefused) as error:
        fail(f"{error}: is the solution up? mandate up --state {state}")
    finally:
        await machine.close()


def _show_latest(state: Path, correlation_id: str, show: ShowProgress) -> None:
    """The progress that a job of a run left as evidence last."""
    from hybridmandate.evidence.store import by_correlation_id, open_reader

    store = open_reader(state / "evidence" / "evidence.db")
    try:
        records = by_correlation_id(store, correlation_id)
    finally:
        store.close()
    told = [each.detail for each in records if each.kind == "job.progress"]
    if told:
        show(json.loads(told[-1]))


async def _call(
    state: Path,
    identity: tuple[str, str],
    path: str,
    headers: dict[str, str],
    content: bytes | Path,
    wait: float,
    show: ShowProgress,
) -> Answer:
    """The answer to a call, of its job when it has one; ``identity``: principal, correlation id."""
    import httpx

    from hybridmandate.cli.gateway_call import GatewayCaller
    from hybridmandate.identity.audiences import gateway_audience

    machine = connected(state)
    principal, correlation_id = identity
    try:
        caller = GatewayCaller(
            machine.http,
            machine.workload(principal),
            machine.plan.origin("gateway"),
            gateway_audience(machine.boot.folder.name, machine.plan.environment),
            correlation_id,
        )
        answer = await caller.call(path, headers, content, _write_bytes)
        return await caller.follow(answer, wait, show)
    except KeyError as error:
        fail(str(error.args[0]))
    except httpx.HTTPError as error:
        fail(f"the gateway did not answer: {error}; is the solution up?")
    finally:
        await machine.close()


def _write_bytes(chunk: bytes) -> None:
    sys.stdout.buffer.write(chunk)


def _content(body: str, file: Path | None) -> tuple[bytes | Path, str]:
    if file is not None:
        if not file.is_file():
            fail(f"there is no file '{file}'")
        return file, mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    text = sys.stdin.read() if body == "-" else body or "{}"
    try:
        json.loads(text)
    except ValueError as error:
        fail(f"--body is not JSON: {error}")
    return text.encode(), "application/json"
