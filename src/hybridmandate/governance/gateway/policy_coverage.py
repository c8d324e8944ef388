"""How many policy documents of a folder load here, and how many of their expressions evaluate.

Documents of other people come without their service: what they refer to (fragments, named values,
back ends, schemas) is stood in for. A document with the marks of a template (Terraform's ``${…}``,
``{0}`` as a value, ``$(name)``) is no policy until it is filled in; it is counted apart.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import hybridmandate.governance.gateway.policies as _policies
from hybridmandate.governance.gateway.configuration import BackendEntry, Configuration, Document
from hybridmandate.governance.gateway.csharp import ExpressionSyntaxError, compile_expression
from hybridmandate.governance.gateway.csharp_text import starts_expression
from hybridmandate.governance.gateway.document import Element, Text, parse_document
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.expression_fixtures import why_not_evaluated
from hybridmandate.governance.gateway.preparation import NAMED_VALUE, prepare_document
from hybridmandate.governance.gateway.registry import POLICIES, Section

assert _policies.__all__, "importing the policies registers them"

_ROOT = re.compile(r"<(policies|fragment)[\s>/]")
_TEMPLATE = re.compile(
    r"\$\{[^}\"\n]{1,80}\}|(?:(?<==\")|(?<=>))\{\w+\}(?=[\"<])|\$\([A-Za-z_]\w*\)|#\{\w+\}#"
)
_DIRECTIVE = re.compile(r"%\{[^}\n]*\}")
_FILES = ("*.xml", "*.xml.tpl", "*.xml.tftpl", "*.cshtml")
_FRAGMENT = Document("<fragment><set-method>GET</set-method></fragment>", "stand-in fragment")
_NUMBERS = frozenset(
    {
        "bandwidth",
        "calls",
        "code",
        "count",
        "duration",
        "failed-check-httpcode",
        "failed-validation-httpcode",
        "increment-count",
        "interval",
        "max-count",
        "max-size",
        "renewal-period",
        "status-code",
        "timeout",
        "token-quota",
        "tokens-per-minute",
    }
)
_PARSED = re.compile(r'(JArray|JObject)\.Parse\(\s*[@$]?"\{\{')
_ANYTHING = "10"
_FLAGS = frozenset({"condition", "ignore-error", "allow-credentials", "ignore-case"})
_PLACES = frozenset({"base-url", "url"})
_PLACE_ELEMENTS = frozenset({"set-url", "openid-config", "origin"})


@dataclass(slots=True)
class DocumentResult:
    """One document. ``reason`` says why it does not load; ``failed`` which expressions do not."""

    path: str
    template: bool
    reason: str | None = None
    expressions: int = 0
    failed: list[tuple[int, str]] = field(default_factory=list)

    @property
    def loads(self) -> bool:
        """Whether the whole document loads."""
        return self.reason is None


@dataclass(slots=True)
class FolderResult:
    """All documents of a folder, each text once."""

    documents: list[DocumentResult]
    repeated: int

    def to_json(self) -> dict[str, Any]:
        """The result for machines."""
        plain = [each for each in self.documents if not each.template]
        return {
            "documents": len(plain),
            "load": sum(each.loads for each in plain),
            "expressions": sum(each.expressions for each in plain),
            "evaluate": sum(each.expressions - len(each.failed) for each in plain),
            "templates": len(self.documents) - len(plain),
            "templatesThatLoad": sum(each.loads for each in self.documents if each.template),
            "repeated": self.repeated,
            "notLoading": [
                {"document": each.path, "reason": each.reason}
                for each in self.documents
                if not each.loads
            ],
            "notEvaluating": [
                {"document": each.path, "line": line, "reason": reason}
                for each in self.documents
                for line, reason in each.failed
            ],
        }


def cover_policies(folder: Path) -> FolderResult:
    """Load every policy document below a folder and evaluate its expressions with fixtures."""
    seen: set[bytes] = set()
    found: list[DocumentResult] = []
    repeated = 0
    for path, text in _documents(folder):
        digest = hashlib.sha256("".join(text.split()).encode()).digest()
        if digest in seen:
            repeated += 1
            continue
        seen.add(digest)
        found.append(cover_document(text, path.relative_to(folder).as_posix()))
    return FolderResult(found, repeated)


def cover_document(text: str, name: str) -> DocumentResult:
    """Load one document; with a template's marks, after they were filled in."""
    filled = _TEMPLATE.sub(_named, _DIRECTIVE.sub("", text))
    result = DocumentResult(name, template=filled != text)
    try:
        root = parse_document(filled, name)
        values = _stand_ins(root)
        _load(root, filled, name, values)
    except PolicyDocumentError as error:
        result.reason = str(error)
        return result
    expressions = list(_expressions(root, values))
    result.expressions = len(expressions)
    result.failed = list(_failures(expressions))
    return result


