"""From documents to prepared steps: sections, scopes with ``<base/>``, fragments, named values.

Order of scopes: global, product, API, operation; a section without ``<base/>`` does not run its
parent's (learn.microsoft.com/azure/api-management/api-management-howto-policies). What API
Management rejects at deployment is rejected here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hybridmandate.governance.gateway.configuration import Configuration, Document
from hybridmandate.governance.gateway.document import Element, Text, parse_document
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.refused_policies import REFUSED
from hybridmandate.governance.gateway.registry import (
    POLICIES,
    ElementReader,
    Preparation,
    Section,
)
from hybridmandate.governance.gateway.steps import Step, Steps

NAMED_VALUE = re.compile(r"\{\{\s*([A-Za-z0-9_.-]+)\s*\}\}")
DEFAULT_GLOBAL_POLICY = Document(
    "<policies><inbound/><backend><forward-request/></backend><outbound/><on-error/></policies>",
    "default global policy",
)
"""What a new API Management instance has at global scope (forward-request page)."""


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """Steps of one document by section, before and after ``<base/>``.

    ``before`` alone is run when ``base`` is False: the parent's section is left out.
    """

    sections: Mapping[Section, tuple[tuple[Step, ...], bool, tuple[Step, ...]]]


Sections = Mapping[Section, tuple[Step, ...]]
NOTHING: Sections = dict.fromkeys(Section, ())


def prepare_document(
    document: Document,
    scope: str,
    configuration: Configuration,
    findings: list[PolicyDocumentError] | None = None,
) -> PreparedDocument:
    """Prepare every policy of a ``<policies>`` document.

    With a list of ``findings`` policies that cannot be prepared are noted in it and left out, so
    that all of them are found in one go.

    :raises PolicyDocumentError: for whatever API Management would reject at deployment.
    """
    root = parse_document(document.text, document.file)
    if root.name != "policies":
        raise _error(document.file, root, f"<policies> is expected, not <{root.name}>")
    if root.attributes or root.text:
        raise _error(document.file, root, "<policies> holds sections and nothing else")
    _substitute(root, configuration.named_values, document.file)
    known = {section.value for section in Section}
    seen: dict[Section, tuple[tuple[Step, ...], bool, tuple[Step, ...]]] = {}
    for child in root.children:
        if child.name not in known:
            raise _error(document.file, child, f"<{child.name}> is not a section of <policies>")
        section = Section(child.name)
        if section in seen:
            raise _error(document.file, child, f"section <{child.name}> stands twice")
        seen[section] = _section(child, section, scope, document.file, configuration, findings)
    return PreparedDocument(seen)


def inherit(document: PreparedDocument | None, parent: Sections) -> Sections:
    """The sections of a scope with its parent's where ``<base/>`` stands."""
    if document is None:
        return parent
    found: dict[Section, tuple[Step, ...]] = {}
    for section in Section:
        before, base, after = document.sections.get(section, ((), False, ()))
        found[section] = before + parent[section] + after if base else before
    return found


def _error(file: str, at: Element | Text, reason: str) -> PolicyDocumentError:
    return PolicyDocumentError(file, at.line, at.column, reason)


def _section(
    element: Element,
    section: Section,
    scope: str,
    file: str,
    configuration: Configuration,
    findings: list[PolicyDocumentError] | None,
) -> tuple[tuple[Step, ...], bool, tuple[Step, ...]]:
    if element.attributes or element.text:
        raise _error(file, element, f"<{element.name}> holds policies and nothing else")
    places = [index for index, each in enumerate(element.children) if each.name == "base"]
    if len(places) > 1:
        raise _error(file, element.children[places[1]], "<base/> may stand only once in a section")
    _check_once(element, file)
    preparation = Preparation(configuration, file, scope, section, _sequence, findings=findings)
    place = places[0] if places else len(element.children)
    labels = _labels(element.children, "")
    before = _steps(element.children[:place], labels[:place], preparation)
    after = _steps(element.children[place + 1 :], labels[place + 1 :], preparation)
    return tuple(before), bool(places), tuple(after)


def _check_once(section: Element, file: str) -> None:
    """Refuse a second policy of a kind that may stand only once, beside the first.

    Branches have one each: so the wait page's own example has rate-limit.
    """
    for parent in section.walk():
        counts: Counter[str] = Counter()
        for each in parent.children:
            counts[each.name] += 1
            declared = POLICIES.get(each.name)
            if declared is not None and declared.once and counts[each.name] > 1:
                raise _error(file, each, f"<{each.name}> may stand only once in a section")


