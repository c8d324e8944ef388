"""`mandate contract …`: what a solution offers to makers, and who uses which version."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
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
    from hybridmandate.contracts import Registry
    from hybridmandate.contracts.connector_actions import Actions
    from hybridmandate.manifest import SolutionFolder

app = typer.Typer(help="Contracts: OpenAPI, connector, contract pages, use.", no_args_is_help=True)

HostOption = Annotated[
    str, typer.Option(help="Host name of the gateway, as the connector reaches it.")
]
AudienceOption = Annotated[
    str | None, typer.Option(help="Audience of tokens; api://<solution>/prod when left out.")
]
OutputOption = Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")]


@app.command()
def openapi(host: HostOption, solution: SolutionOption = Path()) -> None:
    """Print the OpenAPI 3 document of the operations that the solution publishes.

    Example: mandate contract openapi --host gateway.contoso.example
    """
    from hybridmandate.contracts.openapi import openapi_document

    folder = _load(solution)
    about = folder.solution.solution
    print_json(
        openapi_document(
            _published(folder),
            title=about.title,
            version=about.version,
            server_url=f"https://{host}/exec",
        )
    )


@app.command()
def specification(solution: SolutionOption = Path()) -> None:
    """Write the documents that the gateway validates against: policies/apis/{exec,data}.

    Run it when an operation, view or commit has changed. Example: mandate contract specification
    """
    import yaml

    from hybridmandate.governance.gateway.published_contracts import (
        data_document,
        execution_document,
    )

    folder = _load(solution)
    title, version = folder.solution.solution.title, folder.solution.solution.version
    documents = {
        "exec": execution_document(
            _published(folder), title=f"{title}: execution", version=version
        ),
        "data": data_document(
            folder.solution.views,
            folder.solution.commits,
            title=f"{title}: data",
            version=version,
        ),
    }
    for api, document in documents.items():
        target = folder.policies / "apis" / api / "specification.yaml"
        if not target.parent.is_dir():
            fail(f"{target.parent} is missing: the API needs its apiInformation.json first")
        # Through JSON, so that what stands in two places is written twice and not referred to.
        plain = json.loads(json.dumps(document))
        text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)
        target.write_text(text, encoding="utf-8", newline="\n")
        typer.echo(str(target))


@app.command()
def connector(
    host: HostOption,
    output: OutputOption,
    solution: SolutionOption = Path(),
    audience: AudienceOption = None,
    tenant: Annotated[str, typer.Option(help="Tenant that issues the tokens.")] = "common",
) -> None:
    """Write apiDefinition.swagger.json and apiProperties.json of the custom connector.

    Example: mandate contract connector --host gateway.contoso.example --output connectors/mandate
    """
    from hybridmandate.contracts.connector import ConnectorAbout, connector_document
    from hybridmandate.contracts.connector_check import check_connector
    from hybridmandate.contracts.connector_properties import connector_properties

    folder = _load(solution)
    about = folder.solution.solution
    document = connector_document(
        _actions(folder),
        ConnectorAbout(
            title=about.title,
            description=f"What the solution {about.title} offers behind its gateway.",
            version=about.version,
            host=host,
            tenant=tenant,
        ),
    )
    properties = connector_properties(
        resource=audience or f"api://{folder.name}/prod",
        publisher=folder.solution.owners.governance.team,
        tenant=tenant,
    )
    broken = [each for each in check_connector(document) if each.level == "error"]
    if broken:
        fail("\n".join(f"{each.place}: {each.message}. {each.advice}" for each in broken))
    output.mkdir(parents=True, exist_ok=True)
    for name, value in (
        ("apiDefinition.swagger.json", document),
        ("apiProperties.json", properties),
    ):
        text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
        (output / name).write_text(text, encoding="utf-8", newline="\n")
        typer.echo(str(output / name))


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="apiDefinition.swagger.json of a connector.")],
    as_json: JsonOption = False,
) -> None:
    """Check a custom connector's document; exit code 1 when it has an error.

    Example: mandate contract check connectors/mandate/apiDefinition.swagger.json
    """
    from hybridmandate.contracts.connector_check import check_connector

    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        fail(f"{file} cannot be read as JSON: {error}", code=2)
    findings = check_connector(document)
    if as_json:
        print_json([each.to_json() for each in findings])
    else:
        for each in findings:
            typer.echo(f"{each.level} {each.place} [{each.rule}]: {each.message}. {each.advice}")
    errors = sum(each.level == "error" for each in findings)
    if not as_json:
        typer.echo(f"{errors} errors, {len(findings) - errors} other findings")
    if errors:
        raise typer.Exit(1)


@app.command()
def page(
    host: HostOption,
    output: OutputOption,
    solution: SolutionOption = Path(),
    audience: AudienceOption = None,
) -> None:
    """Write a contract page for each operation, view and commit of the solution.

    Example: mandate contract page --host gateway.contoso.example --output docs/contracts
    """
    from hybridmandate.contracts.contract_page import contract_page

    folder = _load(solution)
    actions = _actions(folder)
    output.mkdir(parents=True, exist_ok=True)
    for each in actions.actions:
        text = contract_page(
            actions,
            each,
            gateway=f"https://{host}",
            audience=audience or f"api://{folder.name}/prod",
        )
        target = output / f"{each.operation_id}.md"
        target.write_text(text, encoding="utf-8", newline="\n")
        typer.echo(str(target))


@app.command()
def usage(
    state: StateOption = DEFAULT_STATE,
    since: Annotated[
        str | None,
        typer.Option(help="A time (2026-05-01T08:00Z) or how long ago (2 h, 30 min)."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Who called which version of a contract, when last, how often; from the evidence.

    Counts what reached the gateway, refusals included, and what the execution tier ran.

    Example: mandate contract usage --since "30 d"
    """
    from hybridmandate.evidence.store import open_reader
    from hybridmandate.governance.gateway.contract_usage import contract_usage

    since_ns = 0 if since is None else _nanoseconds(since)
    try:
        store = open_reader(state / "evidence" / "evidence.db")
    except FileNotFoundError as missing:
        fail(f"{missing}. Is --state the folder that `mandate up` printed?")
    try:
        rows = [each.to_json() for each in contract_usage(store, since_ns)]
    finally:
        store.close()
    if as_json:
        print_json(rows)
        return
    for row in rows:
        typer.echo(
            f"{row['operation']} v{row['version']}  {row['principal'] or '(nobody)'}  "
            f"{row['calls']} calls ({row['refused']} refused), {row['executed']} executed "
            f"({row['replayed']} replayed, {row['failed']} failed), last {row['last']}"
        )
    if not rows:
        typer.echo("no contract was called in that time")


