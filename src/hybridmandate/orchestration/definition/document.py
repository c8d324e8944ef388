"""The file of a flow: its bytes, its JSON tree and which of the known forms it has.

Forms: the export envelope of an unpacked solution (``properties.definition``, ``schemaVersion``),
the envelope of a legacy flow package (``properties`` with ``apiId``), a bare Logic Apps workflow
definition (reference: flow-envelope.md), and one with its parameters or kind beside it: the code
view of a Consumption workflow and the ``workflow.json`` of a Standard one (learn.microsoft.com,
'Schema reference guide for the Workflow Definition Language in Azure Logic Apps').
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Any

from hybridmandate.orchestration.definition.errors import DefinitionError, DefinitionInvalid

_FILE_NAME = re.compile(r"(?P<name>.+)-(?P<id>[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12})")
DEEPEST = 128
"""How deep a definition may nest: far more than the platform's eight levels of actions need."""
_SHOWN_PATH = 400
_ENVELOPE_KEYS = frozenset({"properties", "schemaVersion", "name", "id", "type"})
_CODE_VIEW_KEYS = frozenset({"definition", "kind", "parameters"})
_PROPERTY_KEYS = frozenset(
    {
        "apiId",
        "connectionReferences",
        "definition",
        "displayName",
        "flowFailureAlertSubscribed",
        "isManaged",
        "templateName",
    }
)


class Form(StrEnum):
    """Which of the known file forms a flow came in."""

    ENVELOPE = "envelope"
    BARE = "bare"
    CODE_VIEW = "codeView"


_PATHS = {
    Form.ENVELOPE: "$.properties.definition",
    Form.BARE: "$",
    Form.CODE_VIEW: "$.definition",
}


@dataclass(frozen=True, slots=True)
class FlowDocument:
    """A flow file as read.

    ``name`` is the file's name without GUID and extension, ``workflow_id`` the lower-case GUID of
    the file name or None, ``definition`` the workflow definition inside ``tree`` and ``path`` the
    JSON path at which it stands.
    """

    name: str
    workflow_id: str | None
    form: Form
    raw: bytes
    tree: dict[str, Any]

    @classmethod
    def parse(cls, raw: bytes, file_name: str) -> FlowDocument:
        """Read the bytes of a flow file.

        :raises DefinitionInvalid: when it is not JSON, repeats a key, or is none of the forms.
        """
        stem = PurePath(file_name).name
        stem = stem.removesuffix(".json")
        match = _FILE_NAME.fullmatch(stem)
        name = match["name"] if match else stem
        try:
            tree = json.loads(
                raw.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_no_constant
            )
        except (ValueError, RecursionError) as error:
            raise DefinitionInvalid(name, [DefinitionError("$", f"not JSON: {error}")]) from error
        if not isinstance(tree, dict):
            raise DefinitionInvalid(name, [DefinitionError("$", "a flow is a JSON object")])
        errors = list(_tree_faults(tree))
        if errors:
            raise DefinitionInvalid(name, errors)
        form = _form(tree, errors)
        if errors or form is None:
            raise DefinitionInvalid(name, errors)
        workflow_id = match["id"].lower() if match else None
        return cls(name=name, workflow_id=workflow_id, form=form, raw=raw, tree=tree)

    @property
    def path(self) -> str:
        """The JSON path of the workflow definition."""
        return _PATHS[self.form]

    @property
    def definition(self) -> dict[str, Any]:
        """The workflow definition (``$schema``, triggers, actions, parameters)."""
        if self.form is Form.BARE:
            return self.tree
        holder = self.tree if self.form is Form.CODE_VIEW else self.tree["properties"]
        definition: dict[str, Any] = holder["definition"]
        return definition

    @property
    def parameter_values(self) -> dict[str, Any]:
        """The values of parameters that stand beside the definition, as objects with ``value``."""
        if self.form is not Form.CODE_VIEW:
            return {}
        values: dict[str, Any] = self.tree.get("parameters") or {}
        return values

    @property
    def connection_references(self) -> dict[str, Any]:
        """The envelope's connection references by the key that actions use; else empty."""
        if self.form is not Form.ENVELOPE:
            return {}
        references: dict[str, Any] = self.tree["properties"].get("connectionReferences") or {}
        return references

    def to_bytes(self) -> bytes:
        """The file as it was read, byte for byte."""
        return self.raw


class _Repeating(dict[str, Any]):
    """An object of which a key stands twice; the tree is refused, so it never leaves here."""

    repeated: str


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) == len(pairs):
        return built
    names = [name for name, _ in pairs]
    marked = _Repeating(built)
    marked.repeated = next(name for at, name in enumerate(names) if name in names[:at])
    return marked


def _no_constant(name: str) -> Any:
    raise ValueError(f"'{name}' is no JSON value")


def _tree_faults(tree: dict[str, Any]) -> Iterator[DefinitionError]:
    """Keys that stand twice, and values nested deeper than a definition is read."""
    waiting: list[tuple[Any, str, int]] = [(tree, "$", 0)]
    while waiting:
        value, path, depth = waiting.pop()
        if isinstance(value, _Repeating):
            key = value.repeated
            yield DefinitionError(f"{path}.{key}", f"the key '{key}' stands twice")
        if depth > DEEPEST:
            yield DefinitionError(path[:_SHOWN_PATH], f"nested deeper than {DEEPEST} levels")
        elif isinstance(value, dict):
            waiting.extend((each, f"{path}.{key}", depth + 1) for key, each in value.items())
        elif isinstance(value, list):
            waiting.extend((each, f"{path}[{at}]", depth + 1) for at, each in enumerate(value))


def _code_view(tree: dict[str, Any], errors: list[DefinitionError]) -> Form | None:
    errors.extend(
        DefinitionError(f"$.{key}", "unknown key beside the definition")
        for key in tree
        if key not in _CODE_VIEW_KEYS
    )
    if not isinstance(tree["definition"], dict):
        errors.append(DefinitionError("$.definition", "must be an object"))
    if not isinstance(tree.get("parameters"), dict | None):
        errors.append(DefinitionError("$.parameters", "must be an object"))
    return None if errors else Form.CODE_VIEW


def _form(tree: dict[str, Any], errors: list[DefinitionError]) -> Form | None:
    if "properties" not in tree:
        if "definition" in tree:
            return _code_view(tree, errors)
        if "triggers" in tree or "actions" in tree:
            return Form.BARE
        message = "neither an export envelope ('properties') nor a workflow definition ('actions')"
        errors.append(DefinitionError("$", message))
        return None
    errors.extend(
        DefinitionError(f"$.{key}", "unknown key of the envelope")
        for key in tree
        if key not in _ENVELOPE_KEYS
    )
    properties = tree["properties"]
    if not isinstance(properties, dict):
        errors.append(DefinitionError("$.properties", "must be an object"))
        return None
    errors.extend(
        DefinitionError(f"$.properties.{key}", "unknown key of the envelope")
        for key in properties
        if key not in _PROPERTY_KEYS
    )
    if not isinstance(properties.get("definition"), dict):
        errors.append(DefinitionError("$.properties.definition", "must be an object"))
        return None
    if not isinstance(properties.get("connectionReferences"), dict | None):
        errors.append(DefinitionError("$.properties.connectionReferences", "must be an object"))
        return None
    return Form.ENVELOPE
