"""`mandate trace ID`: one transaction across all tiers, and the seven answers of requirement L5."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from hybridmandate.cli.terminal import DEFAULT_STATE, JsonOption, StateOption, fail, print_json

WIDE = 140
"""Columns of a terminal from which sizes, attempts and principals are shown as well."""

MANY = ("commit.record", "file.read", "token.issued")
SHOWN_ALIKE = 3

if TYPE_CHECKING:
    from rich.table import Table

    from hybridmandate.evidence.trace import Step, Trace


def trace(
    correlation_id: Annotated[str, typer.Argument(help="The transaction's correlation id.")],
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Show what happened in one transaction: timeline, failures, retries, sizes, answers.

    Example: mandate trace 5f0c6a52-8a2f-4c0e-9a3e-0d6b7c1f2e11
    """
    from hybridmandate.evidence.store import by_correlation_id, open_reader
    from hybridmandate.evidence.trace import build_trace

    try:
        store = open_reader(state / "evidence" / "evidence.db")
    except FileNotFoundError as missing:
        fail(f"{missing}. Is --state the folder that `mandate up` printed?")
    try:
        records = by_correlation_id(store, correlation_id)
    finally:
        store.close()
    if not records:
        fail(
            f"no evidence for '{correlation_id}'. The id is the value of x-correlation-id; "
            "`mandate evidence list --principal NAME` shows recent ones."
        )
    found = build_trace(correlation_id, records)
    if as_json:
        print_json(found.to_json())
        return
    show(found)


def show(found: Trace) -> None:
    """Print a trace for people; used by the demo as well."""
    from rich.console import Console
    from rich.markup import escape

    from hybridmandate.evidence.questions import answers

    console = Console(highlight=False)
    totals = found.totals()
    console.print(f"\n[bold]{escape(found.correlation_id)}[/bold]  {' → '.join(found.tiers)}")
    console.print(
        f"{totals['records']} records, {found.duration_ms:,.0f} ms, "
        f"{totals['gatewayCalls']} gateway calls, {totals['failed']} failed, "
        f"{totals['retries']} retries\n"
    )
    shown = _shown(found.steps)
    console.print(_timeline(shown, found.first_failing, wide=console.width >= WIDE))
    left_out = len(found.steps) - len(shown)
    if left_out:
        console.print(
            f"[dim]{left_out} skipped or repeated steps are left out; --json has all[/dim]"
        )
    failing = found.first_failing
    if failing is not None:
        console.print(
            f"\n[red]▶ first failing step:[/red] {escape(failing.tier)} "
            f"{escape(failing.kind)} {escape(failing.subject)} "
            f"({escape(failing.failure_type or failing.outcome)}), record {escape(failing.ref)}"
        )
    console.print()
    for number, answer in enumerate(answers(found), start=1):
        console.print(f"{number}. {escape(answer.question)} [bold]{escape(answer.answer)}[/bold]")


def _shown(steps: Sequence[Step]) -> list[Step]:
    """The steps that tell the story: without skipped ones, and few of many that are alike."""
    shown: list[Step] = []
    alike: Counter[tuple[str, str, str]] = Counter()
    for step in steps:
        key = (step.tier, step.kind, step.outcome)
        alike[key] += step.kind in MANY
        if step.outcome != "skipped" and alike[key] <= SHOWN_ALIKE:
            shown.append(step)
    return shown


def _timeline(steps: Sequence[Step], failing: Step | None, *, wide: bool) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    table.add_column("at ms", justify="right", no_wrap=True)
    table.add_column("tier", no_wrap=True)
    table.add_column("step", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("outcome", no_wrap=True)
    for title in ("took ms", "in", "out", "try") if wide else ("took ms", "out"):
        table.add_column(title, justify="right", no_wrap=True)
    if wide:
        table.add_column("principal", no_wrap=True, overflow="ellipsis", max_width=14)
    for step in steps:
        mark = "▶ " if step is failing else ""
        kind = step.kind.removeprefix(f"{step.tier}.")
        cells = [
            f"{step.offset_ms:,.0f}",
            escape(step.tier),
            escape(f"{'  ' * step.depth}{mark}{kind} {step.subject}"),
            escape(_outcome(step)),
            f"{step.duration_ms:,.1f}" if step.duration_ms else "",
        ]
        if wide:
            cells += [_size(step.bytes_in), _size(step.bytes_out)]
            cells += [str(step.attempt) if step.attempt > 1 else "", escape(step.principal or "")]
        else:
            cells.append(_size(step.bytes_out))
        table.add_row(*cells, style="red" if step.failed else None)
    return table


def _outcome(step: Step) -> str:
    return f"{step.outcome} ({step.failure_type})" if step.failure_type else step.outcome


def _size(count: int) -> str:
    if not count:
        return ""
    return f"{count} B" if count < 1024 else f"{count / 1024:,.1f} KiB"