def _labels(elements: Sequence[Element], prefix: str) -> list[str]:
    counts: Counter[str] = Counter()
    labels = []
    for each in elements:
        counts[each.name] += 1
        labels.append(f"{prefix}{each.name}[{counts[each.name]}]")
    return labels


def _sequence(element: Element, preparation: Preparation, path: str) -> Steps:
    if element.text is not None:
        raise _error(preparation.file, element.text, f"<{element.name}> holds policies, not text")
    labels = _labels(element.children, f"{path}/")
    return Steps(tuple(_steps(element.children, labels, preparation)))


def _steps(
    elements: Sequence[Element], labels: Sequence[str], preparation: Preparation
) -> list[Step]:
    found: list[Step] = []
    for element, label in zip(elements, labels, strict=True):
        try:
            if element.name == "include-fragment":
                found.extend(_included(element, label, preparation))
            else:
                found.append(_step(element, label, preparation))
        except PolicyDocumentError as error:
            if preparation.findings is None:
                raise
            preparation.findings.append(error)
    return found


def _step(element: Element, label: str, preparation: Preparation) -> Step:
    declared = POLICIES.get(element.name)
    if declared is None:
        raise _error(preparation.file, element, _why_unknown(element.name))
    if preparation.section not in declared.sections:
        allowed = ", ".join(each.value for each in Section if each in declared.sections)
        raise _error(
            preparation.file,
            element,
            f"<{element.name}> is not allowed in section {preparation.section}: only in {allowed}",
        )
    reader = ElementReader(element, preparation, label)
    prepared = declared(reader)
    id = reader.optional_literal("id")
    reader.finish()
    return Step(
        prepared,
        element.name,
        id=id,
        path=label,
        scope=preparation.scope,
        section=preparation.section,
        reads_request_body=reader.reads_request_body,
        reads_response_body=reader.reads_response_body,
    )


def _why_unknown(name: str) -> str:
    if name == "base":
        return "<base/> stands directly in a section"
    if name in REFUSED:
        return f"<{name}> is not run here: {REFUSED[name]}"
    return f"there is no policy <{name}>"


def _included(element: Element, label: str, preparation: Preparation) -> list[Step]:
    reader = ElementReader(element, preparation, label)
    name = reader.literal("fragment-id")
    reader.optional_literal("id")
    reader.finish()
    document = preparation.configuration.fragments.get(name)
    if document is None:
        raise _error(
            preparation.file, reader.required_attribute("fragment-id"), f"no fragment '{name}'"
        )
    if name in preparation.within:
        raise _error(preparation.file, element, f"fragment '{name}' includes itself")
    root = parse_document(document.text, document.file)
    if root.name != "fragment":
        raise _error(document.file, root, f"<fragment> is expected, not <{root.name}>")
    _substitute(root, preparation.configuration.named_values, document.file)
    inner = Preparation(
        preparation.configuration,
        document.file,
        preparation.scope,
        preparation.section,
        _sequence,
        (*preparation.within, name),
        preparation.findings,
    )
    for child in root.walk():
        if child.name in ("cache-lookup", "cache-store"):
            raise _error(document.file, child, f"<{child.name}> is not allowed in a fragment")
    return _steps(root.children, _labels(root.children, f"{label}/"), inner)


def _substitute(root: Element, values: Mapping[str, str], file: str) -> None:
    """Named values in every attribute and text, also inside expressions.

    A Liquid template uses the same braces for its own variables: there, unknown names stay.
    """
    for element in root.walk():
        liquid = element.attributes.get("template")
        open_names = liquid is not None and liquid.value.strip() == "liquid"
        for name, text in element.attributes.items():
            text.value = _replaced(text, values, file, f"attribute '{name}'", open_names=False)
        if element.text is not None:
            element.text.value = _replaced(
                element.text, values, file, f"<{element.name}>", open_names=open_names
            )


def _replaced(
    text: Text, values: Mapping[str, str], file: str, where: str, *, open_names: bool
) -> str:
    if "{{" not in text.value:
        return text.value

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name in values:
            return values[name]
        if open_names:
            return match[0]
        raise _error(file, text, f"no named value '{name}' ({where})")

    return NAMED_VALUE.sub(value, text.value)
