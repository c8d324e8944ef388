"""Holding requests and results to their declared models, with every error listed (A4, I1).

One validator, pydantic: an operation gets a model instance anyway, rules that a JSON Schema cannot
say (across fields) run in the same pass, and there is no second reading of the contract that could
disagree. The published schema is written from the same models. Validation is strict: a text "1" is
not the number 1, whatever pydantic would otherwise make of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from pydantic import BaseModel, ValidationError

from hybridmandate.contracts.failures import FailureType
from hybridmandate.contracts.outcome import Refused, RowError

MAX_ERRORS = 1000
MAX_VALUE_CHARS = 100


def validate_request(model: type[BaseModel], value: Any) -> BaseModel:
    """The request model of a parsed JSON body.

    :raises Refused: ``validation_error``; ``errors`` names each place by JSON pointer (RFC 6901),
        at most ``MAX_ERRORS`` of them, and the message says how many there are.
    """
    try:
        return model.model_validate_json(orjson.dumps(value), strict=True, by_alias=True)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        plural = "place" if len(found) == 1 else "places"
        raise Refused(
            FailureType.VALIDATION_ERROR,
            f"the request breaks its contract in {len(found)} {plural}",
            reason="contract.request",
            errors=[_row_error(each) for each in found[:MAX_ERRORS]],
        ) from None


def result_data(model: type[BaseModel], data: object) -> Any:
    """The result of an operation as JSON values, when it is what the contract declares.

    :raises TypeError: when it is an instance of something else.
    :raises ValidationError: when its values break the model, however it was constructed.
    """
    if not isinstance(data, model):
        raise TypeError(f"the operation must return {model.__name__}, not {type(data).__name__}")
    dumped = data.model_dump(mode="json", by_alias=True, warnings=False)
    model.model_validate_json(orjson.dumps(dumped), by_alias=True)
    return dumped


def json_pointer(path: Sequence[str | int]) -> str:
    """The JSON pointer of a path; the empty text is the whole document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _row_error(error: Any) -> RowError:
    given = error.get("input")
    shown = given if isinstance(given, str) else orjson.dumps(given, default=str).decode()
    missing = error["type"] == "missing"
    return RowError(
        code=f"contract.{error['type']}",
        message=error["msg"],
        field=json_pointer(error["loc"]),
        value=None if missing else shown[:MAX_VALUE_CHARS],
    )