def _nanoseconds(text: str) -> int:
    from hybridmandate.contracts.quantities import parse_duration

    try:
        moment = datetime.now(UTC) - timedelta(seconds=parse_duration(text))
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            fail(f"'{text}' is neither a time (2026-05-01T08:00Z) nor a duration (2 h)", code=2)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1_000_000) * 1_000


def _load(solution: Path) -> SolutionFolder:
    from hybridmandate.manifest import SolutionRefused, load_solution

    try:
        return load_solution(solution)
    except SolutionRefused as refused:
        fail("\n".join(str(finding) for finding in refused.findings))


def _published(folder: SolutionFolder) -> Registry:
    from hybridmandate.contracts import Refused, Registry
    from hybridmandate.local.operations import shipped_operations

    profiles = folder.profiles if folder.profiles.is_dir() else None
    shipped = Registry(shipped_operations(profiles, folder.solution.files.max_size))
    try:
        return Registry(shipped.find(ref) for ref in folder.solution.services.refs)
    except Refused as refused:
        fail(f"[services] of the manifest: {refused.message}")


def _actions(folder: SolutionFolder) -> Actions:
    from hybridmandate.contracts.connector_actions import (
        DeclaredCommit,
        DeclaredView,
        connector_actions,
    )

    views = [
        DeclaredView(
            name=name,
            version=each.version,
            columns=each.columns,
            filter=each.filter,
            role=each.role,
            max_rows=each.max_rows,
            types=_column_types(folder, each.table),
        )
        for name, each in folder.solution.views.items()
    ]
    commits = [
        DeclaredCommit(
            name=name,
            version=each.version,
            key=each.key,
            columns=each.columns,
            role=each.role,
            max_records=each.max_records,
            types=_column_types(folder, each.table),
        )
        for name, each in folder.solution.commits.items()
    ]
    try:
        return connector_actions(_published(folder), views=views, commits=commits)
    except KeyError as unknown:
        fail(f"the tables of the solution give no usable type for column or type {unknown}")


def _column_types(folder: SolutionFolder, table: str) -> dict[str, str]:
    path = folder.tables / f"{table}.json"
    try:
        columns = json.loads(path.read_text(encoding="utf-8"))["columns"]
    except (OSError, ValueError, KeyError) as error:
        fail(f"{path} does not describe the columns of {table}: {error}")
    return {name: str(column["type"]) for name, column in columns.items()}
