"""Acting as a person of the local directory, from the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from hybridmandate.cli.run import connected
from hybridmandate.cli.terminal import fail

if TYPE_CHECKING:
    from hybridmandate.local.person import Person

PersonOption = Annotated[
    str, typer.Option("--as", help="Who answers: a mail address of the directory.")
]
NumberOption = Annotated[
    int, typer.Option("--number", "-n", min=1, help="Which one, as the list counts them.")
]
APPROVER = "controller@contoso.example"
"""The person of the shipped example who is asked."""
T = TypeVar("T")


def as_person(mail: str, state: Path, act: Callable[[Person], Awaitable[T]]) -> T:
    """What somebody does at the solution that is up, or the end of the command."""
    import httpx

    from hybridmandate.local.person import PersonRefused

    async def connect_and_act() -> T:
        machine = connected(state)
        try:
            return await act(machine.person(mail))
        finally:
            await machine.close()

    try:
        return asyncio.run(connect_and_act())
    except KeyError:
        fail(f"nobody in the local directory has the address '{mail}'")
    except PersonRefused as refused:
        fail(str(refused))
    except httpx.HTTPError as error:
        fail(f"{error}: is the solution up? mandate up --state {state}")


def chosen(waiting: Sequence[dict[str, Any]], number: int, mail: str) -> dict[str, Any]:
    """The one of a number, as the list counts them, or the end of the command."""
    if number > len(waiting):
        fail(f"there is no number {number}: {len(waiting)} wait for {mail}")
    return waiting[number - 1]
