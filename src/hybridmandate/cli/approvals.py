"""`mandate approvals`: what waits for a person, and the person's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridmandate.cli.acting import APPROVER, NumberOption, PersonOption, as_person, chosen
from hybridmandate.cli.terminal import DEFAULT_STATE, JsonOption, StateOption, fail, print_json

if TYPE_CHECKING:
    from hybridmandate.local.person import Person

ANSWERS = {"approve": "Approve", "reject": "Reject"}


def approvals(
    answer: Annotated[
        str, typer.Argument(help="approve or reject; without it, what waits is listed.")
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
    """
    if answer and answer.lower() not in ANSWERS:
        fail(f"'{answer}': write approve or reject")
    waiting = as_person(person, state, lambda who: _waiting(who, answer.lower(), number, comments))
    if as_json:
        print_json(waiting)
        return
    if not waiting:
        typer.echo(f"nothing waits for {person}")
    for position, each in enumerate(waiting, start=1):
        typer.echo(f"{position}. {each['displayName']}  (asked {each['createdDateTime']})")
    if answer:
        typer.echo(f"answered number {number} as {person}: {ANSWERS[answer.lower()]}")


async def _waiting(person: Person, answer: str, number: int, comments: str) -> list[dict[str, Any]]:
    waiting = await person.approvals()
    if answer:
        await person.answer(chosen(waiting, number, person.mail), ANSWERS[answer], comments)
    return waiting
