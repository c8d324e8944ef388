"""The operations of an OpenAPI 3 document, as API Management imports them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hybridmandate.contracts.lifecycle import Lifecycle
from hybridmandate.governance.gateway.configuration import Document, OperationEntry
from hybridmandate.governance.gateway.contract_check import SchemaCheck
from hybridmandate.governance.gateway.errors import PolicyDocumentError

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def operations_of(
    specification: Any, file: str, policies: Mapping[str, Document | None]
) -> tuple[OperationEntry, ...]:
    """Each path and method of the document as an operation.

    ``policies`` are operation policies by operation id. References inside the document are
    resolved in schemas by carrying its components along.

    :raises PolicyDocumentError: when the document has no paths or an operation no id.
    """
    paths = specification.get("paths") if isinstance(specification, dict) else None
    if not isinstance(paths, dict):
        raise PolicyDocumentError(file, 1, 1, "an OpenAPI 3 document with 'paths' is expected")
    components = specification.get("components") or {}
    found: list[OperationEntry] = []
    checks = _Checks(file)
    for template, item in paths.items():
        for method in _METHODS:
            operation = item.get(method)
            if operation is None:
                continue
            id = operation.get("operationId")
            if not id:
                raise PolicyDocumentError(
                    file, 1, 1, f"{method.upper()} {template} has no operationId"
                )
            bodies = _schemas(operation.get("requestBody"), components)
            responses = {
                str(status): _schemas(response, components)
                for status, response in (operation.get("responses") or {}).items()
            }
            shared = [*item.get("parameters", ()), *operation.get("parameters", ())]
            found.append(
                OperationEntry(
                    id=id,
                    name=operation.get("summary", id),
                    method=method.upper(),
                    url_template=template,
                    policy=policies.get(id),
                    request_schemas=bodies,
                    parameters=tuple(_parameter(each, components) for each in shared),
                    responses=responses,
                    samples=_samples(operation.get("responses") or {}, components),
                    lifecycle=_lifecycle(operation, file),
                    request_checks=checks.of(bodies),
                    response_checks={
                        status: checks.of(schemas) for status, schemas in responses.items()
                    },
                )
            )
    return tuple(found)


class _Checks:
    """The compiled schemas of one document; what is written alike is compiled once."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._compiled: dict[str, SchemaCheck] = {}

    def of(self, schemas: Mapping[str, Any]) -> Mapping[str, SchemaCheck]:
        """The check of each content type that declares a schema, by bare type.

        :raises PolicyDocumentError: when a schema is none.
        """
        return {
            kind.partition(";")[0].strip().lower(): self._check(schema)
            for kind, schema in schemas.items()
            if schema is not None
        }

    def _check(self, schema: Any) -> SchemaCheck:
        text = json.dumps(schema, sort_keys=True, default=str)
        if text not in self._compiled:
            try:
                self._compiled[text] = SchemaCheck(schema)
            except ValueError as error:
                reason = f"a schema of the document is none: {error}".splitlines()[0]
                raise PolicyDocumentError(self._file, 1, 1, reason) from error
        return self._compiled[text]


def _lifecycle(operation: Mapping[str, Any], file: str) -> Lifecycle | None:
    try:
        return Lifecycle.of_openapi(operation)
    except ValueError as error:
        reason = f"{operation['operationId']}: {error}"
        raise PolicyDocumentError(file, 1, 1, reason) from error


def _resolve(value: Any, components: Mapping[str, Any]) -> Any:
    reference = value.get("$ref") if isinstance(value, dict) else None
    if not isinstance(reference, str) or not reference.startswith("#/components/"):
        return value
    kind, _, name = reference.removeprefix("#/components/").partition("/")
    return components.get(kind, {}).get(name, {})


def _parameter(value: Any, components: Mapping[str, Any]) -> Mapping[str, Any]:
    """A parameter with its schema and that of its items at hand: their types say how to read it.

    What they refer to further in is carried along.
    """
    parameter: Mapping[str, Any] = _resolve(value, components)
    schema = _resolve(parameter.get("schema"), components)
    if not isinstance(schema, dict):
        return parameter
    if "items" in schema:
        schema = {**schema, "items": _resolve(schema["items"], components)}
    if "$ref" in json.dumps(schema, default=str):
        schema = {**schema, "components": components}
    return {**parameter, "schema": schema}


def _schemas(body: Any, components: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of each content type, None where a type is declared without one."""
    content = _resolve(body or {}, components).get("content") or {}
    return {kind: _closed(media.get("schema"), components) for kind, media in content.items()}


def _closed(schema: Any, components: Mapping[str, Any]) -> Any:
    """A schema that carries the components which its references point to."""
    if not isinstance(schema, dict) or "$ref" not in json.dumps(schema, default=str):
        return schema
    return {"allOf": [schema], "components": components}


def _samples(responses: Any, components: Mapping[str, Any]) -> dict[int, Any]:
    found: dict[int, tuple[tuple[str, str], ...]] = {}
    for status, response in responses.items():
        if not str(status).isdigit():
            continue
        content = _resolve(response, components).get("content") or {}
        found[int(status)] = tuple((kind, _sample(media)) for kind, media in content.items())
    return found


def _sample(media: Mapping[str, Any]) -> str:
    example = media.get("example")
    if example is None:
        first: Mapping[str, Any] = next(iter((media.get("examples") or {}).values()), {})
        example = first.get("value")
    if example is None:
        example = (media.get("schema") or {}).get("example")
    if example is None:
        return ""
    return example if isinstance(example, str) else json.dumps(example)
