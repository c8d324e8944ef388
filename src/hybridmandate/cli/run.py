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

from hybridmandate.cli.terminal import (
    DEFAULT_STATE,
    JsonOption,
    StateOption,
    fail,
    print_json,
)

if TYPE_CHECKING:
    from hybridmandate.local.machine import Machine

WAIT_SECONDS = 120.0
POLL_SECONDS = 0.2


def run(
    flow: Annotated[str, typer.Argument(help="Name of the flow.")],
    file: Annotated[Path, typer.Option("--file", "-f", help="File to drop for it.", exists=True)],
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

    A run that waits for a person is shown as waiting; answer it, or let --wait run out.

    Example: mandate run InvoiceIntake --file samples/01-clean.csv
    """
    content = file.read_bytes()
    ended = asyncio.run(_drop_and_follow(flow, file.name, content, person, wait, state))
    if as_json:
        print_json(ended)
    else:
        typer.echo(
            f"{ended['flow']}: {ended['status']}  correlation id {ended['correlationId']}\n"
            f"mandate trace {ended['correlationId']} --state {state}"
        )
    if ended["status"] in ("Failed", "TimedOut", "Cancelled"):
        raise typer.Exit(1)


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
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Call an operation through the gateway as a workload and print its outcome.

    Examples:

        mandate call files.store/1 --file samples/01-clean.csv

        mandate call spreadsheets.normalize/1 --body '{"handle": "f-…", "profile": "invoice"}'
    """
    name, _, version = operation.partition("/")
    if not version.isdigit():
        fail(f"'{operation}': write name/version, such as files.store/1")
    content, kind = _content(body, file)
    headers = {
        "x-correlation-id": correlation_id or str(uuid.uuid4()),
        "content-type": kind,
        **({"prefer": "respond-async"} if job else {}),
        **({"x-file-name": quote(file.name)} if file is not None else {}),
    }
    status, outcome = asyncio.run(
        _call(state, principal, f"/exec/operations/{name}/v{version}", headers, content)
    )
    if isinstance(outcome, bytes):
        sys.stdout.buffer.write(outcome)
    else:
        print_json(outcome)
    if status >= 400:
        raise typer.Exit(1)


def connected(state: Path) -> Machine:
    """The clients of the run in a state folder, or the end of the command."""
    from hybridmandate.local.machine import Machine
    from hybridmandate.local.run_plan import NotRunning, read_plan

    try:
        return Machine.connect(read_plan(state))
    except (NotRunning, OSError) as error:
        fail(f"{error}; start a solution with: mandate up --state {state}")


async def _drop_and_follow(
    flow: str, name: str, content: bytes, person: str, wait: float, state: Path
) -> dict[str, Any]:
    import httpx

    from hybridmandate.local.flows_client import ENDED
    from hybridmandate.local.person import PersonRefused

    machine = connected(state)
    try:
        known = {each["id"] for each in await machine.flows.runs(flow)}
        library = next(iter(machine.boot.environment.libraries.values()))
        await machine.person(person).drop(library.site, library.folders[0], name, content)
        deadline = time.monotonic() + max(wait, 10.0)
        while time.monotonic() < deadline:
            new = [each for each in await machine.flows.runs(flow) if each["id"] not in known]
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


async def _call(
    state: Path, principal: str, path: str, headers: dict[str, str], content: bytes
) -> tuple[int, Any]:
    import httpx

    from hybridmandate.identity.audiences import gateway_audience

    machine = connected(state)
    plan = machine.plan
    try:
        audience = gateway_audience(machine.boot.folder.name, plan.environment)
        token = await machine.workload(principal).token(audience)
        sent = {**headers, "authorization": f"Bearer {token}"}
        answer = await machine.http.post(
            plan.origin("gateway") + path, headers=sent, content=content
        )
    except KeyError as error:
        fail(str(error.args[0]))
    except httpx.HTTPError as error:
        fail(f"the gateway did not answer: {error}; is the solution up?")
    finally:
        await machine.close()
    if answer.headers.get("content-type", "").startswith("application/json"):
        return answer.status_code, answer.json()
    return answer.status_code, answer.content


def _content(body: str, file: Path | None) -> tuple[bytes, str]:
    if file is not None:
        if not file.is_file():
            fail(f"there is no file '{file}'")
        return file.read_bytes(), mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    text = sys.stdin.read() if body == "-" else body or "{}"
    try:
        json.loads(text)
    except ValueError as error:
        fail(f"--body is not JSON: {error}")
    return text.encode(), "application/json"
