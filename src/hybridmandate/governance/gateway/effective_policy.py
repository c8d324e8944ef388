"""The policy that stands for one operation: its scopes inlined where ``<base/>`` stands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hybridmandate.governance.gateway.configuration import Configuration, Document
from hybridmandate.governance.gateway.document import Element, parse_document
from hybridmandate.governance.gateway.preparation import DEFAULT_GLOBAL_POLICY
from hybridmandate.governance.gateway.registry import Section
from hybridmandate.governance.gateway.retirement import retirement_document


def effective_policy(configuration: Configuration, api: str, operation: str | None) -> str:
    """The inlined document, as readable text in raw form; named values as they are written.

    Without an operation: what stands for calls of the API as a whole. No product is looked at.

    :raises KeyError: when there is no such API or operation.
    :raises PolicyDocumentError: when a document cannot be read.
    """
    entry = next((each for each in configuration.apis if each.id == api), None)
    if entry is None:
        raise KeyError(f"there is no API '{api}': {', '.join(a.id for a in configuration.apis)}")
    scopes: list[tuple[str, Document | None]] = [
        ("global", configuration.global_policy or DEFAULT_GLOBAL_POLICY),
        ("workspace", _workspace_policy(configuration, entry.workspace)),
        ("api", entry.policy),
    ]
    if operation is not None:
        found = next((each for each in entry.operations if each.id == operation), None)
        if found is None:
            names = ", ".join(each.id for each in entry.operations)
            raise KeyError(f"API '{api}' has no operation '{operation}': {names}")
        scopes.append(("operation", retirement_document(found)))
        scopes.append(("operation", found.policy))
    parsed = [
        (scope, parse_document(document.text, document.file))
        for scope, document in scopes
        if document is not None
    ]
    lines = ["<policies>"]
    for section in Section:
        lines.append(f"    <{section.value}>")
        lines.extend(_section(section, parsed))
        lines.append(f"    </{section.value}>")
    return "\n".join([*lines, "</policies>"])


def _workspace_policy(configuration: Configuration, workspace: str | None) -> Document | None:
    return next((each.policy for each in configuration.workspaces if each.id == workspace), None)


def _section(section: Section, scopes: Sequence[tuple[str, Element]]) -> Iterator[str]:
    """The policies of the innermost scope; where ``<base/>`` stands, those of the next one out."""
    if not scopes:
        return
    scope, root = scopes[-1]
    element = root.child(section.value)
    told = False
    for each in [] if element is None else element.children:
        if each.name == "base":
            yield from _section(section, scopes[:-1])
            told = False
            continue
        if not told:
            yield f"        <!-- scope: {scope} -->"
            told = True
        yield from _lines(each, "        ")


def _lines(element: Element, indent: str) -> Iterator[str]:
    attributes = "".join(f' {name}="{text.value}"' for name, text in element.attributes.items())
    start = f"{indent}<{element.name}{attributes}"
    if element.text is not None:
        yield f"{start}>{element.text.value}</{element.name}>"
        return
    if not element.children:
        yield f"{start} />"
        return
    yield f"{start}>"
    for each in element.children:
        yield from _lines(each, indent + "    ")
    yield f"{indent}</{element.name}>"
