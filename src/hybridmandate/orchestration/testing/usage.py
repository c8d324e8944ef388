"""What a flow expects of its answers, read from how its expressions use them.

Every expression is followed to the places of answers that it looks at (``body('List_rows')``,
then ``value``, then an item, then ``name``), and the function around it says which type is needed
there. Nothing is evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from hybridmandate.orchestration.definition.model import Action, Flow
from hybridmandate.orchestration.expressions import ExpressionError, parse_template
from hybridmandate.orchestration.expressions.syntax import Access, Call, Literal, Node
from hybridmandate.orchestration.testing.place import Place, ask
from hybridmandate.orchestration.testing.text_forms import form_of

TRIGGER = ""
"""The name under which the trigger's body is kept; no action has it."""
MAX_ITEMS = 50
"""How many items a list gets at most because an expression looks at one of them."""
MAX_FOLLOWED = 32
"""How many Compose, Parse JSON and loop steps are followed from one expression."""

_LISTS = {
    "first": "list",
    "last": "list",
    "union": "list",
    "intersection": "list",
    "join": "list",
    "chunk": "list",
    "skip": "list",
    "take": "list",
    "sort": "list",
    "reverse": "list",
}
_NUMBERS = frozenset(
    [
        "int",
        "float",
        "add",
        "sub",
        "mul",
        "div",
        "mod",
        "min",
        "max",
        "formatnumber",
        "range",
        "decimal",
    ]
)
_MOMENTS = frozenset(
    [
        "formatdatetime",
        "adddays",
        "addhours",
        "addminutes",
        "addseconds",
        "addtotime",
        "subtractfromtime",
        "ticks",
        "startofday",
        "startofhour",
        "startofmonth",
        "dayofweek",
        "dayofmonth",
        "dayofyear",
        "convertfromutc",
        "converttoutc",
        "converttimezone",
        "parsedatetime",
        "datedifference",
        "date",
    ]
)
_CLOCK = _MOMENTS | {"utcnow", "getpasttime", "getfuturetime"}
_SHIFTING = frozenset(
    ["adddays", "addhours", "addminutes", "addseconds", "addtotime", "subtractfromtime"]
)
_TEXTS = {
    "isint": "digits",
    "isfloat": "digits",
    "xml": "xml",
    "urihost": "uri",
    "uripath": "uri",
    "uriquery": "uri",
    "uripathandquery": "uri",
}
_ENCODED = frozenset(["base64tostring", "base64tobinary", "decodebase64"])
_VARIABLE_KINDS = {
    "array": "list",
    "integer": "number",
    "float": "number",
    "boolean": "bool",
    "object": "object",
}
_EQUAL = frozenset({"equals", "contains", "startswith", "endswith"})
_ZONES = {"convertfromutc": 2, "converttoutc": 2, "converttimezone": 3}
"""Functions with time zones: how many of their first arguments lie before and in the zones."""
_COMPARISONS = frozenset(["greater", "greaterorequals", "less", "lessorequals"])
_OPENING: dict[str, Callable[[Place], Place]] = {
    "first": lambda place: place.element(),
    "last": lambda place: place.element(),
    "json": lambda place: place.content(),
    **dict.fromkeys(_ENCODED, lambda place: place.plain()),
}
_SAME = frozenset(
    [
        "coalesce",
        "skip",
        "take",
        "sort",
        "reverse",
        "union",
        "intersection",
        "string",
        "trim",
        "tolower",
        "toupper",
        "if",
    ]
)


