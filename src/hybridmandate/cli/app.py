"""The commands of `mandate`, gathered from their modules."""

from __future__ import annotations

import typer

from hybridmandate import __version__
from hybridmandate.cli import (
    approvals,
    conformance,
    contract,
    develop,
    evidence,
    flow,
    inbox,
    normalize,
    policy,
    principal,
    profile,
    questions,
    read,
    run,
    solution,
)
from hybridmandate.cli.demo import demo
from hybridmandate.cli.trace import trace
from hybridmandate.cli.up import up

app = typer.Typer(
    name="mandate",
    help="Power Platform orchestrates, Python executes, Azure governs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mandate {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and end."
    ),
) -> None:
    """Power Platform orchestrates, Python executes, Azure governs."""


app.command("demo")(demo)
app.command("up")(up)
app.command("run")(run.run)
app.command("approvals")(approvals.approvals)
app.command("questions")(questions.questions)
app.command("inbox")(inbox.inbox)
app.command("resubmit")(run.resubmit)
app.command("call")(run.call)
app.command("trace")(trace)
app.command("check")(solution.check)
app.command("read")(read.read)
app.command("normalize")(normalize.normalize)
app.add_typer(profile.app, name="profile")
app.add_typer(flow.app, name="flow")
app.add_typer(contract.app, name="contract")
app.add_typer(policy.app, name="policy")
app.add_typer(principal.app, name="principal")
app.add_typer(evidence.app, name="evidence")
app.add_typer(conformance.app, name="conformance")
# Options that are not ours go on to pytest and to the benchmark.
_PASS_ON = {"ignore_unknown_options": True}
app.command("test", context_settings=_PASS_ON)(develop.run_tests)
app.command("bench", context_settings=_PASS_ON)(develop.bench)
app.command("docs")(develop.docs)
app.command("lock")(develop.lock)
