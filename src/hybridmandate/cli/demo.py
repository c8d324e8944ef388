"""`mandate demo`: the main job end to end, shown."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hybridmandate.cli.terminal import JsonOption, fail, print_json
from hybridmandate.cli.up import prepared

if TYPE_CHECKING:
    from rich.table import Table

    from hybridmandate.local.demonstration import Demonstration, FileStory
    from hybridmandate.local.machine import LocalRun
    from hybridmandate.local.refusals import Refusal

EXAMPLE = Path(__file__).parents[3] / "examples" / "vendor-invoices"
STATE = Path(".mandate") / "demo"
MOST_INTERESTING = "09-above-threshold.xlsx"


def demo(
    solution: Annotated[
        Path,
        typer.Option(
            "--solution",
            "-s",
            help="Folder of the solution to show.",
            show_default="the shipped example",
        ),
    ] = EXAMPLE,
    state: Annotated[
        Path, typer.Option("--state", help="State folder; emptied when the demo starts.")
    ] = STATE,
    as_json: JsonOption = False,
) -> None:
    """Boot the example, drop its files, follow each to its end, show refusals and a replay.

    Example: mandate demo
    """
    from hybridmandate.local.demonstration import DemonstrationFailed
    from hybridmandate.local.supervisor import RunFailed

    if state.exists():
        if not (state / "run.json").is_file() and any(state.iterdir()):
            fail(f"'{state}' holds other files; the demo empties its state folder: name another")
        shutil.rmtree(state)
    run = prepared(solution, "local", state)
    try:
        asyncio.run(_demonstrate(run, as_json=as_json))
    except (RunFailed, DemonstrationFailed) as failed:
        fail(str(failed))


async def _demonstrate(run: LocalRun, *, as_json: bool) -> None:
    from hybridmandate.local.demonstration import Demonstration

    started = time.monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"  {time.monotonic() - started:5.1f} s  {text}\n")
        sys.stderr.flush()

    try:
        say("starting identity, Dataverse, office, gateway, execution, data gateway, flows")
        await run.start()
        say("everything is ready")
        shown = Demonstration(run.machine, say)
        stories = await shown.files(run.machine.boot.folder.samples)
        interesting = _interesting(stories)
        say("calls that must be refused")
        refusals = await shown.refusals()
        say(f"replay of {stories[0].name}")
        unchanged = await shown.replay(stories[0])
    finally:
        say("stopping")
        await run.stop()
    if as_json:
        _print_json(shown, refusals, unchanged)
    else:
        _print(run, stories, interesting, refusals, unchanged)
    wrong = [each.name for each in refusals if not each.refused]
    if wrong:
        fail(f"not refused with evidence: {', '.join(wrong)}")
    if not unchanged:
        fail("the replay changed business rows or the ledger")


def _interesting(stories: list[FileStory]) -> FileStory:
    named = [story for story in stories if story.name == MOST_INTERESTING]
    return named[0] if named else max(stories, key=lambda story: story.rejected or 0)


def _print_json(shown: Demonstration, refusals: list[Refusal], unchanged: bool) -> None:
    from dataclasses import asdict

    print_json(
        {
            "files": [asdict(story) for story in shown.stories],
            "answeredApprovals": shown.answered,
            "refusals": [{**asdict(each), "refused": each.refused} for each in refusals],
            "replayChangedNothing": unchanged,
        }
    )


def _print(
    run: LocalRun,
    stories: list[FileStory],
    interesting: FileStory,
    refusals: list[Refusal],
    unchanged: bool,
) -> None:
    from rich.console import Console

    from hybridmandate.cli.trace import trace

    console = Console()
    console.print(_files_table(stories))
    console.print(f"\n[bold]The most interesting one: {interesting.name}[/bold]")
    trace(interesting.correlation_id, state=Path(run.machine.plan.state), as_json=False)
    console.print(_refusals_table(refusals))
    verdict = "nothing changed" if unchanged else "SOMETHING CHANGED"
    console.print(f"\nReplay of {stories[0].name} under the same correlation id: {verdict}.")
    console.print(
        f"Look further: mandate trace {interesting.correlation_id} --state {run.machine.plan.state}"
        f"\n              mandate evidence verify --state {run.machine.plan.state}",
        soft_wrap=True,
    )


def _files_table(stories: list[FileStory]) -> Table:
    table = _table(
        "What became of each file",
        {"file": 26, "rows": 4, "acc.": 4, "rej.": 4, "comm.": 5, "state": 9, "s": 4},
        right={"rows", "acc.", "rej.", "comm.", "s"},
    )
    for story in stories:
        counts = (story.rows_in, story.accepted, story.rejected, story.committed)
        failed = f": {story.failure_type}" if story.failure_type else ""
        table.add_row(
            story.name,
            *("–" if count is None else str(count) for count in counts),
            f"{story.state}{failed}",
            f"{story.seconds:.1f}",
        )
    return table


def _refusals_table(refusals: list[Refusal]) -> Table:
    table = _table(
        "\nWhat is refused, and the evidence of it",
        {"call": 30, "HTTP": 4, "failure type": 17, "evidence": 12, "reason": 0},
        right=set(),
    )
    for each in refusals:
        table.add_row(
            each.name,
            str(each.status),
            each.failure_type or "NOT REFUSED",
            each.evidence or "NO EVIDENCE",
            each.reason or "",
        )
    return table


def _table(title: str, widths: dict[str, int], *, right: set[str]) -> Table:
    """A table that fits a terminal of 80 columns; ``widths`` are the least ones by column."""
    from rich.table import Table

    table = Table(
        title=title,
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="dim",
    )
    for name, width in widths.items():
        table.add_column(
            name,
            no_wrap=True,
            overflow="ellipsis",
            min_width=width or None,
            justify="right" if name in right else "left",
        )
    return table
