"""Which sheet, or which defined table of a workbook, is the table: declared, the only one, or none.

Several that fit are candidates in a refusal; nothing is guessed (requirement S1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from hybridmandate.execution.services.spreadsheets.table import (
    Decision,
    Sheet,
    Unreadable,
)
from hybridmandate.execution.services.spreadsheets.workbook_reader import (
    SheetView,
    Workbook,
    outgrown,
    part_of_sheet,
)

Recognise = Callable[[Sheet], str | None]
"""Says in a few words which table a sheet holds, None when it holds none."""


@dataclass(frozen=True, slots=True)
class _Choice:
    label: str
    sheet: Sheet
    recognised: str | None


def choose_sheet(book: Workbook, wanted: str | None, recognise: Recognise) -> Sheet:
    """The sheet or defined table called ``wanted``, else the only visible one that is recognised.

    :raises Unreadable: ``sheet.missing``, ``sheet.ambiguous`` with the candidates, ``file.empty``,
        or what the workbook itself is refused for.
    """
    choices = list(_choices(book, wanted, recognise))
    if not choices and wanted is not None:
        raise Unreadable(
            "sheet.missing",
            f"the workbook has no sheet or table '{wanted}' with cells",
            list(book.marks.sheets)[:20],
        )
    if not choices:
        raise Unreadable("file.empty", "the workbook holds no visible sheet with cells")
    fitting = [each for each in choices if each.recognised is not None]
    if len(fitting) > 1:
        raise Unreadable(
            "sheet.ambiguous",
            f"{len(fitting)} tables of the workbook can be meant: declare which",
            [f"{each.label}: {each.recognised}" for each in fitting[:20]],
        )
    chosen = fitting[0] if fitting else choices[0]
    notes = [*book.notes(), *chosen.sheet.notes]
    others = [each.label for each in choices if each is not chosen][:20]
    if others and wanted is None:
        why = "the only one with such a table" if fitting else "the first with cells"
        message = f"read {chosen.label}, {why}, not {', '.join(others)}"
        notes.append(Decision.of("sheet.chosen", message, []))
    return replace(chosen.sheet, notes=tuple(notes))


def _choices(book: Workbook, wanted: str | None, recognise: Recognise) -> Iterator[_Choice]:
    """Visible sheets that hold anything, or what is wanted; in the order of the workbook."""
    marks = book.marks
    if wanted is not None and wanted in marks.sheets:
        view = book.view(wanted)
        # A declared sheet is taken whole: its defined tables have names of their own.
        yield from [] if view is None else [_Choice(f"sheet '{wanted}'", view.sheet, "declared")]
        return
    for name in marks.sheets:
        if name in marks.hidden and wanted is None:
            continue
        view = book.view(name)
        if view is None:
            continue
        if wanted is not None:
            yield from _declared_table(view, wanted)
            continue
        yield from _of_sheet(view, recognise)


def _declared_table(view: SheetView, wanted: str) -> Iterator[_Choice]:
    for table in view.tables:
        if table.name == wanted:
            yield _Choice(f"table '{wanted}'", part_of_sheet(view, table), "declared")


def _of_sheet(view: SheetView, recognise: Recognise) -> Iterator[_Choice]:
    parts = [
        _choice(
            f"table '{table.name}' on sheet '{view.name}'", part_of_sheet(view, table), recognise
        )
        for table in view.tables
        if not outgrown(view, table)
    ]
    recognised = [each for each in parts if each.recognised is not None]
    if recognised:
        yield from recognised
    else:
        yield _choice(f"sheet '{view.name}'", _with_notes(view), recognise)


def _with_notes(view: SheetView) -> Sheet:
    grown: Sequence[str] = [t.name for t in view.tables if outgrown(view, t)]
    if not grown:
        return view.sheet
    message = f"rows go on below the defined table {grown[0]!r}: the whole sheet was read"
    lines = [t.area[2] + 2 for t in view.tables if t.name == grown[0]]
    return replace(
        view.sheet, notes=(*view.sheet.notes, Decision.of("table.outgrown", message, lines))
    )


def _choice(label: str, sheet: Sheet, recognise: Recognise) -> _Choice:
    return _Choice(label, sheet, recognise(sheet))
