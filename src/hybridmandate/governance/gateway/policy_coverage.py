"""How many policy documents of a folder load here, and how many of their expressions evaluate.

Documents of other people come without their service: what they refer to (fragments, named values,
back ends, schemas, certificates) is stood in for. A template is no policy until it is filled in; it
is counted apart. So is a document that API Management itself would refuse, with the rule for it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

import hybridmandate.governance.gateway.policies as _policies
from hybridmandate.governance.gateway.certificate_store import PREFIX
from hybridmandate.governance.gateway.configuration import BackendEntry, Configuration, Document
from hybridmandate.governance.gateway.csharp import ExpressionSyntaxError, compile_expression
from hybridmandate.governance.gateway.csharp_text import starts_expression
from hybridmandate.governance.gateway.document import Element, Text, parse_document
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.expression_fixtures import (
    GUID,
    KEY,
    why_not_evaluated,
)
from hybridmandate.governance.gateway.preparation import NAMED_VALUE, prepare_document
from hybridmandate.governance.gateway.refusal_rules import RefusalRule, rule_for
from hybridmandate.governance.gateway.registry import POLICIES, Section
from hybridmandate.governance.gateway.result_types import Wanted, refusal, wanted_by
from hybridmandate.governance.gateway.template_marks import fill_in

assert _policies.__all__, "importing the policies registers them"

_ROOT = re.compile(r"<(policies|fragment)[\s>/]")
_FRAGMENT = Document("<fragment><set-method>GET</set-method></fragment>", "stand-in fragment")
_FILES = ("*.xml", "*.xml.tpl", "*.xml.tftpl", "*.cshtml")
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
_READ_AS = (
    (re.compile(r'JArray\.Parse\(\s*[@$]?"\s*\{\{'), "[]"),
    (re.compile(r'JObject\.Parse\(\s*[@$]?"\s*\{\{'), "{}"),
    (re.compile(r'(?:bool(?:ean)?\.Parse|ToBoolean)\(\s*"\{\{', re.IGNORECASE), "true"),
    (re.compile(r'Guid\.Parse\(\s*"\{\{'), GUID),
    (re.compile(r'FromBase64String\(\s*"\{\{'), KEY),
    (re.compile(r'@"\^\\\{\{'), "/api/v1"),
)
"""What a named value must look like where an expression reads it so."""
_ANYTHING = "10"
_BARE = ("30", "true", '"text"')
"""What may stand for a named value outside a string of an expression; the first that compiles."""
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

    @property
    def refused_by(self) -> RefusalRule | None:
        """The rule of API Management that the document breaks, None for a gap of this gateway."""
        return None if self.reason is None else rule_for(self.reason)


@dataclass(slots=True)
class FolderResult:
    """All documents of a folder, each text once."""

    documents: list[DocumentResult]
    repeated: int

    def to_json(self) -> dict[str, Any]:
        """The result for machines."""
        plain = [each for each in self.documents if not each.template]
        filled = [each for each in self.documents if each.template]
        return {
            "documents": len(plain),
            "load": sum(each.loads for each in plain),
            "refusedByRule": sum(each.refused_by is not None for each in plain),
            "expressions": sum(each.expressions for each in plain),
            "evaluate": sum(each.expressions - len(each.failed) for each in plain),
            "templates": len(filled),
            "templatesThatLoad": sum(each.loads for each in filled),
            "templatesRefusedByRule": sum(each.refused_by is not None for each in filled),
            "templateExpressions": sum(each.expressions for each in filled),
            "templateExpressionsThatEvaluate": sum(
                each.expressions - len(each.failed) for each in filled
            ),
            "repeated": self.repeated,
            "notLoading": [
                {
                    "document": each.path,
                    "reason": each.reason,
                    "template": each.template,
                    "rule": None if each.refused_by is None else each.refused_by.statement,
                    "source": None if each.refused_by is None else each.refused_by.source,
                }
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
    filled = fill_in(text)
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
            for found in NAMED_VALUE.finditer(text.value):
                if values.get(found[1]) in (None, _ANYTHING):
                    values[found[1]] = _fit(element, attribute, text, found)
        certificate = element.attributes.get("certificate-id")
        if certificate is not None:
            values[f"{PREFIX}{certificate.value}"] = _stand_in_certificate()
    return values


def _fit(element: Element, attribute: str, text: Text, found: re.Match[str]) -> str:
    around = text.value[max(found.start() - 40, 0) : found.end()]
    read_as = next((value for pattern, value in _READ_AS if pattern.search(around)), None)
    if read_as is not None:
        return read_as
    if starts_expression(text.value):
        before = text.value[: found.start()].replace('\\"', "")
        if before.count('"') % 2:
            return _ANYTHING
        return _bare(text, found[0], wanted_by(element.name, attribute))
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


def _bare(text: Text, mark: str, wanted: Wanted) -> str:
    """A value that stands in code: the first with which the expression is C# of the right type."""
    for value in _BARE:
        try:
            expression = compile_expression(
                NAMED_VALUE.sub("1", text.value.replace(mark, value)), line=1, column=1
            )
        except ExpressionSyntaxError:
            continue
        if refusal(expression.type, wanted) is None:
            return value
    return _BARE[0]


@cache
def _stand_in_certificate() -> str:
    """A certificate with its key, as the store of certificates reads one."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return (made.public_bytes(serialization.Encoding.PEM) + private).decode()


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
