"""From a flow's document to a checked :class:`Flow`; every fault with its JSON path."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hybridmandate.orchestration.definition import kinds
from hybridmandate.orchestration.definition.action_checks import check_action
from hybridmandate.orchestration.definition.document import FlowDocument
from hybridmandate.orchestration.definition.errors import DefinitionError, DefinitionInvalid
from hybridmandate.orchestration.definition.expression_checks import check_expressions
from hybridmandate.orchestration.definition.graph_checks import build_graph
from hybridmandate.orchestration.definition.model import (
    Action,
    Branch,
    ConnectionReference,
    Flow,
    Graph,
    Parameter,
    Trigger,
)
from hybridmandate.orchestration.definition.placement_checks import check_placement
from hybridmandate.orchestration.definition.races import racy_variables
from hybridmandate.orchestration.definition.reference_checks import check_references
from hybridmandate.orchestration.definition.secrecy import secured_parts
from hybridmandate.orchestration.definition.shapes import (
    CONNECTION,
    DEFINITION,
    PARAMETER,
    TRIGGER,
    check_runtime,
    check_shape,
)

_RESULT_OF = re.compile(r"result\(\s*'((?:[^']|'')+)'\s*\)", re.IGNORECASE)
_ANY_RESULT = re.compile(r"\bresult\(", re.IGNORECASE)


def read_flow(path: Path) -> tuple[FlowDocument, Flow]:
    """Read and check a flow file.

    :raises DefinitionInvalid: listing every fault.
    :raises OSError: when the file cannot be read.
    """
    document = FlowDocument.parse(path.read_bytes(), path.name)
    return document, load_flow(document)


def load_flow(document: FlowDocument) -> Flow:
    """The flow of a document. :raises DefinitionInvalid: listing every fault."""
    return _Loader(document).load()


class _Loader:
    """Walks a document once and gathers faults on the way."""

    def __init__(self, document: FlowDocument) -> None:
        self._document = document
        self._errors: list[DefinitionError] = []
        self._actions: dict[str, Action] = {}
        self._places: dict[str, str] = {}

    def load(self) -> Flow:
        definition, path = self._document.definition, self._document.path
        self._unknown_keys(definition, kinds.DEFINITION_KEYS, path)
        if not check_shape(definition, DEFINITION, self._under(path)):
            raise DefinitionInvalid(self._document.name, self._errors)
        connections = self._connections()
        parameters = self._parameters(definition.get("parameters") or {}, f"{path}.parameters")
        trigger = self._trigger(definition.get("triggers"), f"{path}.triggers")
        actions = definition.get("actions")
        graph = self._graph(actions, f"{path}.actions", owner=None, branch=None, loops=())
        check_expressions(definition, path, self._errors)
        self._connection_keys(connections)
        if not self._errors and trigger is not None:
            self._errors.extend(check_placement(trigger, self._actions.values()))
            self._errors.extend(check_references(self._actions, parameters))
        if self._errors or trigger is None:
            raise DefinitionInvalid(self._document.name, self._errors)
        return Flow(
            name=self._document.name,
            workflow_id=self._document.workflow_id,
            trigger=trigger,
            graph=graph,
            actions=self._actions,
            parameters=parameters,
            connections=connections,
            static_results=definition.get("staticResults") or {},
            outputs=definition.get("outputs") or {},
            collected_loops=_collected(definition, self._actions),
            names={name.lower(): name for name in self._actions},
            secured=secured_parts(trigger, self._actions),
            races=racy_variables(list(self._actions.values())),
        )

    def _fault(self, path: str, message: str) -> None:
        self._errors.append(DefinitionError(path, message))

    def _under(self, path: str) -> Callable[[str, str], None]:
        """What tells of a fault at a place under a path."""
        return lambda where, message: self._fault(f"{path}{where}", message)

    def _unknown_keys(self, value: Mapping[str, Any], known: frozenset[str], path: str) -> None:
        for key in value:
            if key not in known:
                self._fault(f"{path}.{key}", "unknown key")

    def _connections(self) -> dict[str, ConnectionReference]:
        found = {}
        for key, value in self._document.connection_references.items():
            path = f"$.properties.connectionReferences.{key}"
            if not isinstance(value, dict):
                self._fault(path, "must be an object")
                continue
            if not check_shape(value, CONNECTION, self._under(path)):
                continue
            connection, api = value.get("connection") or {}, value.get("api") or {}
            found[key] = ConnectionReference(
                key=key,
                logical_name=str(connection.get("connectionReferenceLogicalName") or key),
                api_name=str(api.get("name") or str(value.get("id", "")).rpartition("/")[2]),
                runtime_source=value.get("runtimeSource"),
            )
        return found

    def _parameters(self, declared: Any, path: str) -> dict[str, Parameter]:
        if not isinstance(declared, dict):
            self._fault(path, "must be an object")
            return {}
        found = {}
        given = self._given_values()
        for name, value in declared.items():
            if not isinstance(value, dict) or value.get("type") is None:
                self._fault(f"{path}.{name}", "a parameter is an object with a 'type'")
                continue
            if not check_shape(value, PARAMETER, self._under(f"{path}.{name}")):
                continue
            metadata = value.get("metadata") or {}
            default = given.get(name, value.get("defaultValue"))
            found[name] = Parameter(name, value["type"], default, metadata.get("schemaName"))
        for name in given:
            if name not in declared:
                self._fault(f"$.parameters.{name}", "the definition has no such parameter")
        return found

    def _given_values(self) -> dict[str, Any]:
        """The values of parameters that stand beside the definition."""
        found = {}
        for name, each in self._document.parameter_values.items():
            if isinstance(each, dict) and "value" in each:
                found[name] = each["value"]
            else:
                self._fault(f"$.parameters.{name}", "must be an object with a 'value'")
        return found

    def _trigger(self, declared: Any, path: str) -> Trigger | None:
        if not isinstance(declared, dict) or len(declared) != 1:
            self._fault(path, "a flow has exactly one trigger")
            return None
        ((name, value),) = declared.items()
        here = f"{path}.{name}"
        if not isinstance(value, dict):
            self._fault(here, "must be an object")
            return None
        self._unknown_keys(value, kinds.TRIGGER_KEYS, here)
        fault = self._under(here)
        if not (check_shape(value, TRIGGER, fault) and check_runtime(value, fault)):
            return None
        if value.get("type") not in kinds.TRIGGER_TYPES:
            self._fault(f"{here}.type", f"trigger type '{value.get('type')}' is not supported")
            return None
        conditions = value.get("conditions") or []
        runs = _object(_object(value.get("runtimeConfiguration")).get("concurrency")).get("runs")
        if runs is not None and (type(runs) is not int or not 1 <= runs <= 100):
            self._fault(f"{here}.runtimeConfiguration.concurrency.runs", "must be from 1 to 100")
        return Trigger(
            name=name,
            type=value["type"],
            kind=value.get("kind"),
            path=here,
            inputs=value.get("inputs") or {},
            recurrence=value.get("recurrence"),
            split_on=value.get("splitOn"),
            conditions=tuple(
                each.get("expression") if isinstance(each, dict) else each for each in conditions
            ),
            correlation=(value.get("correlation") or {}).get("clientTrackingId"),
            runtime=value.get("runtimeConfiguration") or {},
            options=_options(value),
            metadata=value.get("metadata") or {},
        )

    def _graph(
        self,
        declared: Any,
        path: str,
        *,
        owner: str | None,
        branch: str | None,
        loops: tuple[str, ...],
    ) -> Graph:
        if declared is None:
            declared = {}
        if not isinstance(declared, dict):
            self._fault(path, "must be an object of actions")
            declared = {}
        actions = [
            action
            for name, value in declared.items()
            if (action := self._action(name, value, f"{path}.{name}", owner, branch, loops))
        ]
        return build_graph(actions, frozenset(declared), path, self._errors)

    def _action(
        self,
        name: str,
        value: Any,
        path: str,
        owner: str | None,
        branch: str | None,
        loops: tuple[str, ...],
    ) -> Action | None:
        if not isinstance(value, dict):
            self._fault(path, "an action is an object")
            return None
        self._unknown_keys(value, kinds.ACTION_KEYS, path)
        taken = self._places.setdefault(name.lower(), path)
        if taken != path:
            self._fault(path, f"the action name '{name}' is taken: {taken}")
            return None
        if not check_action(name, value, path, owner, self._errors):
            return None
        inner = (*loops, name) if value["type"] in kinds.LOOPS else loops
        inputs = value.get("inputs")
        retry = inputs.get("retryPolicy") if isinstance(inputs, dict) else None
        action = Action(
            name=name,
            type=value["type"],
            kind=value.get("kind"),
            path=path,
            owner=owner,
            branch=branch,
            loops=loops,
            run_after={
                each: frozenset(_status_name(s) for s in statuses)
                for each, statuses in _object(value.get("runAfter")).items()
                if isinstance(statuses, list)
            },
            inputs=inputs,
            expression=value.get("expression"),
            foreach=value.get("foreach"),
            branches=self._branches(value, path, name, inner),
            retry=retry if isinstance(retry, dict) else None,
            limit=_object(value.get("limit")),
            runtime=_object(value.get("runtimeConfiguration")),
            options=_options(value),
            tracked_properties=_object(value.get("trackedProperties")),
            description=value.get("description"),
            metadata=_object(value.get("metadata")),
        )
        self._actions[name] = action
        return action

    def _branches(
        self, value: dict[str, Any], path: str, name: str, loops: tuple[str, ...]
    ) -> tuple[Branch, ...]:
        kind = value["type"]
        if kind not in kinds.CONTAINERS:
            return ()

        def graph(declared: Any, where: str, label: str) -> Branch:
            inside = self._graph(declared, where, owner=name, branch=label, loops=loops)
            return Branch(label, inside)

        if kind == "Switch":
            return self._cases(value, path, name, loops)
        main = graph(value.get("actions"), f"{path}.actions", "actions")
        if kind != "If":
            return (main,)
        otherwise = _object(value.get("else")).get("actions")
        return main, graph(otherwise, f"{path}.else.actions", "else")

    def _cases(
        self, value: dict[str, Any], path: str, name: str, loops: tuple[str, ...]
    ) -> tuple[Branch, ...]:
        branches = []
        for case, body in _object(value.get("cases")).items():
            where, label = f"{path}.cases.{case}", f"case:{case}"
            if not isinstance(body, dict) or "case" not in body:
                self._fault(where, "a case is an object with 'case' and 'actions'")
                continue
            inside = self._graph(
                body.get("actions"), f"{where}.actions", owner=name, branch=label, loops=loops
            )
            branches.append(Branch(label, inside, body["case"]))
        default = _object(value.get("default")).get("actions")
        inside = self._graph(
            default, f"{path}.default.actions", owner=name, branch="default", loops=loops
        )
        return (*branches, Branch("default", inside))

    def _connection_keys(self, connections: Mapping[str, ConnectionReference]) -> None:
        """Every connection that an action of an exported flow names must be declared."""
        if not self._document.connection_references:
            return
        for action in self._actions.values():
            host = action.inputs.get("host") if isinstance(action.inputs, dict) else None
            key = host.get("connectionName") if isinstance(host, dict) else None
            if isinstance(key, str) and not key.startswith("@") and key not in connections:
                self._fault(
                    f"{action.path}.inputs.host.connectionName",
                    f"there is no connection reference '{key}'",
                )


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _options(value: Mapping[str, Any]) -> frozenset[str]:
    text = value.get("operationOptions")
    if not isinstance(text, str):
        return frozenset()
    return frozenset(part.strip() for part in text.split(",") if part.strip())


def _status_name(value: Any) -> str:
    """``SUCCEEDED`` and ``Succeeded`` are the same; both stand in real files."""
    by_lower = {each.lower(): each for each in kinds.RUN_AFTER_STATUSES}
    return by_lower.get(str(value).lower(), str(value))


def _collected(definition: Mapping[str, Any], actions: Mapping[str, Action]) -> frozenset[str]:
    text = json.dumps(definition)
    loops = {name for name, action in actions.items() if action.type in kinds.LOOPS}
    named = {each.replace("''", "'") for each in _RESULT_OF.findall(text)}
    if len(_ANY_RESULT.findall(text)) > len(_RESULT_OF.findall(text)):
        named = set(actions)
    around = {loop for name in named if name in actions for loop in actions[name].loops}
    return frozenset((named | around) & loops)
