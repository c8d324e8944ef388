"""`mandate questions`: cards and mails with options that wait for a person, and the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridmandate.cli.run import connected
from hybridmandate.cli.terminal import DEFAULT_STATE, JsonOption, StateOption, fail, print_json

if TYPE_CHECKING:
    from hybridmandate.local.person import Person


def questions(
    answer: Annotated[
        str, typer.Argument(help="A button of the question; without it, what waits is listed.")
    ] = "",
    number: Annotated[
        int, typer.Option("--number", "-n", min=1, help="Which one, as the list counts them.")
    ] = 1,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", "-d", help="A field of a card: id=value; may be repeated."),
    ] = None,
    person: Annotated[
        str, typer.Option("--as", help="Who answers: a mail address of the directory.")
    ] = "controller@contoso.example",
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
    waiting = asyncio.run(_ask(person, answer, number, filled, state))
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


async def _ask(
    mail: str, answer: str, number: int, data: Mapping[str, str], state: Path
) -> list[dict[str, Any]]:
    import httpx

    from hybridmandate.local.person import PersonRefused

    machine = connected(state)
    try:
        person = machine.person(mail)
        waiting = await person.questions()
        if answer:
            await _answer(person, waiting, answer, number, data)
        return waiting
    except KeyError:
        fail(f"nobody in the local directory has the address '{mail}'")
    except PersonRefused as refused:
        fail(str(refused))
    except httpx.HTTPError as error:
        fail(f"{error}: is the solution up? mandate up --state {state}")
    finally:
        await machine.close()


async def _answer(
    person: Person,
    waiting: list[dict[str, Any]],
    answer: str,
    number: int,
    data: Mapping[str, str],
) -> None:
    from hybridmandate.local.questions import buttons, fields

    if number > len(waiting):
        fail(f"there is no number {number}: {len(waiting)} wait for {person.mail}")
    asked = waiting[number - 1]
    known = buttons(asked)
    if known and answer not in known:
        fail(f"'{answer}' is no button of it; there are: {', '.join(known)}")
    unknown = sorted(set(data) - {each.id for each in fields(asked)})
    if unknown:
        listed = ", ".join(str(each) for each in fields(asked)) or "none"
        fail(f"it has no field '{unknown[0]}'; there are: {listed}")
    await person.reply(asked, answer, data)