def _named(mark: re.Match[str]) -> str:
    """A mark of a template as a named value, so that it gets one fit for its place."""
    return "{{" + re.sub(r"[^A-Za-z0-9]+", "-", f"template{mark[0]}") + "}}"


def _documents(folder: Path) -> Iterator[tuple[Path, str]]:
    paths = {path for pattern in _FILES for path in folder.rglob(pattern) if path.is_file()}
    for path in sorted(paths):
        text = path.read_text("utf-8-sig", errors="replace")
        if _ROOT.search(text):
            yield path, text


def _load(root: Element, text: str, name: str, values: Mapping[str, str]) -> None:
    configuration = Configuration(
        apis=(),
        fragments=_Fragments(),
        named_values=values,
        backends=_BackEnds(),
        schemas=_Schemas(),
    )
    if root.name != "fragment":
        prepare_document(Document(text, name), "api", configuration)
        return
    section = _section_of(root)
    document = f"<policies><{section}><include-fragment fragment-id='it'/></{section}></policies>"
    fragments = {**dict.fromkeys(_included(root), _FRAGMENT), "it": Document(text, name)}
    prepare_document(Document(document, name), "api", replace(configuration, fragments=fragments))


def _section_of(fragment: Element) -> Section:
    """The first section in which all policies of a fragment may stand; inbound if there is none."""
    sections = set(Section)
    for each in fragment.walk():
        if each.name in POLICIES:
            sections &= POLICIES[each.name].sections
    return next((each for each in Section if each in sections), Section.INBOUND)


def _included(root: Element) -> Iterator[str]:
    for each in root.walk():
        if each.name == "include-fragment" and "fragment-id" in each.attributes:
            yield each.attributes["fragment-id"].value


def _stand_ins(root: Element) -> dict[str, str]:
    """A value for every named value, fit for the place where it stands."""
    values: dict[str, str] = {}
    for element in root.walk():
        texts = [*element.attributes.items()]
        if element.text is not None:
            texts.append(("", element.text))
        for attribute, text in texts:
            for name in NAMED_VALUE.findall(text.value):
                if values.get(name) in (None, _ANYTHING):
                    values[name] = _fit(element, attribute, text)
    return values


def _fit(element: Element, attribute: str, text: Text) -> str:
    parsed = _PARSED.search(text.value)
    if parsed is not None:
        return "[]" if parsed[1] == "JArray" else "{}"
    if attribute in _NUMBERS:
        return "30"
    if attribute in _FLAGS:
        return "true"
    begins = text.value.lstrip().startswith("{{")
    if begins and (attribute in _PLACES or element.name in _PLACE_ELEMENTS):
        return "https://service.example"
    if element.name in ("address", "address-range"):
        return "192.0.2.1"
    if element.name == "key":
        return "c3RhbmQtaW4gZm9yIGEgc2lnbmluZyBrZXksIDMyIGJ5dGVz"
    return _ANYTHING


def _expressions(root: Element, values: Mapping[str, str]) -> Iterator[tuple[Element, str, Text]]:
    for element in root.walk():
        texts = [*element.attributes.items()]
        if element.text is not None:
            texts.append(("", element.text))
        for attribute, text in texts:
            if starts_expression(text.value):
                filled = NAMED_VALUE.sub(lambda m: values.get(m[1], m[0]), text.value)
                yield element, attribute, Text(filled, text.line, text.column)


def _failures(expressions: list[tuple[Element, str, Text]]) -> Iterator[tuple[int, str]]:
    """Which do not evaluate. What ``set-variable`` gives is a variable of those that follow."""
    variables: dict[str, Any] = {}
    for element, attribute, text in expressions:
        try:
            compiled = compile_expression(text.value, line=text.line, column=text.column)
        except ExpressionSyntaxError as error:
            yield text.line, error.reason
            continue
        value, reason = why_not_evaluated(compiled, text.value, variables)
        if reason is not None:
            yield text.line, reason
        elif element.name == "set-variable" and attribute == "value":
            variables[element.attributes["name"].value] = value


class _Fragments(dict[str, Document]):
    """A fragment for every name."""

    def get(self, name: str, default: Any = None) -> Any:
        return _FRAGMENT


class _BackEnds(dict[str, BackendEntry]):
    """A back end for every id."""

    def __contains__(self, id: object) -> bool:
        return True


class _Schemas(dict[str, Any]):
    """A schema that allows everything for every id."""

    def get(self, id: str, default: Any = None) -> Any:
        return {}
