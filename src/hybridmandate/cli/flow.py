"""`mandate flow …`: test, run, show and measure cloud flows without a tenant, look at real runs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridmandate.cli import flow_runs
from hybridmandate.cli.terminal import JsonOption, SolutionOption, fail, print_json

if TYPE_CHECKING:
    from hybridmandate.orchestration.definition import Flow
    from hybridmandate.orchestration.definition.packages import PackagedFlow

app = typer.Typer(help="Test, run, show, measure and follow cloud flows.", no_args_is_help=True)
app.command("runs")(flow_runs.runs)
app.command("cancel")(flow_runs.cancel)
app.command("record")(flow_runs.record)

FlowArgument = Annotated[
    str, typer.Argument(help="A flow's name in the solution, or a flow file or package.")
]
PLUGIN = "hybridmandate.orchestration.testing.plugin"


@app.command("test")
def run_tests(
    solution: SolutionOption = Path(),
    arguments: Annotated[
        list[str] | None,
        typer.Argument(help="Passed to pytest; files named here are run instead of all."),
    ] = None,
) -> None:
    """Run the solution's flow tests and report what they did not reach.

    Examples:

        mandate flow test --solution examples/vendor-invoices

        mandate flow test -- -x --flow-coverage-min 90
    """
    tests, passed = solution / "tests", arguments or []
    if not tests.is_dir():
        fail(f"{tests} is not there: flow tests stand in the solution's folder 'tests'", code=2)
    named = any(Path(each.partition("::")[0]).exists() for each in passed)
    places = [] if named else [str(tests)]
    command = [sys.executable, "-m", "pytest", "-p", PLUGIN, *places, "--flow-coverage", *passed]
    # Runs the team's own tests with this very interpreter.
    raise typer.Exit(subprocess.call(command))  # noqa: S603


@app.command("run")
def run_flow(
    name: FlowArgument,
    solution: SolutionOption = Path(),
    trigger: Annotated[
        Path | None, typer.Option("--trigger", help="JSON of the trigger's outputs.")
    ] = None,
    mocks: Annotated[
        Path | None,
        typer.Option("--mocks", help="JSON object: answers by action name or operation id."),
    ] = None,
    export: Annotated[
        Path | None, typer.Option("--export", help="Write the run history to this file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run a flow once in memory; calls that are not mocked get a sample answer.

    Example: mandate flow run invoice-intake --solution examples/vendor-invoices
    """
    from hybridmandate.orchestration.testing.replay import export_run
    from hybridmandate.orchestration.testing.sample_run import run_with_samples

    flow = _flow(name, solution)
    answers = _object(mocks)
    _must_be_names(flow, answers)
    ended = run_with_samples(flow, outputs=_object(trigger) if trigger else None, mocks=answers)
    history = export_run(
        run_id=ended.id,
        status=ended.status,
        correlation_id=ended.correlation_id,
        trigger={"name": flow.trigger.name, "outputs": ended.state["trigger"]["outputs"]},
        records=ended.tracked,
    )
    if export is not None:
        export.parent.mkdir(parents=True, exist_ok=True)
        export.write_text(json.dumps(history, indent=2) + "\n", "utf-8")
    if as_json:
        print_json(history)
    else:
        for record in ended.tracked:
            place = f"[{'.'.join(map(str, record['at']))}]" if record["at"] else ""
            error = (record.get("error") or {}).get("message") or ""
            shown = error if record["status"] == "Failed" else ""
            typer.echo(f"{record['status']:10} {record['name']}{place}  {shown}".rstrip())
        typer.echo(f"run {ended.status}, {len(ended.calls)} calls answered without a network")
    if ended.status != "Succeeded":
        raise typer.Exit(1)


@app.command("show")
def show_flow(
    name: FlowArgument,
    solution: SolutionOption = Path(),
    as_diagram: Annotated[bool, typer.Option("--diagram", help="Print Mermaid.")] = False,
) -> None:
    """Print a flow as an outline that people can read.

    Example: mandate flow show invoice-intake --solution examples/vendor-invoices
    """
    from hybridmandate.orchestration.testing.outline import diagram, outline

    flow = _flow(name, solution)
    typer.echo(diagram(flow) if as_diagram else outline(flow))


@app.command("coverage")
def coverage(
    folder: Annotated[Path, typer.Argument(help="Folder, package or flow file.")],
    as_json: JsonOption = False,
) -> None:
    """Say which flows of a folder would load and run here, and why the rest would not.

    Example: mandate flow coverage exported-solutions
    """
    from hybridmandate.orchestration.definition.packages import find_flows
    from hybridmandate.orchestration.testing.flow_coverage import cover

    if not folder.exists():
        fail(f"{folder} is not there", code=2)
    found = cover(find_flows(folder))
    if as_json:
        print_json(found.to_json())
        return
    for each in found.flows:
        if not each.runs:
            typer.echo(f"does not run: {each.entry}: {each.reason}")
    simulated, mocked = found.operations()
    typer.echo(
        f"\noperations simulated: {simulated.total()}, answered by a sample: {mocked.total()}"
    )
    for operation, count in mocked.most_common(15):
        typer.echo(f"  {count:5} {operation}")
    typer.echo(
        f"\n{len(found.flows)} flows ({found.repeated} repetitions, {found.desktop} desktop flows "
        f"left out): {found.loading} load, {found.running} run"
    )


