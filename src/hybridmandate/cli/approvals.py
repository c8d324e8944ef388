"""`mandate approvals`: what waits for a person, and the person's answer."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridmandate.cli.run import connected
from hybridmandate.cli.terminal import DEFAULT_STATE, JsonOption, StateOption, fail, print_json

if TYPE_CHECKING:
    from hybridmandate.local.person import Person

ANSWERS = {"approve": "Approve", "reject": "Reject"}


def approvals(
    answer: Annotated[
        str, typer.Argument(help="approve or reject; without it, what waits is listed.")
    ] = "",
    number: Annotated[
        int, typer.Option("--number", "-n", min=1, help="Which one, as the list counts them.")
    ] = 1,
    comments: Annotated[str, typer.Option("--comments", "-c", help="Why.")] = "",
    person: Annotated[
        str, typer.Option("--as", help="Who answers: a mail address of the directory.")
    ] = "controller@contoso.example",
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
    waiting = asyncio.run(_ask(person, answer.lower(), number, comments, state))
    if as_json:
        print_json(waiting)
        return
    if not waiting:
        typer.echo(f"nothing waits for {person}")
    for position, each in enumerate(waiting, start=1):
        typer.echo(f"{position}. {each['displayName']}  (asked {each['createdDateTime']})")
    if answer:
        typer.echo(f"answered number {number} as {person}: {ANSWERS[answer.lower()]}")


async def _ask(
    mail: str, answer: str, number: int, comments: str, state: Path
) -> list[dict[str, Any]]:
    import httpx

    from hybridmandate.local.person import PersonRefused

    machine = connected(state)
    try:
        person = machine.person(mail)
        waiting = await person.approvals()
        if answer:
            await _answer(person, waiting, answer, number, comments)
        return waiting
    except KeyError:
        fail(f"nobody in the local directory has the address '{mail}'")
    except (httpx.HTTPError, PersonRefused) as error:
        fail(f"{error}: is the solution up? mandate up --state {state}")
    finally:
        await machine.close()


async def _answer(
    person: Person, waiting: list[dict[str, Any]], answer: str, number: int, comments: str
) -> None:
    if number > len(waiting):
        fail(f"there is no number {number}: {len(waiting)} wait for {person.mail}")
    await person.answer(waiting[number - 1], ANSWERS[answer], comments)
