"""The folder that the API Management extractor of APIOps writes, read into a configuration.

Layout (github.com/Azure/apiops, folder SampleArtifacts; default folder names of the extractor):

    policy.xml                                        global scope
    apis/<api>/apiInformation.json                    path, serviceUrl, displayName, …
    apis/<api>/specification.yaml | .json             OpenAPI 3 document: the operations
    apis/<api>/policy.xml                             API scope
    apis/<api>/operations/<operationId>/policy.xml    operation scope
    policy fragments/<name>/policy.xml                fragments
    named values/<name>/namedValueInformation.json    named values
    backends/<name>/backendInformation.json           back ends
    products/<name>/productInformation.json, apis.json, policy.xml
    schemas/<name>/schemaInformation.json             schemas of validate-content

Folders that stand for other resources (tags, loggers, diagnostics …) are only looked at for names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from hybridmandate.governance.gateway.configuration import (
    ApiEntry,
    BackendEntry,
    Configuration,
    Document,
    OperationEntry,
    ProductEntry,
    Subscription,
)
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.openapi_operations import operations_of

_ISO_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")


def load_layout(
    folder: Path,
    *,
    named_values: Mapping[str, str] | None = None,
    baseline: Path | None = None,
    subscriptions: tuple[Subscription, ...] = (),
) -> Configuration:
    """Read an extractor folder.

    ``named_values`` override those of the folder (an environment's own addresses and audiences);
    ``baseline`` is a second extractor folder whose fragments, named values and global policy are
    used where ``folder`` has none of that name.

    :raises PolicyDocumentError: when a file is missing or cannot be read.
    """
    if not folder.is_dir():
        raise PolicyDocumentError(str(folder), 1, 1, "there is no such folder")
    below = [baseline, folder] if baseline is not None else [folder]
    fragments: dict[str, Document] = {}
    values: dict[str, str] = {}
    backends: dict[str, BackendEntry] = {}
    schemas: dict[str, Any] = {}
    loggers: set[str] = set()
    policy: Document | None = None
    for each in below:
        fragments.update(_fragments(each))
        values.update(_named_values(each))
        backends.update(_backends(each))
        schemas.update(_schemas(each))
        loggers.update(path.name for path in _folders(each / "loggers"))
        policy = _document(each / "policy.xml") or policy
    values.update(named_values or {})
    return Configuration(
        apis=tuple(_api(path) for path in _folders(folder / "apis") if ";rev=" not in path.name),
        global_policy=policy,
        fragments=fragments,
        named_values=values,
        products=tuple(_product(path) for path in _folders(folder / "products")),
        subscriptions=subscriptions,
        backends=backends,
        schemas=schemas,
        loggers=frozenset(loggers),
    )


def baseline_folder() -> Path:
    """The shipped baseline policy set, in the same layout."""
    return Path(__file__).parent / "baseline"


def _folders(parent: Path) -> list[Path]:
    return sorted(each for each in parent.iterdir() if each.is_dir()) if parent.is_dir() else []


def _document(path: Path) -> Document | None:
    if not path.is_file():
        return None
    try:
        return Document(path.read_text("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise PolicyDocumentError(str(path), 1, 1, "the file is not UTF-8 text") from error


def _properties(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError as error:
        raise PolicyDocumentError(str(path), 1, 1, "the file is missing") from error
    except json.JSONDecodeError as error:
        raise PolicyDocumentError(str(path), error.lineno, error.colno, error.msg) from error
    properties = found.get("properties") if isinstance(found, dict) else None
    if not isinstance(properties, dict):
        raise PolicyDocumentError(str(path), 1, 1, "an object with 'properties' is expected")
    return properties


def _fragments(folder: Path) -> dict[str, Document]:
    found: dict[str, Document] = {}
    for path in _folders(folder / "policy fragments"):
        document = _document(path / "policy.xml")
        if document is None:
            raise PolicyDocumentError(str(path / "policy.xml"), 1, 1, "the file is missing")
        found[path.name] = document
    return found


def _named_values(folder: Path) -> dict[str, str]:
    """Named values by display name, which is what policies write; secrets may have no value."""
    found: dict[str, str] = {}
    for path in _folders(folder / "named values"):
        properties = _properties(path / "namedValueInformation.json")
        value = properties.get("value")
        if value is not None:
            found[str(properties.get("displayName", path.name))] = str(value)
    return found


def _schemas(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in _folders(folder / "schemas"):
        properties = _properties(path / "schemaInformation.json")
        document = properties.get("document")
        found[path.name] = document if document is not None else json.loads(properties["value"])
    return found


def _backends(folder: Path) -> dict[str, BackendEntry]:
    found: dict[str, BackendEntry] = {}
    for path in _folders(folder / "backends"):
        properties = _properties(path / "backendInformation.json")
        pool = tuple(
            (str(each["id"]).rsplit("/", 1)[-1], each.get("priority", 1), each.get("weight", 1))
            for each in (properties.get("pool") or {}).get("services", [])
        )
        credentials = properties.get("credentials") or {}
        rules = (properties.get("circuitBreaker") or {}).get("rules") or [{}]
        condition = rules[0].get("failureCondition") or {}
        ranges = condition.get("statusCodeRanges") or []
        found[path.name] = BackendEntry(
            id=path.name,
            url=properties.get("url"),
            pool=pool,
            headers={k: tuple(v) for k, v in (credentials.get("header") or {}).items()},
            query={k: tuple(v) for k, v in (credentials.get("query") or {}).items()},
            breaker_failures=int(condition.get("count") or 0),
            breaker_interval=_seconds(condition.get("interval")),
            breaker_duration=_seconds(rules[0].get("tripDuration")),
            breaker_statuses=tuple((int(each["min"]), int(each["max"])) for each in ranges),
        )
    return found


def _seconds(text: str | None) -> float:
    match = _ISO_DURATION.fullmatch(text or "PT0S")
    if match is None:
        raise PolicyDocumentError("backendInformation.json", 1, 1, f"'{text}' is no ISO duration")
    days, hours, minutes, seconds = (float(each or 0) for each in match.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + seconds


def _product(path: Path) -> ProductEntry:
    properties = _properties(path / "productInformation.json")
    listed = path / "apis.json"
    apis = json.loads(listed.read_text("utf-8-sig")) if listed.is_file() else []
    return ProductEntry(
        id=path.name,
        name=str(properties.get("displayName", path.name)),
        apis=frozenset(str(each["name"]) for each in apis),
        policy=_document(path / "policy.xml"),
        subscription_required=bool(properties.get("subscriptionRequired", True)),
    )


def _api(path: Path) -> ApiEntry:
    properties = _properties(path / "apiInformation.json")
    names = properties.get("subscriptionKeyParameterNames") or {}
    return ApiEntry(
        id=path.name,
        name=str(properties.get("displayName", path.name)),
        path=str(properties.get("path", "")),
        service_url=properties.get("serviceUrl"),
        operations=_operations(path),
        policy=_document(path / "policy.xml"),
        subscription_required=bool(properties.get("subscriptionRequired", False)),
        subscription_key_header=names.get("header", "Ocp-Apim-Subscription-Key"),
        subscription_key_query=names.get("query", "subscription-key"),
        revision=str(properties.get("apiRevision", "1")),
        version=properties.get("apiVersion"),
    )


def _operations(path: Path) -> tuple[OperationEntry, ...]:
    for name in ("specification.yaml", "specification.yml", "specification.json"):
        file = path / name
        if file.is_file():
            break
    else:
        raise PolicyDocumentError(
            str(path / "specification.yaml"), 1, 1, "the API has no OpenAPI document"
        )
    try:
        specification = yaml.safe_load(file.read_text("utf-8-sig"))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise PolicyDocumentError(str(file), line, column, str(error.problem)) from error
    policies = {each.name: _document(each / "policy.xml") for each in _folders(path / "operations")}
    operations = operations_of(specification, str(file), policies)
    unknown = policies.keys() - {each.id for each in operations}
    if unknown:
        raise PolicyDocumentError(
            str(path / "operations" / min(unknown)), 1, 1, "the specification has no such operation"
        )
    return operations
