"""Which parts a definition may have: action types, keys, retry policies (flow-envelope.md).

Sources: the workflow definition language reference of Azure Logic Apps (workflow actions and
triggers) and the types counted in flows-what-real-ones-use.md.
"""

from __future__ import annotations

CONTAINERS = frozenset({"Scope", "If", "Switch", "Foreach", "Until", "Changeset"})
LOOPS = frozenset({"Foreach", "Until"})
CALLS = frozenset(
    {
        "Http",
        "OpenApiConnection",
        "OpenApiConnectionWebhook",
        "ApiConnection",
        "ApiConnectionWebhook",
        "Changeset",
        "Workflow",
    }
)
"""What asks something outside. A Changeset is a container too: one call for all that it holds."""
DATA = frozenset({"Compose", "ParseJson", "Select", "Query", "Join", "Table", "Expression"})
VARIABLES = frozenset(
    {
        "InitializeVariable",
        "SetVariable",
        "AppendToArrayVariable",
        "AppendToStringVariable",
        "IncrementVariable",
        "DecrementVariable",
    }
)
CONTROL = frozenset({"Terminate", "Response", "Wait"})
ACTION_TYPES = CONTAINERS | CALLS | DATA | VARIABLES | CONTROL

TRIGGER_TYPES = frozenset(
    {
        "Request",
        "Recurrence",
        "SlidingWindow",
        "OpenApiConnection",
        "OpenApiConnectionWebhook",
        "OpenApiConnectionNotification",
        "ApiConnection",
        "ApiConnectionWebhook",
        "ApiConnectionNotification",
        "Http",
        "HttpWebhook",
    }
)

ACTION_KEYS = frozenset(
    {
        "actions",
        "cases",
        "default",
        "description",
        "else",
        "expression",
        "foreach",
        "inputs",
        "kind",
        "limit",
        "metadata",
        "operationOptions",
        "runAfter",
        "runtimeConfiguration",
        "trackedProperties",
        "type",
    }
)
TRIGGER_KEYS = frozenset(
    {
        "conditions",
        "correlation",
        "description",
        "evaluatedRecurrence",
        "inputs",
        "kind",
        "metadata",
        "operationOptions",
        "recurrence",
        "runtimeConfiguration",
        "splitOn",
        "splitOnConfiguration",
        "type",
    }
)
DEFINITION_KEYS = frozenset(
    {
        "$schema",
        "actions",
        "contentVersion",
        "description",
        "metadata",
        "outputs",
        "parameters",
        "staticResults",
        "triggers",
    }
)

RUN_AFTER_STATUSES = frozenset({"Succeeded", "Failed", "Skipped", "TimedOut"})
EXPRESSION_KINDS = {
    "CurrentTime": ("utcNow", ()),
    "GetPastTime": ("getPastTime", ("interval", "timeUnit")),
    "GetFutureTime": ("getFutureTime", ("interval", "timeUnit")),
    "AddToTime": ("addToTime", ("baseTime", "interval", "timeUnit")),
    "SubtractFromTime": ("subtractFromTime", ("baseTime", "interval", "timeUnit")),
    "ConvertTimeZone": (
        "convertTimeZone",
        ("baseTime", "sourceTimeZone", "destinationTimeZone", "formatString"),
    ),
    "FormatNumber": ("formatNumber", ("number", "format", "locale")),
    "IndexOf": ("indexOf", ("text", "searchText")),
    "Substring": ("substring", ("text", "startPosition", "length")),
}
"""Kinds of the Expression action: the function each stands for and the order of its inputs."""

VARIABLE_TYPES = frozenset({"string", "integer", "float", "boolean", "array", "object"})
