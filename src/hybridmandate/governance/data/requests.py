"""What callers send to the data gateway: closed models, every error listed (A4)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hybridmandate.contracts import WireModel

Scalar = str | int | float | bool | None
Text = Annotated[str, Field(min_length=1, max_length=200)]


class ViewRequest(WireModel):
    """Which rows of a view: equal to a value, or to one of a list, by column."""

    parameters: dict[str, Scalar | list[Scalar]] = Field(default_factory=dict)
    top: Annotated[int, Field(ge=1, le=5000)] | None = None


class CommitRecord(WireModel):
    """One record: its identity within the job, and the values that it shall have."""

    record: Text
    values: dict[str, Scalar]


class CommitRequest(WireModel):
    """Records of one job; a job and a record are committed once, however often they are sent."""

    job: Annotated[str, Field(min_length=1, max_length=64)]
    records: Annotated[list[CommitRecord], Field(min_length=1)]
