"""What waits for people in flow tests: approvals, and questions on cards and in mails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

OPTIONS = ("Approve", "Reject")


@dataclass(slots=True)
class Approval:
    """A request for a decision; ``outcome`` is None while it is open.

    ``assigned_to`` are addresses with semicolons, ``options`` the answers among which to choose,
    ``everybody`` whether all of them have to answer.
    """

    id: str
    title: str
    details: str
    assigned_to: str
    options: tuple[str, ...] = OPTIONS
    everybody: bool = False
    outcome: str | None = None
    responses: list[dict[str, Any]] = field(default_factory=list)

    @property
    def people(self) -> list[str]:
        """Who is asked."""
        return [each.strip() for each in self.assigned_to.split(";") if each.strip()]

    def decide(self, answer: str, comments: str = "", by: str | None = None) -> None:
        """Answer it as ``by``, else as the first who has not (``Approve``, ``Reject`` …).

        :raises ValueError: for another answer than those to choose among, or when it is closed.
        """
        if answer not in self.options:
            raise ValueError(f"'{answer}' is none of {', '.join(self.options)}")
        if self.outcome is not None:
            raise ValueError(f"the approval '{self.title}' is closed: {self.outcome}")
        answered = {each["responder"]["email"] for each in self.responses}
        person = by or next((each for each in self.people if each not in answered), "")
        self.responses.append(
            {"responder": {"email": person}, "approverResponse": answer, "comments": comments}
        )
        self.outcome = self._outcome(answer)

    def to_body(self) -> dict[str, Any]:
        """The approval as the connector gives it."""
        return {
            "name": self.id,
            "title": self.title,
            "details": self.details,
            "outcome": self.outcome,
            "responses": list(self.responses),
        }

    def _outcome(self, answer: str) -> str | None:
        own = self.options != OPTIONS
        if not self.everybody or (answer == "Reject" and not own):
            return answer
        if len(self.responses) < len(self.people):
            return None
        given = [str(each["approverResponse"]) for each in self.responses]
        return ", ".join(given) if own else answer


@dataclass(slots=True)
class Question:
    """A card that waits, or a mail with options; ``given`` is None while nobody has answered."""

    id: str
    people: list[str]
    options: tuple[str, ...]
    content: Any
    given: dict[str, Any] | None = None
    by: str = ""

    def answer(
        self, action: str, data: Mapping[str, Any] | None = None, by: str | None = None
    ) -> None:
        """Press the button ``action``, with what was filled in on the card.

        :raises ValueError: for another option than those of a mail, or for a second answer.
        """
        if self.options and action not in self.options:
            raise ValueError(f"'{action}' is none of {', '.join(self.options)}")
        if self.given is not None:
            raise ValueError("the question was answered before")
        self.by = by or (self.people[0] if self.people else "")
        self.given = {"action": action, "data": dict(data or {})}

    def to_body(self) -> dict[str, Any]:
        """The answer as the connector gives it: of a mail the option, of a card its data."""
        given = self.given or {}
        if self.options:
            return {"SelectedOption": given["action"], "UserEmailAddress": self.by}
        return {
            "submitActionId": given["action"],
            "data": given["data"],
            "messageId": self.id,
            "responder": {"email": self.by, "userPrincipalName": self.by},
        }
