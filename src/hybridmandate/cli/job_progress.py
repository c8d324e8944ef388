"""How far work on rows is, on standard error: a bar for a person, lines for everybody else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

ShowProgress = Callable[[Mapping[str, Any]], None]
"""Takes ``done``, ``total`` (or None) and ``unit``, as an accepted outcome carries them."""


@contextmanager
def progress_shown(*, as_json: bool) -> Iterator[ShowProgress]:
    """Shows each new progress until the block ends; never anything on standard output."""
    if as_json:
        yield _new_ones(lambda far: _line(json.dumps({"progress": dict(far)}, ensure_ascii=False)))
    elif not sys.stderr.isatty():
        yield _new_ones(lambda far: _line(progress_words(far)))
    else:
        with _bar() as show:
            yield show


def progress_words(far: Mapping[str, Any]) -> str:
    """``400000 of 1000000 rows, 380000 accepted, 20000 rejected``."""
    done = str(far["done"]) if far.get("total") is None else f"{far['done']} of {far['total']}"
    return f"{done} {far['unit']}"


def _new_ones(show: ShowProgress) -> ShowProgress:
    last: Mapping[str, Any] | None = None

    def show_new(far: Mapping[str, Any]) -> None:
        nonlocal last
        if far != last:
            last = dict(far)
            show(far)

    return show_new


def _line(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextmanager
def _bar() -> Iterator[ShowProgress]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("waiting", total=None)
        yield lambda far: bar.update(
            task, completed=far["done"], total=far.get("total"), description=progress_words(far)
        )
