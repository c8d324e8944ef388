"""`mandate approvals`: what waits for a person, and the person's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridmandate.cli.acting import APPROVER, NumberOption, PersonOption, as_person, chosen
from hybridmandate.cli.terminal import DEFAULT_STATE, JsonOption, StateOption, fail, print_json

if TYPE_CHECKING:
    from hybridmandate.local.person import Person

BASIC = ["Approve", "Reject"]


def approvals(
    answer: Annotated[
        str,
        typer.Argument(
            help="approve, reject or one of its own options; without it, what waits is listed."
        ),
    ] = "",
    number: NumberOption = 1,
    comments: Annotated[str, typer.Option("--comments", "-c", help="Why.")] = "",
    person: PersonOption = APPROVER,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """List the approvals that wait for a person, or answer one as that person.

    Examples:

        mandate approvals

        mandate approvals approve --number 1 --comments "The rows are fine."

        mandate approvals "Next quarter" --number 2
    """
    waiting, given = as_person(person, state, lambda who: _waiting(who, answer, number, comments))
    if as_json:
        print_json(waiting)
        return
    if not waiting:
        typer.echo(f"nothing waits for {person}")
    for position, each in enumerate(waiting, start=1):
        typer.echo(f"{position}. {each['displayName']}  (asked {each['createdDateTime']})")
        if each["responsePrompts"] != BASIC:
            typer.echo(f"   answers: {', '.join(each['responsePrompts'])}")
    if given:
        typer.echo(f"answered number {number} as {person}: {given}")


async def _waiting(
    person: Person, answer: str, number: int, comments: str
) -> tuple[list[dict[str, Any]], str]:
    """The approvals that wait, and the answer as the chosen one spells it."""
    waiting = await person.approvals()
    if not answer:
        return waiting, ""
    asked = chosen(waiting, number, person.mail)
    options = [str(each) for each in asked["responsePrompts"]]
    spelled = next((each for each in options if each.lower() == answer.lower()), None)
    if spelled is None:
        fail(f"'{answer}' is no answer to it: write {' or '.join(options)}")
    await person.answer(asked, spelled, comments)
    return waiting, spelled