@app.command("limits")
def limits(
    name: Annotated[str, typer.Argument(help="A flow; without it all of the solution.")] = "",
    solution: SolutionOption = Path(),
    profile: Annotated[
        str, typer.Option(help="low, medium or high; else that of the environment.")
    ] = "",
    environment: Annotated[
        str, typer.Option("--environment", "-e", help="Whose profile holds.")
    ] = "local",
    as_json: JsonOption = False,
) -> None:
    """Measure flows against the platform's limits and name racy variables; 1 when one is over.

    Examples:

        mandate flow limits --solution examples/vendor-invoices

        mandate flow limits invoice-intake --environment prod
    """
    from hybridmandate.orchestration.definition.races import describe
    from hybridmandate.orchestration.limits import Profile, measure_flow

    if profile and profile not in [each.value for each in Profile]:
        fail(f"'{profile}' is no profile: low, medium or high", code=2)
    held = Profile(profile or _profile(solution, environment))
    flows = [_flow(name, solution)] if name else _all(solution)
    measured = [(flow.name, m) for flow in flows for m in measure_flow(flow, held)]
    if as_json:
        print_json(
            [
                {
                    "flow": of_flow,
                    "limit": each.limit.id,
                    "value": each.value,
                    "highest": each.highest,
                    "level": each.level,
                    "place": each.place,
                    "profile": held.value,
                }
                for of_flow, each in measured
            ]
        )
    else:
        typer.echo(f"performance profile: {held.value}")
        for of_flow, each in measured:
            typer.echo(f"{each.level:8} {of_flow}: {each}")
        for flow in flows:
            for race in describe(flow):
                typer.echo(f"warning  {flow.name}: {race}")
    if any(each.level == "over" for _, each in measured):
        raise typer.Exit(1)


def _profile(solution: Path, environment: str) -> str:
    """The performance profile of an environment; medium for a folder that is no solution."""
    from hybridmandate.manifest import SolutionRefused, load_solution

    if not (solution / "mandate.toml").is_file():
        return "medium"
    try:
        return load_solution(solution).environment(environment).flows.profile
    except SolutionRefused as refused:
        fail(f"the profile of '{environment}' cannot be read; name one with --profile:\n{refused}")


def _all(place: Path) -> list[Flow]:
    return [_loaded(each) for each in _found(place)]


def _found(place: Path) -> list[PackagedFlow]:
    from hybridmandate.orchestration.definition.packages import find_flows

    return list(find_flows(place / "flows" if (place / "flows").is_dir() else place))


def _loaded(found: PackagedFlow) -> Flow:
    from hybridmandate.orchestration.definition import DefinitionInvalid, load_flow

    if found.document is None:
        fail(f"{found.entry}: {found.fault}")
    try:
        return load_flow(found.document)
    except DefinitionInvalid as fault:
        fail(str(fault))


def _flow(name: str, solution: Path) -> Flow:
    """The flow of a name; others in the folder may be broken."""
    is_file = Path(name).exists()
    found = _found(Path(name) if is_file else solution)
    wanted = _plain(name)
    named = found if is_file else [each for each in found if _plain(_name(each)) == wanted]
    if len(named) != 1:
        listed = ", ".join(sorted(map(_name, found))) or "none"
        fail(f"{len(named)} flows are called '{name}'; there are: {listed}", code=2)
    return _loaded(named[0])


def _name(found: PackagedFlow) -> str:
    return found.document.name if found.document is not None else Path(found.entry).stem


def _plain(name: str) -> str:
    return "".join(each for each in name.lower() if each.isalnum())


def _object(path: Path | None) -> dict[str, Any]:
    """The JSON object in a file, an empty one without a file."""
    if path is None:
        return {}
    try:
        value = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        fail(f"{path}: {error}", code=2)
    if not isinstance(value, dict):
        fail(f"{path}: a JSON object is needed, this is a {type(value).__name__}", code=2)
    return value


def _must_be_names(flow: Flow, mocks: dict[str, Any]) -> None:
    from hybridmandate.orchestration.testing.operations import mock_names

    unknown = sorted(set(mocks) - mock_names(flow))
    if unknown:
        fail(f"flow '{flow.name}' has no action or operation '{unknown[0]}' to mock", code=2)
