"""One request of SharePoint's REST interface, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hybridmandate.twin.office.caller import Persona
from hybridmandate.twin.office.errors import GraphError
from hybridmandate.twin.office.query import whole_number
from hybridmandate.twin.office.rest_errors import RestError
from hybridmandate.twin.office.rest_exchange import Shape, read_body


@dataclass(frozen=True, slots=True)
class RestRequest:
    """``method`` is that of ``X-HTTP-Method`` where it is given; ``api`` the interface's address.

    ``request_id`` names the request: a repeated one makes nothing twice.
    """

    method: str
    site: str
    api: str
    query: Mapping[str, str]
    caller: Persona
    shape: Shape
    raw: bytes
    content_type: str
    if_match: str | None
    request_id: str | None

    def body(self) -> dict[str, Any]:
        """The body as an object. :raises RestError: 400 when it is none."""
        return read_body(self.raw)

    def whole_number(self, name: str, default: int) -> int:
        """A number of the query. :raises RestError: 400 when it is none."""
        try:
            return whole_number(self.query, name, default, code="")
        except GraphError as error:
            raise RestError.bad(error.message) from None
