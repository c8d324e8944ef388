"""The folder that the API Management extractor of APIOps writes, read into a configuration.

Layout (github.com/Azure/apiops, folder SampleArtifacts; default folder names of the extractor):

    policy.xml                                        global scope
    apis/<api>/apiInformation.json                    path, apiVersion, apiVersionSetId …
    apis/<api>;rev=<n>/…                              another revision of that API
    version sets/<name>/versionSetInformation.json    version sets
    apis/<api>/specification.yaml | .json             OpenAPI 3 document: the operations
    apis/<api>/policy.xml                             API scope
    apis/<api>/operations/<operationId>/policy.xml    operation scope
    policy fragments/<name>/policy.xml                fragments
    named values/<name>/namedValueInformation.json    named values
    backends/<name>/backendInformation.json           back ends
    products/<name>/productInformation.json, policy.xml
    products/<name>/apis.json or apis/<api>/          the product's APIs (older and newer extractor)
    subscriptions/<name>/subscriptionInformation.json scope, state and keys of subscriptions
    schemas/<name>/schemaInformation.json             schemas of validate-content
    workspaces/<name>/…                               the same folders again, for one workspace
    certificates/<id>.pem | .cer | .crt               public certificates; not of the extractor

Folders that stand for other resources (tags, loggers, diagnostics …) are only looked at for names.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import yaml

from hybridmandate.governance.gateway.certificate_store import PREFIX
from hybridmandate.governance.gateway.configuration import (
    ApiEntry,
    BackendEntry,
    Configuration,
    Document,
    OperationEntry,
    ProductEntry,
    Subscription,
    SubscriptionState,
    VersioningScheme,
    VersionSet,
)
from hybridmandate.governance.gateway.errors import PolicyDocumentError
from hybridmandate.governance.gateway.openapi_operations import operations_of
from hybridmandate.governance.gateway.workspaces import with_workspaces

E = TypeVar("E", bound=StrEnum)

_WHOLE_NAMED_VALUE = re.compile(r"\{\{\s*([A-Za-z0-9_.-]+)\s*\}\}")
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
        values.update(_certificates(each))
        backends.update(_backends(each))
        schemas.update(_schemas(each))
        loggers.update(path.name for path in _folders(each / "loggers"))
        policy = _document(each / "policy.xml") or policy
    values.update(named_values or {})
    service = Configuration(
        apis=tuple(_api(path) for path in _folders(folder / "apis")),
        version_sets=tuple(_version_set(path) for path in _folders(folder / "version sets")),
        global_policy=policy,
        fragments=fragments,
        named_values=values,
        products=tuple(_product(path) for path in _folders(folder / "products")),
        subscriptions=(
            *(_subscription(path, values) for path in _folders(folder / "subscriptions")),
            *subscriptions,
        ),
        backends=backends,
        schemas=schemas,
        loggers=frozenset(loggers),
    )
    parts = [
        (path, load_layout(path, named_values=named_values))
        for path in _folders(folder / "workspaces")
    ]
    return with_workspaces(service, parts)


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


def _certificates(folder: Path) -> dict[str, str]:
    """Files of certificates as the named values that the store reads: PEM text, or DER as base64.

    A private key is refused: it belongs to the environment's secrets.
    """
    found: dict[str, str] = {}
    below = folder / "certificates"
    for path in sorted(below.iterdir()) if below.is_dir() else []:
        if path.suffix.lower() not in (".pem", ".cer", ".crt"):
            raise PolicyDocumentError(str(path), 1, 1, "write .pem, .cer or .crt")
        content = path.read_bytes()
        if b"PRIVATE KEY-----" in content:
            raise PolicyDocumentError(str(path), 1, 1, "a private key is no text for a repository")
        text = content.decode("ascii", "replace")
        is_pem = "-----BEGIN CERTIFICATE" in text
        found[PREFIX + path.stem] = text if is_pem else b64encode(content).decode()
    return found


def _schemas(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in _folders(folder / "schemas"):
        properties = _properties(path / "schemaInformation.json")
        document = properties.get("document")
        found[path.name] = document if document is not None else json.loads(properties["value"])
    return found


def _backends(folder: Path) -> dict[str, BackendEntry]:
    return {
        path.name: backend_entry(path.name, _properties(path / "backendInformation.json"))
        for path in _folders(folder / "backends")
    }


def backend_entry(id: str, properties: Mapping[str, Any]) -> BackendEntry:
    """A back end of the properties that the REST API gives it (Backend, BackendContract)."""
    pool = tuple(
        (str(each["id"]).rsplit("/", 1)[-1], each.get("priority", 1), each.get("weight", 1))
        for each in (properties.get("pool") or {}).get("services", [])
    )
    credentials = properties.get("credentials") or {}
    headers = {k: tuple(v) for k, v in (credentials.get("header") or {}).items()}
    authorization = credentials.get("authorization")
    if authorization:
        scheme, parameter = authorization["scheme"], authorization.get("parameter", "")
        headers["Authorization"] = (f"{scheme} {parameter}".strip(),)
    rules = (properties.get("circuitBreaker") or {}).get("rules") or [{}]
    condition = rules[0].get("failureCondition") or {}
    ranges = condition.get("statusCodeRanges") or []
    return BackendEntry(
        id=id,
        url=properties.get("url"),
        pool=pool,
        headers=headers,
        query={k: tuple(v) for k, v in (credentials.get("query") or {}).items()},
        breaker_failures=int(condition.get("count") or 0),
        breaker_interval=_seconds(condition.get("interval")),
        breaker_duration=_seconds(rules[0].get("tripDuration")),
        breaker_statuses=tuple((int(each["min"]), int(each["max"])) for each in ranges),
    )


def _seconds(text: str | None) -> float:
    match = _ISO_DURATION.fullmatch(text or "PT0S")
    if match is None:
        raise PolicyDocumentError("backendInformation.json", 1, 1, f"'{text}' is no ISO duration")
    days, hours, minutes, seconds = (float(each or 0) for each in match.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + seconds


def _version_set(path: Path) -> VersionSet:
    file = path / "versionSetInformation.json"
    properties = _properties(file)
    scheme = _one_of(VersioningScheme, properties.get("versioningScheme"), file, "versioningScheme")
    names = {
        VersioningScheme.HEADER: "versionHeaderName",
        VersioningScheme.QUERY: "versionQueryName",
    }
    return VersionSet(
        id=path.name,
        name=str(properties.get("displayName", path.name)),
        scheme=scheme,
        parameter=str(properties.get(names.get(scheme, "")) or ""),
    )


def _product(path: Path) -> ProductEntry:
    file = path / "productInformation.json"
    properties = _properties(file)
    listed = path / "apis.json"
    names = [each.name for each in _folders(path / "apis")]
    if listed.is_file():
        names += _listed(listed)
    required = bool(properties.get("subscriptionRequired", True))
    approval = bool(properties.get("approvalRequired", False))
    if approval and not required:
        raise PolicyDocumentError(
            str(file), 1, 1, "approvalRequired stands only beside subscriptionRequired"
        )
    return ProductEntry(
        id=path.name,
        name=str(properties.get("displayName", path.name)),
        apis=frozenset(names),
        policy=_document(path / "policy.xml"),
        subscription_required=required,
        approval_required=approval,
        published=str(properties.get("state", "published")).lower() != "notpublished",
        file=str(file),
    )


def _listed(file: Path) -> list[str]:
    try:
        return [str(each["name"]) for each in json.loads(file.read_text("utf-8-sig"))]
    except json.JSONDecodeError as error:
        raise PolicyDocumentError(str(file), error.lineno, error.colno, error.msg) from error
    except (TypeError, KeyError) as error:
        raise PolicyDocumentError(str(file), 1, 1, "a list of objects with 'name'") from error


def _subscription(path: Path, named_values: Mapping[str, str]) -> Subscription:
    """Keys are secrets: a file names the named values that hold them (``{{orders-key}}``)."""
    file = path / "subscriptionInformation.json"
    properties = _properties(file)
    keys = [properties.get(each) for each in ("primaryKey", "secondaryKey")]
    product, api = _subscription_scope(str(properties.get("scope", "")), file)
    return Subscription(
        id=path.name,
        name=str(properties.get("displayName", path.name)),
        keys=tuple(_secret(str(each), named_values, file) for each in keys if each),
        product=product,
        api=api,
        state=_one_of(SubscriptionState, properties.get("state", "active"), file, "state"),
        started=_moment(properties.get("startDate"), file),
        file=str(file),
    )


def _moment(text: str | None, file: Path) -> float:
    """Seconds since the epoch of an ISO 8601 text, 0 where there is none."""
    if text is None:
        return 0.0
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        raise PolicyDocumentError(
            str(file), 1, 1, f"startDate '{text}' is no date and time of ISO 8601"
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _subscription_scope(scope: str, file: Path) -> tuple[str | None, str | None]:
    kind, _, name = scope.strip("/").rpartition("/")
    if scope.rstrip("/").endswith("/apis"):
        return None, None
    if kind.endswith("products"):
        return name, None
    if kind.endswith("apis"):
        return None, name
    raise PolicyDocumentError(
        str(file), 1, 1, f"scope '{scope}': write /products/<name>, /apis/<name> or /apis"
    )


def _secret(text: str, named_values: Mapping[str, str], file: Path) -> str:
    name = _WHOLE_NAMED_VALUE.fullmatch(text)
    if name is None:
        raise PolicyDocumentError(
            str(file), 1, 1, "a key is no text for a repository: name the value that holds it"
        )
    if name[1] not in named_values:
        raise PolicyDocumentError(str(file), 1, 1, f"no named value '{name[1]}'")
    return named_values[name[1]]


def _one_of(kind: type[E], value: Any, file: Path, name: str) -> E:
    for each in kind:
        if str(value).lower() == each.value.lower():
            return each
    known = ", ".join(each.value for each in kind)
    raise PolicyDocumentError(str(file), 1, 1, f"{name} '{value}' is none of {known}")


def _api(path: Path) -> ApiEntry:
    file = path / "apiInformation.json"
    properties = _properties(file)
    names = properties.get("subscriptionKeyParameterNames") or {}
    _, marked, number = path.name.partition(";rev=")
    revision = str(properties.get("apiRevision", number or "1"))
    if marked and revision != number:
        raise PolicyDocumentError(
            str(file), 1, 1, f"the folder is of revision {number}, apiRevision says {revision}"
        )
    # The set is named by its resource id, or by the extractor's short form of it.
    version_set = str(properties.get("apiVersionSetId") or "").rstrip("/").rpartition("/")[2]
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
        revision=revision,
        current=bool(properties.get("isCurrent", not marked)),
        version=properties.get("apiVersion") or None,
        version_set=version_set or None,
        file=str(file),
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