class Usage:
    """The answers of a flow's calls as its expressions use them, by action name."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self.answers: dict[str, Place] = {}
        self._steps = 0
        for value in (flow.trigger.inputs, flow.trigger.split_on, list(flow.trigger.conditions)):
            self._read(value, None)
        for action in flow.actions.values():
            self._action(action)

    def answer(self, name: str) -> Place:
        """What is known of an action's answer, or of the trigger's body."""
        return self.answers.setdefault(name, Place())

    def _action(self, action: Action) -> None:
        inputs = action.inputs
        if action.foreach is not None:
            self._want(action.foreach, action, "list")
        if isinstance(inputs, dict) and action.type in ("Select", "Query", "Join", "Table"):
            self._want(inputs.get("from"), action, "list")
        if action.type == "ParseJson":
            place = self._of_text(inputs.get("content"), action)
            if place is not None:
                place.content().schema = inputs.get("schema")
        self._variables(action)
        if action.type == "Wait" and isinstance(inputs, dict):
            until = inputs.get("until")
            self._want(
                until.get("timestamp") if isinstance(until, dict) else until, action, "moment"
            )
        if action.type == "Expression" and isinstance(inputs, dict):
            self._want(inputs.get("baseTime"), action, "moment")
            for key in ("sourceTimeZone", "destinationTimeZone"):
                self._want(inputs.get(key), action, "zone")
        self._compared(action.expression, action)
        for value in (inputs, action.expression, action.foreach, action.limit):
            self._read(value, action)

    def _compared(self, condition: Any, action: Action) -> None:
        """Operators of a condition that is written as an object."""
        if isinstance(condition, list):
            for each in condition:
                self._compared(each, action)
        if not isinstance(condition, dict):
            return
        for key, operands in condition.items():
            if isinstance(operands, list):
                self._operator(key.lower(), tuple(_operand(each) for each in operands), action)
            self._compared(operands, action)

    def _operator(self, name: str, operands: tuple[Node, ...], action: Action | None) -> None:
        if name in _COMPARISONS:
            self._order(operands, action)
        elif name in _EQUAL and len(operands) == 2:
            self._equal(operands, action)

    def _equal(self, operands: tuple[Node, ...], action: Action | None) -> None:
        """What is compared with a value may have that value."""
        for one, other in (operands, operands[::-1]):
            if isinstance(other, Literal) and other.value not in (None, "", False):
                place = self._place(one, action)
                if place is not None and place.literal is None:
                    place.literal = other.value

    def _order(self, operands: tuple[Node, ...], action: Action | None) -> None:
        """Both sides of a comparison by order are numbers, or both are points in time."""
        functions = {each.name.lower() for each in operands if isinstance(each, Call)}
        kind = "moment" if functions & _CLOCK else "number"
        for each in operands:
            place = self._place(each, action)
            if place is not None:
                ask(place, kind)

    def _variables(self, action: Action) -> None:
        declared = action.inputs if isinstance(action.inputs, dict) else {}
        if action.type == "InitializeVariable":
            for each in declared["variables"]:
                self._fit(each.get("value"), action, str(each["type"]).lower())
        elif action.type in ("IncrementVariable", "DecrementVariable"):
            self._fit(declared.get("value"), action, "integer")
        elif action.type == "SetVariable":
            kind = next(
                (
                    str(each["type"]).lower()
                    for other in self._flow.actions.values()
                    if other.type == "InitializeVariable"
                    for each in other.inputs["variables"]
                    if each["name"] == declared.get("name")
                ),
                "",
            )
            self._fit(declared.get("value"), action, kind)

    def _fit(self, value: Any, action: Action, kind: str) -> None:
        if kind in _VARIABLE_KINDS:
            self._want(value, action, _VARIABLE_KINDS[kind])

    def _want(self, value: Any, action: Action | None, kind: str) -> None:
        place = self._of_text(value, action)
        if place is not None:
            ask(place, kind)

    def _of_text(self, value: Any, action: Action | None) -> Place | None:
        nodes = _nodes(value)
        return self._place(nodes[0], action) if len(nodes) == 1 else None

    def _read(self, value: Any, action: Action | None) -> None:
        for text in _texts(value):
            for node in _nodes(text):
                self._walk(node, action)

    def _walk(self, node: Node, action: Action | None) -> None:
        self._place(node, action)
        if isinstance(node, Access):
            self._walk(node.target, action)
            self._walk(node.key, action)
        elif isinstance(node, Call):
            self._demand(node, action)
            for each in node.arguments:
                self._walk(each, action)

    def _demand(self, call: Call, action: Action | None) -> None:
        name = call.name.lower()
        self._operator(name, call.arguments, action)
        self._taken_apart(name, call.arguments, action)
        kind = _LISTS.get(name)
        if name in _NUMBERS:
            kind = "number"
        elif name in _MOMENTS:
            kind = "moment"
        elif name in _ENCODED:
            kind = "base64"
        elif name in _TEXTS:
            kind = _TEXTS[name]
        if kind is None:
            return
        if kind == "moment" and len(call.arguments) > 1 and name in _SHIFTING:
            amount = self._place(call.arguments[1], action)
            if amount is not None:
                ask(amount, "number")
        of_all = kind in ("list", "number")
        for each in call.arguments if of_all else call.arguments[:1]:
            place = self._place(each, action)
            if place is not None:
                ask(place, kind)

    def _taken_apart(self, name: str, arguments: tuple[Node, ...], action: Action | None) -> None:
        """Texts of a form: split at a separator, a date in a format, a time zone."""
        second = arguments[1] if len(arguments) > 1 else None
        if name in _ZONES:
            for each in arguments[1 : _ZONES[name]]:
                self._want_node(each, action, "zone")
        if name == "xpath" and isinstance(second, Call):
            for each in second.arguments:
                named = self._place(each, action)
                if named is not None and named.literal is None:
                    named.literal = "sample"
        place = self._place(arguments[0], action) if arguments else None
        if place is not None:
            place.literal = form_of(name, arguments, place.literal) or place.literal

    def _want_node(self, node: Node, action: Action | None, kind: str) -> None:
        place = self._place(node, action)
        if place is not None:
            ask(place, kind)

    # --- following an expression to a place ----------------------------------------------------

    def _place(self, node: Node, action: Action | None) -> Place | None:
        self._steps = 0
        return self._follow(node, action)

    def _follow(self, node: Node, action: Action | None) -> Place | None:
        self._steps += 1
        if self._steps > MAX_FOLLOWED:
            return None
        if isinstance(node, Access):
            return self._property(node, action)
        if not isinstance(node, Call):
            return None
        name = node.name.lower()
        if name in _ROOTS:
            return self._root(name, node.arguments)
        if name in ("items", "item"):
            return self._loop_item(node.arguments, action)
        if not node.arguments:
            return None
        if name == "variables":
            return self._variable(node.arguments[0])
        return self._through(name, node.arguments, action)

    def _through(
        self, name: str, arguments: tuple[Node, ...], action: Action | None
    ) -> Place | None:
        """The place behind a function that passes its argument on, or opens it."""
        if name not in _SAME and name not in _OPENING:
            return None
        places = (self._follow(each, action) for each in _passed(name, arguments))
        place = next((each for each in places if each is not None), None)
        if place is None or name in _SAME:
            return place
        return _OPENING[name](place)

    def _property(self, node: Access, action: Action | None) -> Place | None:
        place = self._follow(node.target, action)
        if place is None or not isinstance(node.key, Literal):
            return None
        key = node.key.value
        if isinstance(key, int) and not isinstance(key, bool):
            place.size = max(place.size, min(key + 1, MAX_ITEMS))
            return place.element()
        return place.part(key) if isinstance(key, str) else None

    def _root(self, function: str, arguments: tuple[Node, ...]) -> Place | None:
        if function.startswith("trigger"):
            brought = self.answer(TRIGGER)
            wrapped = {"triggerbody": brought.part("body"), "trigger": _wrapped("outputs", brought)}
            return wrapped.get(function, brought)
        name = arguments[0].value if arguments and isinstance(arguments[0], Literal) else None
        found = self._flow.find(name) if isinstance(name, str) else None
        outputs = None if found is None else self._outputs(found)
        if outputs is None:
            return None
        if function == "actions":
            return _wrapped("outputs", outputs)
        return outputs if function.endswith("outputs") else outputs.part("body")

    def _outputs(self, action: Action) -> Place | None:
        inputs = action.inputs if isinstance(action.inputs, dict) else {}
        if action.type == "Compose":
            return self._source(action.inputs, action)
        if action.type in ("Http", "Workflow") or "Connection" in action.type:
            return self.answer(action.name)
        if action.type == "Select":
            mapped = inputs.get("select")
            parts = mapped if isinstance(mapped, dict) else {}
            item = Place(parts={k: self._source(v, action) or Place() for k, v in parts.items()})
            return _wrapped("body", Place(kind="list", item=item))
        body = None
        if action.type == "Query":
            body = self._source(inputs.get("from"), action)
        elif action.type == "ParseJson":
            body = self._source(inputs.get("content"), action)
            body = None if body is None else body.content()
        return None if body is None else _wrapped("body", body)

    def _variable(self, node: Node) -> Place | None:
        """The place that a variable is set from; for a list, one that holds what is appended."""
        if not isinstance(node, Literal):
            return None
        for action in self._flow.actions.values():
            inputs = action.inputs if isinstance(action.inputs, dict) else {}
            declared = inputs.get("variables") if action.type == "InitializeVariable" else [inputs]
            for each in declared or ():
                if each.get("name") != node.value or "Variable" not in action.type:
                    continue
                place = self._source(each.get("value"), action)
                if place is None:
                    continue
                if action.type == "AppendToArrayVariable":
                    return Place(kind="list", item=place)
                return place
        return None

    def _source(self, value: Any, action: Action) -> Place | None:
        nodes = _nodes(value)
        return self._follow(nodes[0], action) if len(nodes) == 1 else None

    def _loop_item(self, arguments: tuple[Node, ...], action: Action | None) -> Place | None:
        if action is None:
            return None
        if not arguments and action.type in ("Select", "Query", "Table"):
            return _element(self._source(action.inputs.get("from"), action))
        loop = action.loops[-1] if action.loops else None
        if arguments and isinstance(arguments[0], Literal):
            known = self._flow.find(str(arguments[0].value))
            loop = known.name if known is not None else None
        found = self._flow.actions.get(loop) if loop else None
        if found is None or found.foreach is None:
            return None
        return _element(self._source(found.foreach, found))


def _passed(name: str, arguments: tuple[Node, ...]) -> tuple[Node, ...]:
    """The arguments of which one is the function's value."""
    if name == "if":
        return arguments[1:]
    return arguments if name == "coalesce" else arguments[:1]


_ROOTS = frozenset(
    [
        "body",
        "actionbody",
        "outputs",
        "actionoutputs",
        "actions",
        "triggerbody",
        "trigger",
        "triggeroutputs",
    ]
)


def _element(place: Place | None) -> Place | None:
    return None if place is None else place.element()


def _wrapped(key: str, place: Place) -> Place:
    return Place(parts={key: place})


def _operand(value: Any) -> Node:
    nodes = _nodes(value)
    return nodes[0] if len(nodes) == 1 else Literal(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if "@" in value:
            yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(key)
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)


def _nodes(value: Any) -> tuple[Node, ...]:
    if not isinstance(value, str) or "@" not in value:
        return ()
    try:
        return parse_template(value).nodes
    except ExpressionError:
        return ()
