"""`mandate questions`: cards and mails with options that wait for a person, and the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridmandate.cli.acting import APPROVER, NumberOption, PersonOption, as_person, chosen
from hybridmandate.cli.terminal import DEFAULT_STATE, JsonOption, StateOption, fail, print_json

if TYPE_CHECKING:
    from hybridmandate.local.person import Person


def questions(
    answer: Annotated[
        str, typer.Argument(help="A button of the question; without it, what waits is listed.")
    ] = "",
    number: NumberOption = 1,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", "-d", help="A field of a card: id=value; may be repeated."),
    ] = None,
    person: PersonOption = APPROVER,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """List the cards and mails with options that wait for a person, or answer one as that person.

    Examples:

        mandate questions

        mandate questions Submit --number 1 --data note="Checked by phone."
    """
    filled = _filled(data or [])
    if filled and not answer:
        fail("--data goes with an answer: mandate questions BUTTON --data id=value", code=2)
    waiting = as_person(person, state, lambda who: _waiting(who, answer, number, filled))
    if as_json:
        print_json(waiting)
        return
    if not waiting:
        typer.echo(f"nothing is asked of {person}")
    for position, each in enumerate(waiting, start=1):
        _show(position, each)
    if answer:
        typer.echo(f"answered number {number} as {person}: {answer}")


def _filled(data: list[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in data]
    for name, sign, _ in pairs:
        if not name or not sign:
            fail(f"'{name}': write --data id=value", code=2)
    return {name: value for name, _, value in pairs}


def _show(position: int, question: Mapping[str, Any]) -> None:
    from hybridmandate.local.questions import buttons, fields, text

    typer.echo(f"{position}. {text(question)}  (asked {question['askedDateTime']})")
    if answers := buttons(question):
        typer.echo(f"   answers: {', '.join(answers)}")
    if named := fields(question):
        typer.echo(f"   fields: {', '.join(map(str, named))}")


async def _waiting(
    person: Person, answer: str, number: int, data: Mapping[str, str]
) -> list[dict[str, Any]]:
    waiting = await person.questions()
    if answer:
        asked = chosen(waiting, number, person.mail)
        _must_fit(asked, answer, data)
        await person.reply(asked, answer, data)
    return waiting


def _must_fit(asked: Mapping[str, Any], answer: str, data: Mapping[str, str]) -> None:
    """End the command when the question has no such button or field."""
    from hybridmandate.local.questions import buttons, fields

    known = buttons(asked)
    if known and answer not in known:
        fail(f"'{answer}' is no button of it; there are: {', '.join(known)}")
    unknown = sorted(set(data) - {each.id for each in fields(asked)})
    if unknown:
        listed = ", ".join(str(each) for each in fields(asked)) or "none"
        fail(f"it has no field '{unknown[0]}'; there are: {listed}")
