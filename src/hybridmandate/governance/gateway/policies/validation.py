"""What the validation policies share: actions, error lists, statuses.

Source: "Validation errors" of the validation policies' error reference (learn.microsoft.com,
validation-policies).

``prevent`` refuses with 400 in inbound and 502 in outbound; the public text of a response error
tells nothing of the content. ``detect`` only keeps the errors, ``ignore`` does nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from hybridmandate.governance.gateway.errors import PolicyError
from hybridmandate.governance.gateway.exchange import Exchange
from hybridmandate.governance.gateway.registry import Section

ACTIONS = ("ignore", "prevent", "detect")
HIDDEN = "The request could not be processed due to an internal error. Contact the API owner."


@dataclass(frozen=True, slots=True)
class Violation:
    """One error as it stands in the errors variable.

    ``type`` and ``rule`` are words of the error reference; ``reason`` is LastError's (chosen: the
    reference has one for all of a section, which would not tell them apart).
    """

    name: str
    type: str
    rule: str
    details: str
    action: str
    reason: str
    definition: str = ""
    """Where a body breaks a schema: which, and of which content type; for LastError."""

    @property
    def message(self) -> str:
        """What LastError says."""
        if not self.definition:
            return self.details
        place = f"{self.name}: " if self.name else ""
        return f"{self.definition}\n\n{place}{self.details}"

    def as_value(self) -> dict[str, str]:
        """The members that expressions read."""
        return {
            "Name": self.name,
            "Type": self.type,
            "ValidationRule": self.rule,
            "Details": self.details,
            "Action": self.action,
        }


def settle(
    exchange: Exchange, violations: list[Violation], variable: str | None, section: Section
) -> None:
    """Keep the errors in their variable, and refuse when one of them says prevent."""
    if violations and variable is not None:
        known = exchange.variables.get(variable)
        earlier = known if isinstance(known, list) else []
        exchange.variables[variable] = earlier + [each.as_value() for each in violations]
    prevented = [each for each in violations if each.action == "prevent"]
    if not prevented:
        return
    first = prevented[0]
    if section is Section.INBOUND:
        raise PolicyError(400, first.reason, first.message)
    raise PolicyError(502, first.reason, first.message, public=HIDDEN)
