"""Run histories as files: written of a run, read back, and replayed.

The form is the platform's run resource (Azure Logic Apps REST API, 'Workflow Runs - Get' and
'Workflow Run Actions - List'): ``properties`` with ``status``, ``correlation``, ``trigger`` and
``actions``. Inputs and outputs must be in the file; links to them are of no use later.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hybridmandate.orchestration.engine import Answer, Call
from hybridmandate.orchestration.shells.memory import MemoryRun

_INDEXED = "repetitions"


class RecordedRun:
    """A run that happened before."""

    def __init__(self, tree: Mapping[str, Any]) -> None:
        """:raises ValueError: when it is no run, or its contents are links."""
        properties = tree.get("properties")
        if not isinstance(properties, Mapping) or not isinstance(
            properties.get("actions"), Mapping
        ):
            raise ValueError("a run history has 'properties' with 'actions'")
        self._actions: Mapping[str, Mapping[str, Any]] = properties["actions"]
        trigger = properties.get("trigger") or {}
        if "outputs" not in trigger:
            raise ValueError("the run history has no contents: export it with inputs and outputs")
        self.trigger_outputs: Mapping[str, Any] = trigger["outputs"] or {}
        correlation = properties.get("correlation") or {}
        self.correlation_id: str | None = correlation.get("clientTrackingId")
        self.status: str = properties["status"]

    @classmethod
    def read(cls, path: Path) -> RecordedRun:
        """:raises ValueError: when the file is no run history with its contents."""
        try:
            tree = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise ValueError(f"{path.name}: not JSON: {error}") from error
        if not isinstance(tree, Mapping):
            raise ValueError(f"{path.name}: a run history is a JSON object")
        return cls(tree)

    def has(self, action: str) -> bool:
        """Whether the run reached an action."""
        recorded = self._actions.get(action) or {"status": "Skipped"}
        every = recorded.get(_INDEXED) or [recorded]
        return any(each.get("status") != "Skipped" for each in every)

    def answer(self, call: Call) -> Answer:
        """What the call was answered then, in the same iteration."""
        recorded = self._actions[call.action]
        if recorded.get(_INDEXED):
            recorded = _repetition(recorded[_INDEXED], _indexes(call))
        outputs = recorded.get("outputs")
        if isinstance(outputs, Mapping) and "statusCode" in outputs:
            headers = {k: v for k, v in (outputs.get("headers") or {}).items() if _kept(k)}
            return Answer(int(outputs["statusCode"]), headers, outputs.get("body"))
        if recorded.get("status") == "TimedOut":
            return Answer.timed_out("timed out in the recorded run")
        return Answer.refused(f"'{call.action}' had no answer in the recorded run")

    def differences(self, run: MemoryRun) -> list[str]:
        """A sentence for each status that is not the recorded one."""
        found = []
        if run.status != self.status:
            found.append(f"the run is {run.status}, was {self.status}")
        for name, recorded in self._actions.items():
            now = [each["status"] for each in run.records(name)]
            repeated = recorded.get(_INDEXED)
            before = [e["status"] for e in repeated] if repeated else [recorded.get("status")]
            if now != before:
                found.append(f"{name} is {now or 'not reached'}, was {before}")
        return found


def export_run(
    *,
    run_id: str,
    status: str,
    correlation_id: str | None,
    trigger: Mapping[str, Any],
    records: Iterable[Mapping[str, Any]],
) -> dict[str, Any]:
    """A run in the form that :class:`RecordedRun` reads; ``records`` as they were tracked."""
    actions: dict[str, dict[str, Any]] = {}
    for record in records:
        shown = {
            key: record.get(key)
            for key in ("status", "code", "startTime", "endTime", "inputs", "outputs", "error")
            if record.get(key) is not None
        }
        if not record["at"]:
            actions[record["name"]] = shown
            continue
        indexes = [{"itemIndex": each} for each in record["at"]]
        entry = actions.setdefault(record["name"], {"status": shown["status"], _INDEXED: []})
        entry[_INDEXED].append({**shown, "repetitionIndexes": indexes})
    return {
        "name": run_id,
        "type": "Microsoft.Logic/workflows/runs",
        "properties": {
            "status": status,
            "correlation": {"clientTrackingId": correlation_id},
            "trigger": {"name": trigger.get("name"), "outputs": trigger.get("outputs")},
            "actions": actions,
        },
    }


def _indexes(call: Call) -> list[int]:
    """The iteration of a call: its token begins with the key of the action's record."""
    place = call.token.rpartition("#")[0].removeprefix(call.action).removeprefix("@")
    return [int(each) for each in place.split(".")] if place else []


def _repetition(repeated: list[Mapping[str, Any]], indexes: list[int]) -> Mapping[str, Any]:
    for each in repeated:
        if [part.get("itemIndex") for part in each.get("repetitionIndexes") or ()] == indexes:
            return each
    return {}


def _kept(header: str) -> bool:
    """A recorded answer is final: it must not be watched again."""
    return header.lower() not in ("location", "retry-after")
