"""Reference pages that are written from the code: commands, failure types, operations.

The pages are committed; a test fails when one of them no longer says what the code says, and
`mandate docs --renew` writes them anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from hybridmandate.contracts import FAILURES, Operation
from hybridmandate.contracts.openapi import failure_types_of


def pages() -> dict[str, Callable[[], str]]:
    """The generated pages: path below docs, and what writes each."""
    return {
        "reference/commands.md": commands_page,
        "reference/failures.md": failures_page,
        "reference/operations.md": operations_page,
    }


def renew(folder: Path) -> list[str]:
    """Write all pages below the docs folder; returns those that changed."""
    changed = []
    for name, write in pages().items():
        path = folder / name
        text = write()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(name)
    return changed


def failures_page() -> str:
    """Every failure type with status, retry rule and meaning."""
    lines = [
        "# Failure types",
        "",
        "The one table that gateway, execution, data gateway and flows share. Every refusal, "
        "whichever tier refuses, is an outcome whose `failure.type` is one of these; a flow routes "
        "on it.",
        "",
        "| type | HTTP | retry | meaning |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{kind}` | {rule.http_status} | {rule.retry} | {rule.meaning} |"
        for kind, rule in FAILURES.items()
    ]
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Every command with its help, arguments and options."""
    from hybridmandate.cli.app import app

    lines = ["# Commands", "", "`./mandate COMMAND`; each command has `--help`.", ""]
    for name, command in _commands(typer.main.get_command(app), ""):
        lines += [f"## mandate {name}", "", (command.help or "").strip(), ""]
        rows = [_parameter(each) for each in command.params if each.name != "help"]
        if rows:
            lines += ["| argument or option | what it does | default |", "| --- | --- | --- |"]
            lines += [*rows, ""]
    return "\n".join(lines)


def operations_page() -> str:
    """Every operation of the shipped services: the contract as makers need it."""
    lines = [
        "# Operations",
        "",
        "What the shipped services offer. Each is called as `POST /exec/operations/NAME/vN` "
        "through the gateway, with a workload token and `x-correlation-id`.",
        "",
    ]
    for operation in _operations():
        limits = operation.limits
        failures = ", ".join(f"`{each}`" for each in failure_types_of(operation))
        lines += [
            f"## {operation.ref.operation} v{operation.ref.version}",
            "",
            operation.description,
            "",
            "| | |",
            "| --- | --- |",
            f"| role | `{operation.role}` |",
            f"| modes | {', '.join(sorted(operation.modes))} |",
            f"| content types | {', '.join(f'`{m}`' for m in sorted(operation.media_types))} |",
            f"| largest body | {limits.payload} |",
            f"| time | {limits.timeout}, as a job {limits.job_timeout} |",
            f"| calls per minute and client | {limits.calls_per_minute} |",
            f"| a repeated call is recognised for | {limits.replay} |",
            f"| failures | {failures} |",
            "",
        ]
    return "\n".join(lines)


def _operations() -> Iterator[Operation]:
    from hybridmandate.local.operations import shipped_operations

    yield from shipped_operations(None)


def _commands(command: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Each command with its full name; groups are looked through."""
    inner: Mapping[str, Any] | None = getattr(command, "commands", None)
    if inner is None:
        yield prefix.strip(), command
        return
    for name in sorted(inner):
        yield from _commands(inner[name], f"{prefix} {name}")


def _parameter(parameter: Any) -> str:
    if parameter.param_type_name == "option":
        name = ", ".join(f"`{each}`" for each in parameter.opts)
    else:
        name = f"`{parameter.name.upper()}`"
    text = getattr(parameter, "help", None) or ""
    default = parameter.default
    shown = f"`{default}`" if default and not callable(default) else ""
    return f"| {name} | {text} | {shown} |"
