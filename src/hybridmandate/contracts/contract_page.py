"""The contract page of an action: all that a maker must know to call it (requirement A6)."""

from __future__ import annotations

import json
from typing import Any

from hybridmandate.contracts.connector import failures_by_status
from hybridmandate.contracts.connector_actions import Action, Actions
from hybridmandate.contracts.connector_dialect import Schema
from hybridmandate.contracts.failures import FAILURES
from hybridmandate.contracts.outcome import ContractRef, Outcome, Status

CORRELATION = "3f0c8a52-6f7e-4a0e-9b51-0c2d6f1e7a44"


def contract_page(actions: Actions, action: Action, *, gateway: str, audience: str) -> str:
    """Markdown; ``gateway`` is the address of callers, ``audience`` that of their tokens."""
    parts = [
        f"# {action.summary}",
        action.description,
        *_life(action),
        "## Endpoint",
        f"`POST {gateway.rstrip('/')}{action.path}`",
        f"In the connector: `{action.operation_id}`. Contract: {action.name} v{action.version}.",
        "## Authentication",
        f"A workload token for `{audience}` with the role `{action.role}`. A person's token is "
        "refused.",
        "## Request",
        _fence("http", _request(actions, action)),
        *_job(action),
        "## Outcome",
        _fence("json" if action.data is not None else "text", _outcome(actions, action)),
        "## Errors",
        "Each is an outcome with a failure; `failure.type` says which.",
        _failures(action),
        "## Throttling",
        _throttling(action),
    ]
    return "\n\n".join(parts) + "\n"


def example_of(actions: Actions, schema: Schema) -> Any:
    """A value that fits the schema: its own example or default, else the smallest of its type."""
    schema = actions.resolve(schema)
    for word in ("example", "default"):
        if word in schema:
            return schema[word]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("x-nullable"):
        return None
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {name: example_of(actions, each) for name, each in properties.items()}
        case "array":
            return [example_of(actions, schema["items"])]
        case "string":
            return {"date": "2026-05-01", "date-time": "2026-05-01T08:00:00Z"}.get(
                schema.get("format", ""), "text"
            )
        case "integer":
            return schema.get("minimum", 0)
        case "number":
            return schema.get("minimum", 0.0)
        case "boolean":
            return False
    return None


def _life(action: Action) -> list[str]:
    if action.deprecated is None:
        return []
    end = "" if action.sunset is None else f" It is refused from {action.sunset.isoformat()} on."
    return [f"**Deprecated** since {action.deprecated.isoformat()}.{end}"]


def _request(actions: Actions, action: Action) -> str:
    media = "application/octet-stream"
    lines = [
        f"POST {action.path} HTTP/1.1",
        "Authorization: Bearer <token>",
        f"x-correlation-id: {CORRELATION}",
    ]
    if action.request is None:
        kind = media if media in action.media_types else action.media_types[0]
        return "\n".join(
            [*lines, "x-file-name: invoices.xlsx", f"Content-Type: {kind}", "", "<the file>"]
        )
    body = json.dumps(example_of(actions, action.request), indent=2)
    return "\n".join([*lines, "Content-Type: application/json", "", body])


def _job(action: Action) -> list[str]:
    if not action.as_job:
        return []
    return [
        "With `Prefer: respond-async` it runs as a job: the answer is 202 with `Location` and "
        "`Retry-After`. Power Automate polls the location by itself until the job has ended."
    ]


def _outcome(actions: Actions, action: Action) -> str:
    if action.data is None:
        return "the bytes of the file, with its content type"
    outcome = Outcome(
        status=Status.SUCCEEDED,
        correlation_id=CORRELATION,
        contract=ContractRef(operation=action.name, version=action.version),
        data=example_of(actions, action.data),
    )
    return json.dumps(outcome.to_json(), indent=2)


def _failures(action: Action) -> str:
    rows = ["| status | type | send again | meaning |", "| --- | --- | --- | --- |"]
    for status, types in failures_by_status(action.failures).items():
        for each in types:
            rule = FAILURES[each]
            rows.append(f"| {status} | `{each}` | {rule.retry} | {rule.meaning} |")
    return "\n".join(rows)


def _throttling(action: Action) -> str:
    wait = "Beyond it the answer is 429 `throttled`; wait as long as `Retry-After` says."
    if action.limits is None:
        return f"The gateway's policy sets the limit. {wait}"
    return (
        f"{action.limits.calls_per_minute} calls a minute for each client. {wait} "
        f"A body has at most {action.limits.payload}; a call takes at most "
        f"{action.limits.timeout}."
    )


def _fence(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"
