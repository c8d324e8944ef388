"""`mandate inbox`: the mails that flows sent to a person of the local directory."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hybridmandate.cli.acting import APPROVER, PersonOption, as_person, chosen
from hybridmandate.cli.terminal import DEFAULT_STATE, JsonOption, StateOption, print_json


def inbox(
    number: Annotated[
        int | None,
        typer.Option("--number", "-n", min=1, help="Show this one whole, as the list counts."),
    ] = None,
    person: PersonOption = APPROVER,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """List the mails of a person, newest first, or show one of them.

    Examples:

        mandate inbox --as ada@contoso.example

        mandate inbox --number 1
    """
    mails = as_person(person, state, lambda who: who.mails())
    if number is not None:
        mails = [chosen(mails, number, person)]
    if as_json:
        print_json(mails)
        return
    if number is not None:
        _show(mails[0])
        return
    if not mails:
        typer.echo(f"no mail for {person}")
    for position, each in enumerate(mails, start=1):
        typer.echo(f"{position}. {each['subject']}  ({_sender(each)}, {each['receivedDateTime']})")


def _show(mail: dict[str, Any]) -> None:
    recipients = ", ".join(each["emailAddress"]["address"] for each in mail["toRecipients"])
    typer.echo(f"Subject: {mail['subject']}\nFrom: {_sender(mail)}\nTo: {recipients}\n")
    typer.echo(_text(mail["body"]))
    if mail["hasAttachments"]:
        typer.echo("\n(with attachments)")


def _text(body: dict[str, Any]) -> str:
    """A body as a terminal shows it: of HTML the text, a line for each of its blocks."""
    if str(body["contentType"]).lower() != "html":
        return str(body["content"])
    from lxml import html

    if not str(body["content"]).strip():
        return ""
    lines = (str(each).strip() for each in html.fromstring(body["content"]).itertext())
    return "\n".join(each for each in lines if each)


def _sender(mail: dict[str, Any]) -> str:
    return str(mail["from"]["emailAddress"]["address"])
