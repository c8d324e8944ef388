"""The page of the function reference, made from the registry (``docs/flows/expressions.md``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hybridmandate.orchestration.expressions import functions as _registered  # noqa: F401
from hybridmandate.orchestration.expressions.conformance import CaseScope
from hybridmandate.orchestration.expressions.registry import FUNCTIONS, REFERENCE, Function

# The run that the page's examples look at.
EXAMPLE_CONTEXT: Mapping[str, Any] = {
    "trigger": {
        "name": "manual",
        "status": "Succeeded",
        "outputs": {
            "headers": {"Content-Type": "multipart/form-data"},
            "body": {
                "city": "Oslo",
                "$formdata": [{"key": "city", "value": "Oslo"}],
                "$multipart": [
                    {"headers": {}, "body": {"$content-type": "text/plain", "$content": "T3Nsbw=="}}
                ],
            },
        },
    },
    "actions": {
        "Get_user": {
            "status": "Succeeded",
            "outputs": {"statusCode": 200, "headers": {}, "body": {"name": "Ada"}},
        },
        "Post_form": {
            "status": "Succeeded",
            "outputs": {
                "body": {
                    "$content-type": "application/x-www-form-urlencoded",
                    "$content": "YT0xJmI9MiZhPTM=",
                }
            },
        },
        "Post_parts": {
            "status": "Succeeded",
            "outputs": {
                "body": {
                    "$content-type": "multipart/mixed; boundary=b",
                    "$content": "LS1iDQpDb250ZW50LVR5cGU6IHRleHQvcGxhaW4NCg0KaGkNCi0tYi0tDQo=",
                }
            },
        },
        "Scope": {
            "status": "Succeeded",
            "children": [{"name": "Get_user", "status": "Succeeded"}],
        },
    },
    "action": {"name": "Get_user", "status": "Succeeded", "outputs": {"statusCode": 200}},
    "variables": {"count": 20},
    "parameters": {"threshold": 500},
    "item": {"id": 7},
    "items": {"For_each": {"id": 7}},
    "iterationIndexes": {"Do_until": 3},
    "workflow": {
        "name": "Invoice intake",
        "callbackUrl": "https://flows.contoso.example/triggers/manual/paths/invoke",
    },
    "now": "2018-03-01T00:00:00.0000000Z",
}

_HEAD = f"""# Expressions

The expression language of cloud flows (Power Automate and Azure Logic Apps, "workflow definition
language"), evaluated without a tenant. This page is made from the code; a test compares the two and
evaluates each example.

## Where expressions stand

| text in a definition | value |
| --- | --- |
| `plain text` | the text |
| `@expression` | the value of the expression, with its type |
| `text @{{expression}} text` | a text with the text form of each value |
| `@@rest` | the text `@rest`, with nothing in it evaluated |
| `text @@{{rest}}` | the text `text @{{rest}}` |

Values: strings in `'…'` (a quote is doubled), integers of 64 bits, floats, `true`, `false`, `null`,
function calls. Accessors: `.name`, `['name']`, `[0]`, each with `?` before it to get null where
something is missing. Names of functions and properties are compared without regard to case. A
property name with slashes that is no property is a path: `outputs('X')?['body/value']`.

Text form: `True` and `False`, nothing for null, compact JSON for arrays and objects, the decoded
text of `$content` objects.

## Errors and bounds

A text that is no expression, an unknown function or a wrong number of arguments is an
`ExpressionSyntaxError` with its position when the flow is loaded. An expression without a value is
an `ExpressionEvaluationError` with function, argument, what was expected and what came. Both have
the code `InvalidTemplate`. An expression may have 8,192 characters and make a text of 131,072
(the limits of Power Automate); nesting, work and the size of made arrays and objects are bounded.

## What is chosen where sources differ

| case | here |
| --- | --- |
| `equals(true, 1)` | false: values of different types are not equal |
| `equals(null, '')` | false |
| `json(null)` | an error |
| timestamp with an offset | converted to UTC, written with `Z` |
| negative currency in en-US | in brackets, as in the .NET documentation |
| a time that occurs twice when clocks go back | the one in standard time |
| `decimal` as the result of an expression | the nearest double (JSON has no other number) |
| `int` of a large integer in a text | exact; the runtime loses digits that no double holds |
| order of texts (`greater`, `less`, `sort`) | with case; seen without in Power Automate |
| `decodeUriComponent('a+b')` | `a b`, as seen in Power Automate |
| `decodeDataUri` of a text | the text, as the reference shows |
| halves of a double in `formatNumber` | to even in standard formats, else away from zero |
| `convertToUtc` of `…Z` from another zone than UTC | an error, as seen in Power Automate |

Seen in Power Automate means: by the authors of [FlowForger](https://github.com/tomdam/flowforger),
who recorded what the cloud answers. Nothing was run in a tenant by us.

## Functions

The examples see a run of {datetime(2018, 3, 1, tzinfo=UTC):%Y-%m-%d} whose trigger brought the city
Oslo, with the actions `Get_user`, `Post_form`, `Post_parts` and `Scope`. The source of each
function is its section of the [function reference]({REFERENCE}); `actionBody`, `item`,
`decodeBase64` and other older names have theirs there or under the name that replaced them.
"""


def example_scope() -> CaseScope:
    """The run that the page's examples look at; its random sequence is fixed."""
    return ExampleScope(EXAMPLE_CONTEXT, moment=datetime(2018, 3, 1, tzinfo=UTC))


class ExampleScope(CaseScope):
    """As the context says, with the GUID of the function reference."""

    def new_guid(self) -> str:
        """The GUID that the examples show."""
        return "c2ecc88d-88c8-4096-912c-d6f2e2b138ce"


def render() -> str:
    """The page in Markdown."""
    families: dict[str, list[Function]] = {}
    for function in FUNCTIONS.values():
        families.setdefault(function.family, []).append(function)
    sections = [_section(name, families[name]) for name in sorted(families)]
    return "\n".join([_HEAD, *sections])


def _section(family: str, functions: list[Function]) -> str:
    rows = [
        f"| `{each.name}` | {_cell(_arguments(each))} | {_cell(each.summary)} | "
        f"`{_cell(each.example)}` | `{_cell(shown(each.gives))}` | [source]({each.source}) |"
        for each in sorted(functions, key=lambda each: each.name.lower())
    ]
    head = "| function | arguments | gives | example | value | source |\n" + "| --- " * 6 + "|"
    return "\n".join([f"### {family}", "", head, *rows, ""])


def shown(value: Any) -> str:
    """A value as the page writes it."""
    return json.dumps(value, ensure_ascii=False)


def _arguments(function: Function) -> str:
    parts = []
    for each in function.parameters:
        name = f"{each.name}?" if each.least == 0 and each.most else each.name
        name = f"{each.name} …" if each.most is None else name
        parts.append(f"{name}: {each.expected}")
    return "; ".join(parts) or "none"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
