"""Bodies of SharePoint's REST interface, in and out.

An answer has the form that Accept asks for: ``odata=verbose`` puts it under ``d``, ``nometadata``
gives it plainly, everything else adds ``odata.metadata``. Bodies that come may hold texts in single
quotes, as SharePoint takes them. Source: learn.microsoft.com/sharepoint/dev/sp-add-ins/
get-to-know-the-sharepoint-rest-service.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse, Response

from hybridmandate.twin.office.rest_errors import RestError

_TEXT = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'((?:[^'\\]|\\.)*)'", re.DOTALL)


class Shape:
    """How answers are written: by the Accept header and the address of the interface."""

    def __init__(self, accept: str, api: str) -> None:
        self._kind = accept.lower().replace(" ", "")
        self._api = api

    @property
    def verbose(self) -> bool:
        """Whether answers stand under ``d``."""
        return "odata=verbose" in self._kind

    def one(self, value: Mapping[str, Any], status: int = 200) -> Response:
        """One thing."""
        if self.verbose:
            return JSONResponse({"d": value}, status_code=status)
        return JSONResponse({**self._metadata(), **value}, status_code=status)

    def many(self, values: Sequence[Mapping[str, Any]], following: str | None = None) -> Response:
        """A list, with the link to what follows."""
        if self.verbose:
            more = {} if following is None else {"__next": following}
            return JSONResponse({"d": {"results": list(values), **more}})
        link = {} if following is None else {"odata.nextLink": following}
        return JSONResponse({**self._metadata(), "value": list(values), **link})

    def single(self, name: str, value: Any) -> Response:
        """One property of a thing."""
        if self.verbose:
            return JSONResponse({"d": {name: value}})
        return JSONResponse({**self._metadata(), "value": value})

    def error(self, error: RestError) -> Response:
        """An error."""
        told = {"code": error.code, "message": {"lang": "en-US", "value": error.message}}
        name = "error" if self.verbose else "odata.error"
        return JSONResponse({name: told}, status_code=error.status)

    def _metadata(self) -> dict[str, str]:
        plain = "odata=nometadata" in self._kind
        return {} if plain else {"odata.metadata": f"{self._api}/$metadata"}


def read_body(body: bytes) -> dict[str, Any]:
    """A body as an object, without its metadata. :raises RestError: 400 when it is none."""
    try:
        text = body.decode("utf-8") or "{}"
        value = json.loads(_TEXT.sub(_in_double_quotes, text))
    except (ValueError, RecursionError):
        raise RestError.bad("Invalid JSON: the body is no JSON object.") from None
    if not isinstance(value, dict):
        raise RestError.bad("Invalid JSON: the body is no JSON object.")
    return {name: each for name, each in value.items() if name != "__metadata"}


def _in_double_quotes(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[0]
    return json.dumps(match[1].replace("\\'", "'"), ensure_ascii=False)
