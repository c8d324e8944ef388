"""`mandate policy coverage`: which policy documents of a folder would load and run here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hybridmandate.cli.terminal import JsonOption, fail, print_json


def coverage(
    folder: Annotated[Path, typer.Argument(help="Folder with policy documents, at any depth.")],
    as_json: JsonOption = False,
) -> None:
    """Say which policy documents of a folder load here, and which expressions do not evaluate.

    Example: mandate policy coverage exported-policies
    """
    from hybridmandate.governance.gateway.policy_coverage import cover_policies

    if not folder.is_dir():
        fail(f"{folder} is not there", code=2)
    found = cover_policies(folder)
    told = found.to_json()
    if as_json:
        print_json(told)
        return
    for each in found.documents:
        rule = each.refused_by
        if rule is not None:
            typer.echo(f"refused by rule: {each.path}: {each.reason} ({rule.statement})")
        elif not each.loads:
            typer.echo(f"does not load: {each.path}: {each.reason}")
        for line, reason in each.failed:
            typer.echo(f"does not evaluate: {each.path}:{line}: {reason}")
    typer.echo(
        f"\n{told['documents']} documents ({told['repeated']} repetitions left out): "
        f"{told['load']} load, {told['refusedByRule']} API Management would refuse too; "
        f"{told['expressions']} expressions: {told['evaluate']} evaluate\n"
        f"{told['templates']} templates, filled in: {told['templatesThatLoad']} load, "
        f"{told['templatesRefusedByRule']} refused by rule; "
        f"{told['templateExpressions']} expressions: "
        f"{told['templateExpressionsThatEvaluate']} evaluate"
    )
