"""Reference pages that are written from the code: commands, failure types, operations.

The pages are committed; a test fails when one of them no longer says what the code says, and
`mandate docs --renew` writes them anew.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from hybridmandate.contracts import FAILURES, Operation
from hybridmandate.contracts.openapi import failure_types_of


def pages() -> dict[str, Callable[[], str]]:
    """The generated pages: path below docs, and what writes each."""
    return {
        "reference/commands.md": commands_page,
        "reference/failures.md": failures_page,
        "reference/manifest.md": manifest_page,
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


def manifest_page() -> str:
    """Every table and key of `mandate.toml` and of an environment's file."""
    from hybridmandate.manifest import Environment, Solution

    lines = [
        "# The manifest",
        "",
        "`mandate.toml` and `environments/*.toml`. Unknown keys are refused; `mandate check` names "
        "file, line and what to write instead. NAME stands for a name of your own.",
        "",
        "Two environment variables serve all commands: `MANDATE_SOLUTION` (the solution's folder) "
        "and `MANDATE_STATE` (the state folder).",
        "",
    ]
    for title, model in (("mandate.toml", Solution), ("environments/*.toml", Environment)):
        lines += [f"## {title}", ""]
        for path, part in _tables(model, ""):
            lines += [f"### [{path}]" if path else "### top level", ""]
            lines += [inspect.cleandoc(part.__doc__ or "").replace("``", "`"), ""]
            lines += ["| key | type | default |", "| --- | --- | --- |"]
            lines += [_key_row(name, field) for name, field in part.model_fields.items()]
            lines.append("")
    return "\n".join(lines)


def _tables(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    """A model and the models below it, each with its dotted path."""
    plain = [f for f in model.model_fields.values() if _inner(f.annotation)[0] is None]
    if plain:
        yield path, model
    for name, field in model.model_fields.items():
        inner, named = _inner(field.annotation)
        if inner is not None:
            below = f"{path}.{name}" if path else name
            yield from _tables(inner, f"{below}.NAME" if named else below)


def _inner(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The model of a field, and whether it stands under names of its own."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    if get_origin(annotation) is dict:
        return _inner(get_args(annotation)[1])[0], True
    return None, False


def _key_row(name: str, field: FieldInfo) -> str:
    shown = field.alias or name
    if field.is_required():
        default = "required"
    elif field.default_factory is not None or field.default in ((), None):
        default = ""
    else:
        default = f"`{getattr(field.default, 'value', field.default)}`"
    inner, named = _inner(field.annotation)
    kind = ("tables, by name" if named else "table") if inner else _type_name(field.annotation)
    return f"| `{shown}` | {kind} | {default if inner is None else ''} |"


def _type_name(annotation: Any) -> str:
    """A type in words: choices are listed."""
    origin = get_origin(annotation)
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in get_args(annotation))
    if origin is Annotated:
        return _type_name(get_args(annotation)[0])
    if origin is tuple:
        return f"list of {_type_name(get_args(annotation)[0])}"
    if origin is dict:
        return f"table of {_type_name(get_args(annotation)[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(f"`{each.value}`" for each in annotation)
    words = {str: "text", int: "whole number", bool: "true or false", float: "number"}
    return words.get(annotation, "any value")


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
    return f"| {name} | {text} | {_default(parameter)} |"


def _default(parameter: Any) -> str:
    """The default as the option shows it: in words where it has some, never a machine's path."""
    words = getattr(parameter, "show_default", None)
    if isinstance(words, str):
        return words
    default = parameter.default
    return f"`{default}`" if default and not callable(default) else ""
