"""The expression language of Power Automate and Logic Apps (workflow definition language).

``parse_template`` turns a text of a definition into a ``Template``; ``Template.evaluate`` gives its
value in a ``Scope``. Pure: time and randomness come through the scope. ``functions`` holds the
function reference, one module a family; ``dotnet`` the formats and cultures that it defers to.
"""

from hybridmandate.orchestration.expressions.bounds import Bounds
from hybridmandate.orchestration.expressions.dotnet.instants import Instant
from hybridmandate.orchestration.expressions.errors import (
    ExpressionError,
    ExpressionEvaluationError,
    ExpressionSyntaxError,
)
from hybridmandate.orchestration.expressions.scope import Scope
from hybridmandate.orchestration.expressions.template import (
    Template,
    evaluate_function,
    evaluate_json,
    parse_template,
    references,
)
from hybridmandate.orchestration.expressions.values import number_text, type_name

__all__ = [
    "Bounds",
    "ExpressionError",
    "ExpressionEvaluationError",
    "ExpressionSyntaxError",
    "Instant",
    "Scope",
    "Template",
    "evaluate_function",
    "evaluate_json",
    "number_text",
    "parse_template",
    "references",
    "type_name",
]
