"""What of a folder of flows would run here, and why the rest would not.

A flow *runs* when it loads and its run in memory comes to a final status with every call answered
by a sample, unless an action failed because a value could not be evaluated and the flow did not
handle that failure itself.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hybridmandate.orchestration.connectors.host import CONNECTORS
from hybridmandate.orchestration.connectors.swagger_paths import (
    connection_key,
    routed,
    without_values,
)
from hybridmandate.orchestration.definition import DefinitionInvalid, Flow, load_flow
from hybridmandate.orchestration.definition.model import Action
from hybridmandate.orchestration.definition.packages import PackagedFlow, is_desktop_flow
from hybridmandate.orchestration.shells.memory import MemoryRun
from hybridmandate.orchestration.testing.sample_run import run_with_samples

ENGINE_CODES = frozenset(
    {
        "ExpressionEvaluationFailed",
        "ForeachItemsLimitExceeded",
        "InvalidJSON",
        "InvalidTemplate",
        "RequestRefused",
        "ValidationFailed",
    }
)
"""Codes of failures that come from the definition or the engine, not from a service."""


@dataclass(frozen=True, slots=True)
class FlowResult:
    """One flow: whether it loads, how its run ended, and why it does not run (None when it does).

    ``simulated`` and ``mocked`` count its calls by operation.
    """

    entry: str
    name: str
    loads: bool
    status: str | None = None
    reason: str | None = None
    actions: int = 0
    reached: int = 0
    simulated: Mapping[str, int] = field(default_factory=dict)
    mocked: Mapping[str, int] = field(default_factory=dict)

    @property
    def runs(self) -> bool:
        """Whether it loads and ran to its end."""
        return self.loads and self.reason is None


@dataclass(frozen=True, slots=True)
class FolderResult:
    """All flows of a folder, each definition once."""

    flows: tuple[FlowResult, ...]
    repeated: int
    desktop: int

    @property
    def loading(self) -> int:
        """How many load."""
        return sum(each.loads for each in self.flows)

    @property
    def running(self) -> int:
        """How many run."""
        return sum(each.runs for each in self.flows)

    def to_json(self) -> dict[str, Any]:
        """The result for machines."""
        simulated, mocked = self.operations()
        return {
            "flows": len(self.flows),
            "load": self.loading,
            "run": self.running,
            "repeated": self.repeated,
            "desktopFlows": self.desktop,
            "actions": sum(each.actions for each in self.flows),
            "reached": sum(each.reached for each in self.flows),
            "notRunning": [
                {"flow": each.entry, "reason": each.reason} for each in self.flows if not each.runs
            ],
            "simulated": dict(simulated.most_common()),
            "mocked": dict(mocked.most_common()),
        }

    def operations(self) -> tuple[Counter[str], Counter[str]]:
        """Actions by operation: those that are simulated, and those that were mocked."""
        simulated: Counter[str] = Counter()
        mocked: Counter[str] = Counter()
        for each in self.flows:
            simulated.update(each.simulated)
            mocked.update(each.mocked)
        return simulated, mocked


def cover(flows: Iterable[PackagedFlow]) -> FolderResult:
    """Load and run every flow once."""
    seen: set[bytes] = set()
    results: list[FlowResult] = []
    repeated = desktop = 0
    for packaged in flows:
        if packaged.document is None:
            if packaged.fault is not None and is_desktop_flow(packaged.fault):
                desktop += 1
                continue
            results.append(_not_loaded(packaged, packaged.fault))
            continue
        digest = hashlib.sha256(packaged.document.raw).digest()
        if digest in seen:
            repeated += 1
            continue
        seen.add(digest)
        try:
            flow = load_flow(packaged.document)
        except DefinitionInvalid as fault:
            results.append(_not_loaded(packaged, fault))
            continue
        results.append(_run(packaged.entry, flow))
    return FolderResult(tuple(results), repeated, desktop)


def _not_loaded(packaged: PackagedFlow, fault: DefinitionInvalid | None) -> FlowResult:
    reason = "; ".join(str(each) for each in fault.errors[:3]) if fault else "unreadable"
    return FlowResult(packaged.entry, packaged.entry, loads=False, reason=reason[:600])


def _run(entry: str, flow: Flow) -> FlowResult:
    run = run_with_samples(flow)
    calls = [each for action in flow.actions.values() if (each := _operation(flow, action))]
    known = Counter(each for each in calls if _is_simulated(each))
    other = Counter(each for each in calls if not _is_simulated(each))
    reached = {each["name"] for each in run.tracked if each["status"] != "Skipped"}
    return FlowResult(
        entry,
        flow.name,
        loads=True,
        status=run.status,
        reason=_reason(run),
        actions=len(flow.actions),
        reached=len(reached),
        simulated=known,
        mocked=other,
    )


def _reason(run: MemoryRun) -> str | None:
    if run.status == "Running":
        return f"the run does not end: it waits for {sorted(run.waiting)[:3]}"
    if run.status == "Succeeded":
        return None
    for record in run.tracked:
        if record["status"] == "Failed" and record["code"] in ENGINE_CODES:
            message = (record.get("error") or {}).get("message")
            return f"{record['name']}: {record['code']}: {message}"[:600]
    return None


def _operation(flow: Flow, action: Action) -> str | None:
    """Connector and operation of a call, None for what calls nothing."""
    inputs = action.inputs if isinstance(action.inputs, dict) else {}
    if action.type in ("Http", "Workflow"):
        return action.type
    if "Connection" not in action.type and action.type != "Changeset":
        return None
    host = inputs["host"]
    if "operationId" in host:
        return f"{str(host.get('apiId', '')).rpartition('/')[2]}.{host['operationId']}"
    key = connection_key((host.get("connection") or {}).get("name"))
    reference = flow.connections.get(key or "")
    api = reference.api_name if reference else ""
    path = without_values(str(inputs.get("path")))
    found = routed(api, {"method": inputs.get("method"), "path": path})
    name = found.operation if found else f"{inputs.get('method')} {path}"
    return f"{api}.{name}"


def _is_simulated(operation: str) -> bool:
    if operation in ("Http", "Workflow"):
        return True
    api, _, name = operation.partition(".")
    connector = CONNECTORS.get(api)
    return connector is not None and name in connector.operations
