"""Custom connectors from their OpenAPI 2 document: operation id -> method, path, parameters.

A binary body (``format: binary`` or ``consumes`` other than JSON) is taken from the action's
``$content`` object and streamed as it is. Unknown parameters are refused, required ones demanded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import quote

from hybridmandate.orchestration.connectors.connector import Connector, Handler, not_simulated
from hybridmandate.orchestration.connectors.request import MissingParameter, OperationCall
from hybridmandate.orchestration.connectors.session import ServiceSession, content_bytes
from hybridmandate.orchestration.connectors.settings import ConnectorSettings
from hybridmandate.orchestration.engine import Answer

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


@dataclass(frozen=True, slots=True)
class CustomOperation:
    """One operation of the document; ``parameters`` with their references followed."""

    operation_id: str
    method: str
    path: str
    parameters: tuple[Mapping[str, Any], ...]
    consumes: tuple[str, ...]


class CustomConnector(Connector):
    """A connector that a solution brings; its operations are those of its document."""

    api_name = "custom"
    operations: ClassVar[Mapping[str, Handler]] = {}

    def __init__(self, settings: ConnectorSettings, session: ServiceSession) -> None:
        """:raises ValueError: when the settings hold no OpenAPI 2 document."""
        super().__init__(settings, session)
        self._base_path, self._operations = read_operations(settings.definition, settings.connector)

    async def call(self, call: OperationCall) -> Answer:
        """Send one attempt of an operation of the document."""
        operation = self._operations.get(call.operation_id)
        if operation is None:
            return not_simulated(self.settings.connector, call.operation_id)
        try:
            return await self._send(operation, call)
        except (MissingParameter, ValueError) as error:
            return Answer.refused(str(error))

    async def _send(self, operation: CustomOperation, call: OperationCall) -> Answer:
        path, query, headers = operation.path, {}, {}
        data: bytes | None = None
        for declared in operation.parameters:
            name, place = declared["name"], declared["in"]
            value = _given(call, declared)
            if value is None:
                if declared.get("required"):
                    raise MissingParameter(call.operation_id, name)
                continue
            if place == "path":
                path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
            elif place == "query":
                query[name] = _text(value)
            elif place == "header":
                headers[name.lower()] = _text(value)
            elif place == "body":
                data, kind = _body(operation, declared, value)
                headers["content-type"] = kind
        _no_strangers(operation, call)
        return await self.session.send(
            operation.method,
            f"{self._base_path}{path}",
            call=call,
            headers=headers,
            query=query,
            data=data,
        )


def read_operations(
    document: Mapping[str, Any] | None, name: str
) -> tuple[str, dict[str, CustomOperation]]:
    """Base path and operations of an OpenAPI 2 document.

    :raises ValueError: when it is none, or an operation has no id.
    """
    if document is None or str(document.get("swagger")) != "2.0":
        raise ValueError(f"custom connector '{name}' needs an OpenAPI 2 document")
    base = str(document.get("basePath") or "").rstrip("/")
    operations: dict[str, CustomOperation] = {}
    for path, item in document.get("paths", {}).items():
        shared = item.get("parameters", [])
        for method in _METHODS:
            declared = item.get(method)
            if declared is None:
                continue
            operation_id = declared.get("operationId")
            if not operation_id:
                raise ValueError(f"{method.upper()} {path} of '{name}' has no operationId")
            parameters = [*shared, *declared.get("parameters", [])]
            operations[operation_id] = CustomOperation(
                operation_id,
                method.upper(),
                path,
                tuple(_followed(document, each) for each in parameters),
                tuple(declared.get("consumes") or document.get("consumes") or ()),
            )
    return base, operations


def _followed(document: Mapping[str, Any], parameter: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = parameter.get("$ref")
    if reference is None:
        return parameter
    found: Any = document
    for part in str(reference).removeprefix("#/").split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    followed: Mapping[str, Any] = found
    return followed


def _given(call: OperationCall, declared: Mapping[str, Any]) -> Any:
    name = declared["name"]
    if declared["in"] != "body":
        value = call.parameters.get(name)
        return declared.get("default") if value is None else value
    if name in call.parameters and not isinstance(call.parameters[name], Mapping):
        return call.parameters[name]
    return call.nested(name) or None


def _body(operation: CustomOperation, declared: Mapping[str, Any], value: Any) -> tuple[bytes, str]:
    data, kind = content_bytes(value)
    binary = declared.get("schema", {}).get("format") == "binary"
    if not binary:
        return data, "application/json"
    media = kind.partition(";")[0].strip()
    if operation.consumes and media not in operation.consumes:
        kind = operation.consumes[0]
    return data, kind


def _no_strangers(operation: CustomOperation, call: OperationCall) -> None:
    known = {declared["name"] for declared in operation.parameters}
    for name in call.parameters:
        if name.partition("/")[0] not in known and name not in known:
            raise ValueError(f"operation '{call.operation_id}' has no parameter '{name}'")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
