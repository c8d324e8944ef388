"""How a policy is declared, found by its element name, and prepared from its element.

A policy is one small class: ``__init__`` reads its element through :class:`ElementReader` when the
document is loaded, ``act`` works on a call. What a reader was not asked for is not in the policy's
documentation, and is refused.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, NoReturn, TypeVar

from hybridmandate.governance.gateway.csharp_text import starts_expression
from hybridmandate.governance.gateway.document import Element, Text
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.result_types import Wanted, wanted_by
from hybridmandate.governance.gateway.values import (
    Constant,
    Converted,
    Value,
    boolean_of,
    compile_value,
    one_of,
)

if TYPE_CHECKING:
    from hybridmandate.governance.gateway.configuration import Configuration
    from hybridmandate.governance.gateway.exchange import Exchange
    from hybridmandate.governance.gateway.steps import Steps


class Section(StrEnum):
    """The four sections of a policy document, and of on-error what LastError calls it."""

    INBOUND = "inbound"
    BACKEND = "backend"
    OUTBOUND = "outbound"
    ON_ERROR = "on-error"


ANYWHERE = frozenset(Section)
INBOUND = frozenset({Section.INBOUND})
OUTBOUND = frozenset({Section.OUTBOUND})


class Policy:
    """Base of all policies. ``act`` returns None when it is done, or something to await."""

    names: ClassVar[tuple[str, ...]] = ()
    sections: ClassVar[frozenset[Section]] = ANYWHERE
    once: ClassVar[bool] = False
    """Whether the policy may stand only once in a section or branch."""

    def __init__(self, reader: ElementReader) -> None:
        raise NotImplementedError

    def act(self, exchange: Exchange) -> Awaitable[None] | None:
        raise NotImplementedError


POLICIES: dict[str, type[Policy]] = {}
P = TypeVar("P", bound=type[Policy])


def policy(
    *names: str, sections: frozenset[Section] = ANYWHERE, once: bool = False
) -> Callable[[P], P]:
    """Register a policy class under its element names and the sections its page lists."""

    def register(cls: P) -> P:
        cls.names = names
        cls.sections = sections
        cls.once = once
        for name in names:
            POLICIES[name] = cls
        return cls

    return register


class Preparation:
    """What is known while one document is prepared: file, section, scope, configuration.

    ``within`` are the fragments that are being included, outermost first. Where ``findings`` is a
    list, policies that cannot be prepared are noted there and left out; otherwise they raise.
    """

    def __init__(
        self,
        configuration: Configuration,
        file: str,
        scope: str,
        section: Section,
        sequence: Callable[[Element, Preparation, str], Steps],
        within: tuple[str, ...] = (),
        findings: list[PolicyDocumentError] | None = None,
    ) -> None:
        self.configuration = configuration
        self.file = file
        self.scope = scope
        self.section = section
        self.sequence = sequence
        self.within = within
        self.findings = findings


class ElementReader:
    """Reads an element's attributes and children, checks them, and notes what was asked for."""

    def __init__(self, element: Element, preparation: Preparation, path: str) -> None:
        self.element = element
        self.preparation = preparation
        self.path = path
        self.reads_request_body = False
        self.reads_response_body = False
        self._attributes = {"id"}
        self._children: set[str] = set()
        self._below: list[ElementReader] = []
        self._text_read = False

    @property
    def name(self) -> str:
        """The element's name."""
        return self.element.name

    @property
    def configuration(self) -> Configuration:
        """The configuration that the document belongs to."""
        return self.preparation.configuration

    def refuse(self, reason: str, at: Text | None = None) -> NoReturn:
        """Reject the document here."""
        place = at or self.element
        raise PolicyDocumentError(self.preparation.file, place.line, place.column, reason)

    # --- attributes ---------------------------------------------------------------------------

    def attribute(self, name: str) -> Text | None:
        """The attribute as it stands."""
        self._attributes.add(name)
        return self.element.attributes.get(name)

    def required_attribute(self, name: str) -> Text:
        """The attribute, refused when it is missing."""
        found = self.attribute(name)
        if found is None:
            self.refuse(f"<{self.name}> needs attribute '{name}'")
        return found

    def has(self, name: str) -> bool:
        """Whether the attribute stands there."""
        return self.attribute(name) is not None

    def literal(self, name: str, default: str | None = None) -> str:
        """A required text without expressions (optional with a default)."""
        found = self.attribute(name) if default is not None else self.required_attribute(name)
        if found is None:
            return default or ""
        if starts_expression(found.value):
            self.refuse(f"attribute '{name}' of <{self.name}> takes no policy expression", found)
        return found.value

    def optional_literal(self, name: str) -> str | None:
        """A text without expressions, or None."""
        return self.literal(name) if self.has(name) else None

    def value(self, name: str, default: object = None) -> Value:
        """A required value that may be an expression (optional with a default)."""
        found = self.attribute(name) if default is not None else self.required_attribute(name)
        wanted = wanted_by(self.name, name)
        return Constant(default) if found is None else self._compiled(found, wanted)

    def optional_value(self, name: str) -> Value | None:
        """A value that may be an expression, or None."""
        return self.value(name) if self.has(name) else None

    def choice(self, name: str, options: Sequence[str], default: str | None = None) -> str:
        """One of a closed list of words."""
        text = self.literal(name, default)
        if text not in options:
            found = self.element.attributes.get(name)
            self.refuse(
                f"'{text}' is not allowed in attribute '{name}' of <{self.name}>: "
                f"write one of {', '.join(options)}",
                found,
            )
        return text

    def flag(self, name: str, default: bool) -> bool:
        """``true`` or ``false``."""
        found = self.attribute(name)
        if found is None:
            return default
        lowered = self.literal(name).strip().lower()
        if lowered not in ("true", "false"):
            self.refuse(f"attribute '{name}' of <{self.name}> must be true or false", found)
        return lowered == "true"

    def choice_value(self, name: str, options: Sequence[str], default: str | None = None) -> Value:
        """One of a closed list of words, or an expression that gives one."""
        found = self.element.attributes.get(name)
        if found is None or not starts_expression(found.value):
            return Constant(self.choice(name, options, default))
        self._attributes.add(name)
        return Converted(self._compiled(found), one_of(options))

    def flag_value(self, name: str, default: bool) -> Value:
        """``true`` or ``false``, or an expression that gives one of them."""
        found = self.element.attributes.get(name)
        if found is None or not starts_expression(found.value):
            return Constant(self.flag(name, default))
        self._attributes.add(name)
        return Converted(self._compiled(found, Wanted.TRUTH), boolean_of)

    def integer(
        self,
        name: str,
        default: int | None = None,
        *,
        least: int = 0,
        most: int | None = None,
    ) -> int:
        """A whole number in bounds; expressions are refused."""
        found = self.attribute(name) if default is not None else self.required_attribute(name)
        if found is None:
            assert default is not None
            return default
        try:
            number = int(self.literal(name))
        except ValueError:
            self.refuse(f"attribute '{name}' of <{self.name}> must be a whole number", found)
        if number < least or (most is not None and number > most):
            bounds = f"at least {least}" + (f" and at most {most}" if most is not None else "")
            self.refuse(f"attribute '{name}' of <{self.name}> must be {bounds}", found)
        return number

    def number_value(
        self,
        name: str,
        default: int | None = None,
        *,
        least: int = 0,
        most: int | None = None,
    ) -> Value:
        """A whole number that may be an expression; a literal is checked now."""
        found = self.attribute(name) if default is not None else self.required_attribute(name)
        if found is not None and starts_expression(found.value):
            return self._compiled(found, Wanted.NUMBER)
        return Constant(self.integer(name, default, least=least, most=most))

    # --- children -----------------------------------------------------------------------------

    def child(self, name: str) -> ElementReader | None:
        """The only child of that name, or None; a second one is refused."""
        found = self.children(name)
        if len(found) > 1:
            found[1].refuse(f"<{name}> may stand only once in <{self.name}>")
        return found[0] if found else None

    def required_child(self, name: str) -> ElementReader:
        """The only child of that name."""
        found = self.child(name)
        if found is None:
            self.refuse(f"<{self.name}> needs <{name}>")
        return found

    def children(self, name: str) -> list[ElementReader]:
        """The children of that name, in order."""
        self._children.add(name)
        found = [
            ElementReader(each, self.preparation, self.path)
            for each in self.element.children
            if each.name == name
        ]
        self._below.extend(found)
        return found

    def listed(self, parent: str, name: str) -> list[ElementReader]:
        """The ``<name>`` children of the optional child ``<parent>``."""
        found = self.child(parent)
        return [] if found is None else found.children(name)

    def content(self) -> Value:
        """The element's own text, which may be an expression; empty text when there is none."""
        self._text_read = True
        return Constant("") if self.element.text is None else self._compiled(self.element.text)

    def literal_content(self) -> str:
        """The element's own text; expressions are refused."""
        self._text_read = True
        if self.element.text is None:
            return ""
        if starts_expression(self.element.text.value):
            self.refuse(f"<{self.name}> takes no policy expression", self.element.text)
        return self.element.text.value.strip()

    def take_whole(self) -> Element:
        """The element as it stands, with whatever it holds: a file inside the document."""
        self._attributes.update(self.element.attributes)
        self._children.update(each.name for each in self.element.children)
        self._text_read = True
        return self.element

    def steps(self, *, label: str | None = None) -> Steps:
        """The policies inside this element, prepared."""
        self._children.update(each.name for each in self.element.children)
        return self.preparation.sequence(self.element, self.preparation, label or self.path)

    # --- the end ------------------------------------------------------------------------------

    def finish(self) -> None:
        """Refuse every attribute, child and text that the policy did not ask for."""
        for name, found in self.element.attributes.items():
            if name not in self._attributes:
                self.refuse(f"<{self.name}> has no attribute '{name}'", found)
        for child in self.element.children:
            if child.name not in self._children:
                raise PolicyDocumentError(
                    self.preparation.file,
                    child.line,
                    child.column,
                    f"<{child.name}> is not allowed in <{self.name}>",
                )
        if self.element.text is not None and not self._text_read:
            self.refuse(f"<{self.name}> holds no text", self.element.text)
        for below in self._below:
            below.finish()
            self.reads_request_body |= below.reads_request_body
            self.reads_response_body |= below.reads_response_body

    def _compiled(self, text: Text, wanted: Wanted = Wanted.TEXT) -> Value:
        value = compile_value(text, self.preparation.file, wanted)
        self.reads_request_body |= value.reads_request_body
        self.reads_response_body |= value.reads_response_body
        return value
